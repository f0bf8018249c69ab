"""What a method's README says of its claims is what their committed verdicts say, number by number."""

import json

import pytest
from rayhere import TESTS

ROOT = TESTS.parent
RESULTS = sorted((ROOT / "benchmarks" / "results" / "claims").glob("*.json"))


def numbers(one):
    """A comparison's numbers as a table prints them."""
    low, high = one["interval"] or (None, None)
    interval = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
    return f"{one['mean_a']:.3f} - {one['mean_b']:.3f} = {one['difference']:+.3f}{interval} over {one['seeds']} seeds"


@pytest.mark.parametrize("file", RESULTS, ids=lambda file: file.stem)
def test_a_table_of_claims_is_that_of_the_committed_verdicts(file):
    method = file.stem
    readme = (ROOT / "methods" / "segfrontier_methods" / method / "README.md").read_text().splitlines()
    judged = json.loads(file.read_text())[method]
    assert judged and all(one["measured"] for one in judged)
    for one in judged:
        (row,) = [line for line in readme if line.startswith(f"| {one['says']} ({one['where']}) |")]
        assert row.endswith(f"| **{one['verdict']}** |"), one["id"]
        for measured in one["measured"]:
            for numbered in (measured, *measured["controls"]):
                assert numbers(numbered) in row, (one["id"], numbered)


def test_some_claims_have_been_run():
    assert RESULTS
