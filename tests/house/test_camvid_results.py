"""What the documents say of the committed run on CamVid is what its points say."""

import csv
import re

from rayhere import TESTS

ROOT = TESTS.parent
RESULTS = ROOT / "benchmarks" / "results" / "camvid"


def points():
    """Method and budget -> score and its interval."""
    with (RESULTS / "points.csv").open() as file:
        return {
            (row["method"], row["budget"]): tuple(float(row[name]) for name in ("score", "low", "high"))
            for row in csv.DictReader(file)
        }


def test_its_table_is_made_of_its_points():
    columns = {"0 h": 1, "2 h": 2, "8 h": 3, "all labels": 4}
    rows = {row.split("|")[1].strip(): row.split("|") for row in (RESULTS / "README.md").read_text().splitlines()
            if row.startswith("| ")}  # fmt: skip
    found = points()
    assert len(found) == 17 and sum(bool(re.search(r"\d \[", "|".join(row))) for row in rows.values()) == 10
    for (method, budget), (score, low, high) in found.items():
        wanted = f"{score:.2f} [{low:.2f}, {high:.2f}]".replace("0.", ".")
        assert rows[method][columns[budget] + 1].strip() == wanted, (method, budget)


def test_the_first_screen_says_the_same():
    found, text = points(), (ROOT / "README.md").read_text()
    score, low, high = found["coarse", "2 h"]
    assert f"coarse masks score {score:.2f} ({low:.2f} to {high:.2f})" in text
    assert f"free game's {found['synthetic', '0 h'][0]:.2f}" in text
    assert f"all 138 hours of labels score {found['oracle', 'all labels'][0]:.2f}" in text
