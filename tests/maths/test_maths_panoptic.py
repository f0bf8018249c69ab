"""Panoptic quality: the published toy, and both rules against an independent loop over segments and masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import (
    PanopticCounts,
    overlap_maps,
    overlap_masks,
    panoptic_counts,
    panoptic_quality,
    panoptic_scores,
)

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
THINGS = (1, 2)
Maps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def facts_toy() -> Maps:
    truth, truth_instance, prediction, instance = (np.zeros((10, 20), t) for t in (np.uint8, np.uint16) * 2)
    truth[5:], truth[5:, 14:] = 1, 255
    truth_instance[5:, :8], truth_instance[5:, 8:14] = 2, 3
    prediction[5:], prediction[0, :3] = 1, 2
    instance[5:, :5], instance[5:, 5:14], instance[5:, 14:], instance[0, :3] = 12, 13, 14, 15
    return truth, truth_instance, prediction, instance


def count(maps: Maps, rule: str = "panopticapi") -> PanopticCounts:
    return panoptic_counts(overlap_maps(*maps, things=THINGS), num_classes=3, rule=rule)


def test_facts_2e_toy_under_panopticapi() -> None:
    counts = count(facts_toy())
    assert counts.matched_C.tolist() == [1, 2, 0]
    assert counts.false_C.tolist() == [0, 0, 1] and counts.missed_C.tolist() == [0, 0, 0]
    quality = panoptic_quality(counts)
    np.testing.assert_allclose(quality.pq_C, [0.97, 1.291667 / 2, 0.0], atol=1e-6)
    np.testing.assert_allclose(quality.sq_C, [0.97, (0.625 + 2 / 3) / 2, 0.0], atol=1e-9)
    scores = panoptic_scores(counts, things=THINGS)
    assert scores["pq"] == pytest.approx(0.538611, abs=1e-6)
    assert scores["pq_things"] == pytest.approx(0.322917, abs=1e-6)
    assert scores["pq_stuff"] == pytest.approx(0.97, abs=1e-9)


def test_facts_2e_toy_under_din() -> None:
    counts = count(facts_toy(), "din")
    assert counts.false_C.tolist() == [0, 1, 1]
    assert panoptic_quality(counts).pq_C[1] == pytest.approx(0.516667, abs=1e-6)
    assert set(panoptic_scores(counts, things=THINGS)) == {
        f"{name}{group}_din" for name in ("pq", "sq", "rq") for group in ("", "_things", "_stuff")
    }


def random_maps(seed: int, size: tuple[int, int] = (8, 11)) -> Maps:
    """Blocky truth with void, crowds and instances on stuff; the prediction is the truth, disturbed."""
    rng = np.random.default_rng(seed)
    label = rng.choice([0, 1, 1, 2, 2, 255], (4, 4)).repeat(2, 0).repeat(3, 1)[: size[0], : size[1]]
    inst = rng.choice([0, 1, 2], (4, 4)).repeat(2, 0).repeat(3, 1)[: size[0], : size[1]]
    noise = rng.random(label.shape) < rng.choice([0.05, 0.2, 0.4])
    guess = np.where(noise, rng.choice([0, 1, 2, 255], label.shape), np.where(label == 255, 1, label))
    guess_inst = np.where(rng.random(label.shape) < 0.1, rng.choice([0, 1, 3], label.shape), inst + rng.integers(0, 2))
    return label.astype(np.uint8), inst.astype(np.uint16), guess.astype(np.uint8), guess_inst.astype(np.uint16)


def segments(label: np.ndarray, instance: np.ndarray, *, crowds: bool) -> list[tuple[int, np.ndarray, bool]]:
    """(class, mask, is crowd) of each segment, by the rules of `overlap_maps`."""
    found = []
    for c in range(3):
        mask = label == c
        if c not in THINGS:
            found += [(c, mask, False)] if mask.any() else []
            continue
        for i in sorted(set(instance[mask].tolist())):
            if i > 0 or crowds:
                found.append((c, mask & (instance == i), i == 0))
    return found


def slow_panoptic(maps: Maps, rule: str) -> list[tuple[int, int, int, float]]:
    """(matched, false, missed, iou sum) per class, mask by mask."""
    truth, truth_instance, prediction, instance = maps
    true, predicted = segments(truth, truth_instance, crowds=True), segments(prediction, instance, crowds=False)
    ignore = truth == 255
    for _, mask, crowd in true:
        if crowd and rule == "din":
            ignore = ignore | mask
    out = []
    for c in range(3):
        matched, iou_sum, hit = 0, 0.0, set()
        mine = [(i, m) for i, (label, m, _) in enumerate(predicted) if label == c]
        theirs = [m for label, m, crowd in true if label == c and not crowd]
        for truth_mask in theirs:
            for i, mask in mine:
                inside = mask & ~ignore
                both = int((inside & truth_mask).sum())
                either = int((inside | truth_mask).sum())
                if both / either > 0.5:
                    matched, iou_sum = matched + 1, iou_sum + both / either
                    hit.add(i)
        false = 0
        for i, mask in mine:
            if i in hit:
                continue
            excused = int((mask & (truth == 255)).sum())
            excused += sum(int((mask & m).sum()) for label, m, crowd in true if label == c and crowd)
            if rule == "din" or excused / int(mask.sum()) <= 0.5:
                false += 1
        out.append((matched, false, len(theirs) - matched, iou_sum))
    return out


@PROPERTY
@given(seed=st.integers(0, 100_000), rule=st.sampled_from(["panopticapi", "din"]))
def test_both_rules_against_loops(seed: int, rule: str) -> None:
    maps = random_maps(seed)
    counts, expected = count(maps, rule), slow_panoptic(maps, rule)
    found = zip(counts.matched_C.tolist(), counts.false_C.tolist(), counts.missed_C.tolist(), strict=True)
    assert list(found) == [row[:3] for row in expected]
    np.testing.assert_allclose(counts.iou_units_C * 2.0**-40, [row[3] for row in expected], atol=1e-11)
    quality = panoptic_quality(counts)
    for c, (matched, false, missed, iou_sum) in enumerate(expected):
        size = matched + (false + missed) / 2
        assert quality.pq_C[c] == pytest.approx(iou_sum / size if size else math.nan, abs=1e-9, nan_ok=True)
        assert quality.rq_C[c] == pytest.approx(matched / size if size else math.nan, nan_ok=True)
        assert math.isnan(quality.sq_C[c]) == (size == 0)


def test_the_random_maps_reach_every_case() -> None:
    rows = [row for seed in range(60) for row in slow_panoptic(random_maps(seed), "panopticapi")]
    assert all(sum(row[i] for row in rows) > 10 for i in range(3))
    differ = [seed for seed in range(60) if count(random_maps(seed)) != count(random_maps(seed), "din")]
    assert len(differ) > 10


@PROPERTY
@given(seed=st.integers(0, 100_000), split=st.integers(0, 4))
def test_parts_add_up_to_the_whole_in_any_order(seed: int, split: int) -> None:
    parts = [count(random_maps(seed + i)) for i in range(4)]
    whole = PanopticCounts.total(parts)
    zero = PanopticCounts.zero(num_classes=3)
    assert sum(parts[:split], zero) + sum(parts[split:], zero) == whole
    assert parts[2] + (parts[0] + (parts[3] + parts[1])) == whole
    assert panoptic_scores(whole, things=THINGS) == pytest.approx(
        panoptic_scores(sum(reversed(parts)), things=THINGS), rel=0, abs=0, nan_ok=True
    )


def test_rules_do_not_mix() -> None:
    with pytest.raises(ValueError, match="must share rule; found 'panopticapi' and 'din'"):
        count(facts_toy()) + count(facts_toy(), "din")


def test_renumbering_and_permuting_change_nothing() -> None:
    truth, truth_instance, prediction, instance = random_maps(7)
    renumber = np.array([0, 900, 40_000, 17, 65_535], np.uint16)
    order = np.random.default_rng(0).permutation(truth.size)
    moved = tuple(m.ravel()[order] for m in (truth, renumber[truth_instance], prediction, renumber[instance]))
    for rule in ("panopticapi", "din"):
        assert count(moved, rule) == count((truth, truth_instance, prediction, instance), rule)


def test_predictions_in_void_never_match_whatever_they_say() -> None:
    truth, truth_instance, prediction, instance = facts_toy()
    prediction[5:, 14:], instance[5:, 14:] = 255, 0
    assert count((truth, truth_instance, prediction, instance)) == count(facts_toy())


def test_stuff_is_one_segment_and_a_thing_without_number_is_a_crowd_or_nothing() -> None:
    truth = np.array([[0, 0, 1, 1, 1, 1]], np.uint8)
    truth_instance = np.array([[4, 5, 0, 0, 9, 9]], np.uint16)
    overlaps = overlap_maps(truth, truth_instance, truth, truth_instance, things=THINGS)
    assert overlaps.truth_labels_T.tolist() == [0, 1, 1] and overlaps.crowd_T.tolist() == [False, True, False]
    assert overlaps.truth_areas_T.tolist() == [2, 2, 2]
    assert overlaps.labels_P.tolist() == [0, 1] and overlaps.instances_P.tolist() == [0, 9]
    assert overlaps.shared_TP.tolist() == [[2, 0], [0, 0], [0, 2]]


def test_a_prediction_mostly_in_a_crowd_is_forgiven_by_panopticapi_only() -> None:
    truth = np.ones((1, 8), np.uint8)
    truth_instance = np.array([[0, 0, 0, 1, 1, 1, 1, 1]], np.uint16)
    instance = np.array([[5, 5, 5, 5, 6, 6, 6, 6]], np.uint16)
    maps = (truth, truth_instance, truth, instance)
    assert count(maps).false_C.tolist() == [0, 0, 0] and count(maps, "din").false_C.tolist() == [0, 1, 0]
    assert count(maps).matched_C.tolist() == count(maps, "din").matched_C.tolist() == [0, 1, 0]


@PROPERTY
@given(seed=st.integers(0, 100_000))
def test_masks_and_maps_give_one_table(seed: int) -> None:
    truth, truth_instance, prediction, instance = random_maps(seed)
    predicted = segments(prediction, instance, crowds=False)
    by_map = overlap_maps(truth, truth_instance, prediction, instance, things=THINGS)
    by_mask = overlap_masks(
        truth, truth_instance, [m for _, m, _ in predicted], [c for c, _, _ in predicted], things=THINGS
    )
    for name in ("shared_TP", "truth_labels_T", "truth_areas_T", "crowd_T", "labels_P", "areas_P", "void_P"):
        np.testing.assert_array_equal(getattr(by_mask, name), getattr(by_map, name), err_msg=name)


def test_masks_may_overlap_and_may_be_none() -> None:
    truth, truth_instance, *_ = facts_toy()
    masks = np.ones((2, 10, 20), bool)
    overlaps = overlap_masks(truth, truth_instance, masks, [1, 1], things=THINGS)
    assert overlaps.shared_TP.tolist() == [[100, 100], [40, 40], [30, 30]]
    assert overlaps.areas_P.tolist() == [200, 200] and overlaps.void_P.tolist() == [30, 30]
    none = overlap_masks(truth, truth_instance, masks[:0], [], things=THINGS)
    assert none.shared_TP.shape == (3, 0) and none.truth_areas_T.tolist() == [100, 40, 30]


def test_empty_images_and_all_void() -> None:
    void, zero = np.full((3, 4), 255, np.uint8), np.zeros((3, 4), np.uint16)
    for maps in [(void, zero, void, zero), tuple(m[:0] for m in (void, zero, void, zero))]:
        assert count(maps) == PanopticCounts.zero(num_classes=3)
    assert count((void, zero, np.zeros_like(void), zero)).false_C.tolist() == [0, 0, 0]
    assert count((void, zero, np.zeros_like(void), zero), "din").false_C.tolist() == [1, 0, 0]
    assert all(math.isnan(v) for v in panoptic_scores(PanopticCounts.zero(num_classes=3), things=THINGS).values())


def test_strange_maps_are_refused() -> None:
    truth, truth_instance, prediction, instance = facts_toy()
    with pytest.raises(ValueError, match="labels must be below 2 or void; found 2"):
        panoptic_counts(overlap_maps(*facts_toy(), things=THINGS), num_classes=2)
    with pytest.raises(ValueError, match="instances must be 0 to 16777215; found -1"):
        overlap_maps(truth, truth_instance.astype(np.int32) - 1, prediction, instance, things=THINGS)
    with pytest.raises(ValueError, match="one shape"):
        overlap_maps(truth, truth_instance, prediction[:5], instance[:5], things=THINGS)
    with pytest.raises(ValueError, match="'panopticapi' or 'din'; found 'coco'"):
        count(facts_toy(), "coco")
    with pytest.raises(ValueError, match="1 masks and 2 labels"):
        overlap_masks(truth, truth_instance, np.ones((1, 10, 20), bool), [1, 1], things=THINGS)
