"""The frontier on a study's own run: means over seeds, one value for each spend, facets apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trackhere import PQ, STUDY, a_record

from segfrontier.tracking.points import points, seeds

M = "miou_present"


def plain(found):
    return {(p.name, p.step): pytest.approx(p.value) for p in found}


def test_a_point_is_the_mean_over_seeds():
    records = [a_record(hours=h, seed=s, miou=0.3 + 0.01 * h + 0.1 * s) for h in (1, 10) for s in (0, 1)]
    found = points(records, STUDY)
    assert plain(found) == {(f"{M}/fine", 60): 0.36, (f"{M}/fine", 600): 0.45}
    assert {p.at for p in found} == {2001.0}


def test_a_point_waits_for_its_seeds_unless_asked_early():
    records = [a_record(seed=0, miou=0.3), a_record(method="coarse", seed=0), a_record(method="coarse", seed=1)]
    assert plain(points(records, STUDY)) == {(f"{M}/coarse", 600): 0.4}
    assert plain(points(records, STUDY, early=True)) == {
        (f"{M}/coarse", 600): 0.4,
        (f"{M}/fine", 600): 0.3,
    }
    assert seeds(STUDY) == {0, 1} and seeds({}) == set()


def test_a_failed_seed_is_not_waited_for_and_not_counted():
    records = [a_record(seed=0, miou=0.3), a_record(seed=1, state="failed")]
    assert plain(points(records, STUDY)) == {(f"{M}/fine", 600): 0.3}
    assert points([a_record(seed=s, state="failed") for s in (0, 1)], STUDY) == []


def test_facets_never_share_a_metric():
    both = {**STUDY, "facets": ["f0f0f0f0", "aaaaaaaa"]}
    records = [a_record(seed=s, facet=f, miou=0.3) for s in (0, 1) for f in ("f0f0f0f0", "aaaaaaaa")]
    assert set(plain(points(records, both))) == {
        (f"{M} f0f0f0f0/fine", 600),
        (f"{M} aaaaaaaa/fine", 600),
    }
    assert set(plain(points(records[:1], both, early=True))) == {(f"{M} f0f0f0f0/fine", 600)}


def test_points_are_of_the_metric_that_the_study_ranks_by():
    scores = ({"miou_present": 0.5, "pq": 0.1}, {"miou_present": 0.7, "pq": 0.3}, {"miou_present": 0.9})
    records = [a_record(hours=h, seed=s, values=v) for h, s, v in ((10, 0, scores[0]), (10, 1, scores[1]))]
    alone = [a_record(hours=20, seed=s, values=scores[2]) for s in (0, 1)]
    assert plain(points([*records, *alone], PQ)) == {("pq/fine", 600): 0.2}
    both = {**PQ, "facets": ["f0f0f0f0", "aaaaaaaa"]}
    assert plain(points(records, both)) == {("pq f0f0f0f0/fine", 600): 0.2}


def test_knobs_and_splits_have_lines_of_their_own():
    records = [a_record(knobs={"split": x}, seed=s) for x in (0.3, 0.6) for s in (0, 1)]
    assert set(plain(points(records, STUDY))) == {
        (f"{M}/fine split:0.3", 600),
        (f"{M}/fine split:0.6", 600),
    }


def test_budgets_that_could_not_be_spent_meet_in_one_point():
    records = [a_record(hours=h, seed=s, seconds=3600, miou=m) for h, m in ((10, 0.2), (20, 0.4)) for s in (0, 1)]
    assert plain(points(records, STUDY)) == {(f"{M}/fine", 60): 0.3}


@given(st.permutations([(m, h, s) for m in ("fine", "coarse") for h in (1, 2) for s in (0, 1)]))
def test_the_order_in_which_cells_end_does_not_matter(order):
    records = [a_record(method=m, hours=h, seed=s, miou=0.1 * h + 0.01 * s) for m, h, s in order]
    sure = plain(points(records, STUDY))
    assert sure == plain(points(sorted(records, key=lambda r: r["key"]), STUDY)) and len(sure) == 4
