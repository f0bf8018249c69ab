"""States that merge: addition, refusals, and the journey through npz, JSON and pickle."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import pytest

from segfrontier.maths import Calibration, Confusion, InstanceHits, PanopticCounts, TagScores, Tally, confusion_counts

STATES: list[Tally] = [
    confusion_counts(np.array([0, 1, 1], np.uint8), np.array([0, 255, 1], np.uint8), num_classes=3),
    PanopticCounts.zero(num_classes=2, rule="din"),
    Calibration.zero(num_bins=4),
    TagScores(scores_NK=np.array([[0.1, 1 / 3]]), tags_NK=np.array([[0, 1]])),
    TagScores.zero(num_classes=5),
    InstanceHits.zero(num_classes=2, convention="voc", thresholds=(0.1, 0.3)),
]


@pytest.mark.parametrize("state", STATES, ids=lambda s: type(s).__name__)
def test_states_travel_as_npz_json_and_pickle(state: Tally) -> None:
    file = io.BytesIO()
    np.savez(file, **state.to_arrays())
    file.seek(0)
    by_npz = type(state).from_arrays(np.load(file, allow_pickle=False))
    by_json = type(state).from_plain(json.loads(json.dumps(state.to_plain())))
    for again in (by_npz, by_json, pickle.loads(pickle.dumps(state))):
        assert again == state and again + state == state + state
        for name, array in state.to_arrays().items():
            found = again.to_arrays()[name]
            assert found.dtype == array.dtype and found.shape == array.shape


def test_addition_sum_and_total_agree_and_leave_the_parts_alone() -> None:
    one, two = (confusion_counts(np.array([v], np.uint8), np.array([0], np.uint8), num_classes=2) for v in (0, 1))
    assert (one + two).counts_CC.tolist() == [[1, 0], [1, 0]]
    assert sum([one, two]) == Confusion.total(iter([two, one])) == one + two
    assert one.counts_CC.tolist() == [[1, 0], [0, 0]]


def test_equality_sees_values_types_and_sizes() -> None:
    assert Confusion.zero(num_classes=2) != Confusion.zero(num_classes=3)
    assert PanopticCounts.zero(num_classes=2) != PanopticCounts.zero(num_classes=2, rule="din")
    assert Confusion.zero(num_classes=2) != 0


def test_states_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of one size; found counts_CC of shapes \(2, 2\) and \(3, 3\)"):
        Confusion.zero(num_classes=2) + Confusion.zero(num_classes=3)
    with pytest.raises(TypeError):
        Confusion.zero(num_classes=2) + Calibration.zero()  # type: ignore[operator]
    with pytest.raises(TypeError):
        1 + Confusion.zero(num_classes=2)
