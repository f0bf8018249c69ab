"""What thousands of cells must not multiply: files that are opened at a look, lists that are written at a resume.

Counted, not timed: a machine may be slow, a count is what it is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from madestudy import record, study
from toystudy import toy_study

from segfrontier.basics import reading
from segfrontier.basics.atomic import write_json
from segfrontier.commands import board
from segfrontier.commands.board import LiveBoard
from segfrontier.errors import BadInput
from segfrontier.home.layout import CELLS, STATUS, open_home
from segfrontier.home.status import Board, counts
from segfrontier.study import cellwatch, run
from segfrontier.study import keys as cell_keys
from segfrontier.study.cells import expand
from segfrontier.study.cellwatch import CellWatch
from segfrontier.study.keys import Atlas, keyed, plain_cell

LIKE = record("fine+coarse", 1, 0, 0.5)


def never(_):
    """No record is stale."""
    return False


@pytest.fixture
def opened(monkeypatch):
    """Files that were opened to be read, by name."""
    count, plain = Counter(), reading.open_plain

    def counting(path):
        count[str(path).rpartition("/")[2]] += 1
        return plain(path)

    monkeypatch.setattr(reading, "open_plain", counting)
    return count


def half_done(folder, cells):
    """A study of which half of the cells have a record, and the others wait."""
    made = [record("fine", 1, seed, 0.3) for seed in range(cells)]
    place = study(folder, made)
    for r in made:
        write_json(place.home.cell(r.key) / "cell.json", r.cell)
    for r in made[::2]:
        (place.home.cell(r.key) / "record.json").unlink()
    return place, made


def test_a_look_opens_what_was_written_since_the_last_one_and_nothing_else(tmp_path, opened):
    place, made = half_done(tmp_path, 12)
    table = Board(place)
    assert counts(table.look(alive=True)) == {"waiting": 6, "done": 6}
    opened.clear()
    assert counts(table.look(alive=True)) == {"waiting": 6, "done": 6} and not opened
    folder = place.home.cell(made[0].key)
    write_json(folder / STATUS, {"state": "running", "stage": "train a"})
    assert counts(table.look(alive=True)) == {"running": 1, "waiting": 5, "done": 6}
    assert opened == {STATUS: 1}
    for done in (1, 2):
        write_json(folder / STATUS, {"state": "running", "stage": "train b", "done": done, "total": 4})
        assert [c.share for c in table.look(alive=True) if c.state == "running"] == [done / 4]
    opened.clear()
    assert [c.state for c in table.look(alive=False) if c.stage] == ["stopped"], "the run was killed"
    made[0].write(place.home)
    assert counts(table.look(alive=True)) == {"waiting": 5, "done": 7}
    assert table.look(alive=True) == Board(place).look(alive=True)


def test_a_cell_that_failed_is_read_again_when_it_is_tried_again(tmp_path, opened):
    place, made = half_done(tmp_path, 2)
    table = Board(place)
    replace(made[0], state="failed", error="no luck").write(place.home)
    assert table.look(alive=True)[0].error == "no luck"
    opened.clear()
    assert table.look(alive=True)[0].state == "failed" and not opened
    replace(made[0], state="failed", error="none again").write(place.home)
    assert table.look(alive=True)[0].error == "none again"


def test_a_table_that_grows_is_seen(tmp_path):
    place, made = half_done(tmp_path, 4)
    table = Board(place)
    write_json(place.path / CELLS, [r.key for r in made[:2]])
    assert len(table.look(alive=True)) == 2
    write_json(place.path / CELLS, [r.key for r in made])
    assert len(table.look(alive=True)) == 4


def test_looking_takes_a_part_of_the_time_however_long_a_look_takes(tmp_path, monkeypatch):
    looks, clock = [], [100.0]

    def slow(self, **_):
        looks.append(clock[0])
        clock[0] += 0.5
        return ()

    place, _ = half_done(tmp_path, 2)
    with LiveBoard() as live:
        live.began(Board(place), waiting=0)
        monkeypatch.setattr(Board, "look", slow)
        monkeypatch.setattr(board.time, "monotonic", lambda: clock[0])
        for _ in range(12):
            live._drawn()
            clock[0] += 1.0
    assert looks == [100.0, 105.5, 111.0]


def search(folder, samples):
    """A study that Optuna proposes the splits of."""
    methods = [{"name": "fine+coarse", "knobs": {"split": {"low": 0.1, "high": 0.9}}}]
    return toy_study(folder, methods=methods, budgets=[0.1], seeds=[0], search={"kind": "optuna", "samples": samples})


def writes(monkeypatch):
    """How often the list of cells, and a cell's own file, are written from now on."""
    count, plain = Counter(), run.write_json

    def counting(path, *given, **more):
        count[path.name] += 1
        plain(path, *given, **more)

    monkeypatch.setattr(run, "write_json", counting)
    monkeypatch.setattr(cell_keys, "write_json", counting)
    return count


@pytest.mark.parametrize("samples", [6, 12])
def test_a_search_that_goes_on_writes_its_list_once_for_all_that_has_ended(tmp_path, monkeypatch, samples):
    of, place = search(tmp_path, samples), open_home(tmp_path / "runs").study("toy")
    count, atlas = writes(monkeypatch), Atlas()

    def feed():
        return run._feed(of, place, atlas, keyed(expand(of), atlas), never)[0]

    first, given = feed(), []
    while (key := first.next()) is not None:
        assert key in place.cell_keys(), "a cell is in the list before it is given out"
        (cell,) = [c for k, c in seen(place, key) if k == key]
        ended = replace(LIKE, key=key, cell=cell, values={"miou_present": 0.1 + 0.8 / (2 + len(given))})
        ended.write(place.home)
        first.ended(key, ended)
        given.append(key)
    assert len(set(given)) == samples and count["cell.json"] == samples
    listed, count_before = place.cell_keys(), count.copy()
    again = feed()
    assert again.next() is None and again.over
    assert place.cell_keys() == listed
    assert count - count_before == {CELLS: 2}, "once for the table, once for all proposals; no cell is written anew"


def seen(place, key):
    """A cell as it was kept, with its key."""
    return [(key, plain_cell(cell_keys.read_cell(place.home, key)))]


def test_a_study_that_is_run_again_writes_no_cell_again_but_mends_one_that_was_damaged(tmp_path, monkeypatch):
    of, place = toy_study(tmp_path, budgets=[0.1]), open_home(tmp_path / "runs").study("toy")
    count, atlas = writes(monkeypatch), Atlas()
    table = keyed(expand(of), atlas)
    run._feed(of, place, atlas, table, never)
    assert count == {CELLS: 1, "cell.json": len(table)}
    (place.home.cell(next(iter(table))) / "cell.json").write_text("{")
    run._feed(of, place, atlas, table, never)
    assert count == {CELLS: 2, "cell.json": len(table) + 1}
    assert [cell_keys.read_cell(place.home, key) for key in table] == list(table.values())


def test_the_code_behind_cells_is_asked_for_once_however_many_they_are(monkeypatch):
    asked = []

    def digest(method, kinds):
        asked.append((method, kinds))
        if method == "gone":
            raise BadInput("no such method")
        return "today"

    monkeypatch.setattr(cell_keys, "code_of", digest)
    is_stale = cell_keys.staleness_here()
    for code, stale in (("today", False), ("before", True), ("", False)):
        assert [is_stale(record("fine", 1, seed, 0.3, code=code)) for seed in range(5)] == 5 * [stale]
    assert not is_stale(record("gone", 1, 0, 0.3, code="before")) and is_stale(record("coarse", 1, 0, 0.3, code="x"))
    assert len(asked) == 3
    assert is_stale(record("fine", 1, 0, 0.3, code="before", stages=())), "other stages are other code"
    assert len(asked) == 4


@pytest.mark.parametrize(("takes", "writes"), [(0.0, 19), (0.01, 19), (0.1, 5), (4.0, 2)])
def test_a_cell_tells_as_often_as_its_disk_can_take(tmp_path, monkeypatch, takes, writes):
    """Ten seconds of steps, 0.1 s each: every half second, or in a twentieth of the time, or every ten seconds."""
    clock, told = [0.0], []

    def write(path, payload, **_):
        told.append(payload)
        clock[0] += takes

    monkeypatch.setattr(cellwatch, "write_json", write)
    monkeypatch.setattr(cellwatch.time, "monotonic", lambda: clock[0])
    watch = CellWatch(tmp_path, stop=lambda: False)
    watch.begin("label", "k")
    while clock[0] < 12:
        clock[0] += 0.1
        watch.step(1, 10, {})
    assert len(told) == pytest.approx(writes, abs=5 if takes < 0.1 else 2)


def test_a_wish_to_stop_is_asked_for_as_often_as_its_disk_can_take_and_at_once_after_a_verdict(tmp_path, monkeypatch):
    clock, asked = [0.0], []

    def stop():
        asked.append(clock[0])
        clock[0] += 0.2
        return False

    monkeypatch.setattr(cellwatch.time, "monotonic", lambda: clock[0])
    watch = CellWatch(tmp_path, stop=stop, on_rung=lambda *_: None)
    for _ in range(100):
        clock[0] += 0.1
        assert not watch.stop()
    assert len(asked) == 3 and asked[1] - asked[0] == pytest.approx(4.0, abs=0.11)
    watch.peeked(1.0, 0.5)
    watch.stop()
    assert len(asked) == 4
