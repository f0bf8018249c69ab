"""What ranks methods while a study runs: the mean over seeds, never the luckiest of them."""

import pytest

from segfrontier.home.status import CellState, best
from segfrontier.tracking.studies import study_note


def cell(method, seed, miou, *, hours=5):
    return CellState(
        key=f"{method}{hours}{seed}", label=f"{method}, {hours} h, seed {seed}", method=method, state="done", miou=miou
    )


def test_status_ranks_by_means_not_by_the_luckiest_seed():
    lucky = [cell("lucky", 0, 0.9), cell("lucky", 1, 0.1), cell("lucky", 2, 0.2), cell("lucky", 0, 0.3, hours=9)]
    steady = [cell("steady", 0, 0.5), cell("steady", 1, 0.6), cell("steady", 2, float("nan"))]
    found = best((*lucky, *steady))
    assert list(found) == ["steady", "lucky"]
    assert (found["steady"].label, found["steady"].seeds) == ("steady, 5 h", 2)
    assert found["steady"].miou == pytest.approx(0.55) and found["lucky"].miou == pytest.approx(0.4)


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
