"""Names that look like markup are text: they are printed as they are, and nothing crashes."""

from madestudy import record
from madestudy import study as made_study
from terminal import segfrontier

ODD = "[/x] [red]odd"


def test_a_frontier_of_odd_names(tmp_path):
    records = [record(f"fine{ODD}", 6, seed, 0.5, acts={"fine": 4}, words=f"{ODD} r/f 1x1 #a") for seed in (0, 1)]
    failed = record(f"fine{ODD}", 12, 0, 0.5, state="failed", error=f"because {ODD}")
    made_study(tmp_path / "runs", [*records, failed])
    told = segfrontier("frontier", "made", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stdout.count(ODD) >= 3 and f"because {ODD}" in told.stdout
