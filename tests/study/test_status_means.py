"""What ranks methods while a study runs: the mean over seeds, never the luckiest of them."""

import os

import pytest
from madestudy import record, study

from segfrontier.basics.atomic import write_json
from segfrontier.home.status import Board, CellState, best
from segfrontier.tracking.studies import study_note


def cell(method, seed, miou, *, hours=5):
    return CellState(
        key=f"{method}{hours}{seed}", label=f"{method}, {hours} h, seed {seed}", method=method, state="done", score=miou
    )


def test_status_ranks_by_means_not_by_the_luckiest_seed():
    lucky = [cell("lucky", 0, 0.9), cell("lucky", 1, 0.1), cell("lucky", 2, 0.2), cell("lucky", 0, 0.3, hours=9)]
    steady = [cell("steady", 0, 0.5), cell("steady", 1, 0.6), cell("steady", 2, float("nan"))]
    found = best((*lucky, *steady))
    assert list(found) == ["steady", "lucky"]
    assert (found["steady"].label, found["steady"].seeds) == ("steady, 5 h", 2)
    assert found["steady"].score == pytest.approx(0.55) and found["lucky"].score == pytest.approx(0.4)


def test_what_says_that_it_runs_is_stopped_where_no_process_does_and_over_where_its_record_is_newer(tmp_path):
    made = record("fine", 4, 0, 0.5)
    place = study(tmp_path, [made])
    folder = place.home.cell(made.key)
    write_json(folder / "cell.json", made.cell)
    write_json(folder / "status.json", {"state": "running", "stage": "train"})
    os.utime(folder / "status.json", (2e9, 2e9))  # later than the record
    assert [Board(place).look(alive=alive)[0].state for alive in (True, False)] == ["running", "done"]
    os.utime(folder / "record.json", (2.1e9, 2.1e9))  # another process ended the cell meanwhile
    assert Board(place).look(alive=True)[0].state == "done"
    (folder / "record.json").unlink()
    assert [Board(place).look(alive=alive)[0].state for alive in (True, False)] == ["running", "stopped"]


def test_one_seed_of_a_dearer_budget_is_no_better_than_the_mean_of_three():
    """Cells end seed by seed: while a study runs, the newest budget has the luckiest seed alone."""
    cells = [cell("fine", s, 0.5 + s / 100) for s in range(3)] + [cell("fine", 0, 0.9, hours=9)]
    assert best(tuple(cells))["fine"].label == "fine, 5 h" and best(tuple(cells))["fine"].seeds == 3
    cells += [cell("fine", s, 0.6, hours=9) for s in (1, 2)]
    assert best(tuple(cells))["fine"].label == "fine, 9 h"


def test_the_note_in_mlflow_ranks_by_means_too():
    records = [
        {
            "state": "done", "cell": {"method": m, "knobs": {}, "hours": 5, "label": f"{m}, 5 h, seed {s}"},
            "seconds": 3600, "facet": "f", "values": {"miou_present": x},
        }
        for m, s, x in (("lucky", 0, 0.9), ("lucky", 1, 0.1), ("steady", 0, 0.6), ("steady", 1, 0.65))
    ]  # fmt: skip
    rows = [line for line in study_note({"study": "s"}, records).splitlines() if line.startswith("| ")][1:]
    assert rows == ["| steady | 62.5% | 2 | 1.0 | steady |", "| lucky | 50.0% | 2 | 1.0 | lucky |"]


def test_the_note_in_mlflow_means_no_facet_with_another():
    records = [
        {
            "state": "done", "cell": {"method": "fine", "knobs": {}, "hours": 5, "label": f"fine, 5 h, seed {s}"},
            "seconds": 3600, "facet": facet, "values": {"miou_present": x},
        }
        for facet, s, x in (("small", 0, 0.2), ("small", 1, 0.2), ("large", 0, 0.6), ("large", 1, 0.6))
    ]  # fmt: skip
    assert "| fine | 60.0% | 2 | 1.0 | fine |" in study_note({"study": "s"}, records)


def test_both_rank_by_the_metric_that_the_study_names(tmp_path):
    pq = {"fine": (0.6, 0.1), "coarse": (0.4, 0.3)}
    made = [record(m, 4, 0, miou, values={"miou_present": miou, "pq": score}) for m, (miou, score) in pq.items()]
    place = study(tmp_path, made, yaml=(text := "name: made\nmetric: pq\n"))
    for each in made:
        write_json(place.home.cell(each.key) / "cell.json", each.cell)
    board = Board(place)
    means = best(board.look())
    assert [(method, mean.score) for method, mean in means.items()] == [("coarse", 0.3), ("fine", 0.1)]
    assert board.metric == "pq" and [cell.miou for cell in board.look()] == [0.6, 0.4]
    rows = study_note({"study": "made", "config": text}, [r.plain() for r in made]).splitlines()
    assert any("mean pq" in row for row in rows)
    assert [row.split(" | ")[:2] for row in rows if "%" in row] == [["| coarse", "30.0%"], ["| fine", "10.0%"]]


@pytest.mark.parametrize("text", ["name: made", "{", "metric: [pq]", "- 1"])
def test_a_file_that_names_none_means_the_headline(tmp_path, text):
    assert Board(study(tmp_path, [], yaml=text)).metric == "miou_present"
