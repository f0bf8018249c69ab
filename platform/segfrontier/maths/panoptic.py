"""Panoptic quality: PQ = SQ x RQ (Kirillov et al., CVPR 2019), as sums over a data set.

Letters: C class, T true segment, P predicted segment. Two named rules, both matching at IoU > 0.5 within a class:
`panopticapi`, the reference evaluator: void pixels leave the union; an unmatched prediction that lies by more than half
in void or in its class's crowd is forgiven; a crowd is never matched and never missed.
`din`, the code of paper 002: void and crowd pixels are cut out of the predictions first, and whatever is then unmatched
is a false positive, even a prediction with nothing left.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from segfrontier.maths.checks import class_indices, require_at_least, require_word
from segfrontier.maths.overlaps import Overlaps
from segfrontier.maths.ratio import Floats, known_mean, ratio
from segfrontier.maths.tally import Summed, Tally

PanopticRule = Literal["panopticapi", "din"]

_UNIT = 2.0**-40


@dataclass(frozen=True, kw_only=True, eq=False)
class PanopticCounts(Tally):
    """Matches, false positives and misses of each class, and the matches' summed IoU.

    The IoUs are whole multiples of 2^-40, because integers, unlike floats, add up to the same in any order.
    """

    rule: PanopticRule
    matched_C: Summed
    false_C: Summed
    missed_C: Summed
    iou_units_C: Summed

    @classmethod
    def zero(cls, *, num_classes: int, rule: PanopticRule = "panopticapi") -> Self:
        """Nothing counted yet."""
        require_word("rule", rule, PanopticRule)
        none = np.zeros(num_classes, np.int64)
        return cls(rule=rule, matched_C=none, false_C=none, missed_C=none, iou_units_C=none)


def panoptic_counts(overlaps: Overlaps, *, num_classes: int, rule: PanopticRule = "panopticapi") -> PanopticCounts:
    """Count one image whose predicted segments do not overlap one another (`overlap_maps`)."""
    require_word("rule", rule, PanopticRule)
    require_at_least("num_classes", num_classes, 1)
    crowd_T, labels_P, truth_labels_T = overlaps.crowd_T, overlaps.labels_P, overlaps.truth_labels_T
    overlaps.require_labels_below(num_classes)
    same_TP = overlaps.same_class_TP
    iou_TP = overlaps.iou_without_void(crowd_is_void=rule == "din")
    match_TP = (iou_TP > 0.5) & same_TP & ~crowd_T[:, None]
    wrong_P = ~match_TP.any(axis=0)
    if rule == "panopticapi":
        excused_P = overlaps.void_P + (overlaps.shared_TP * (same_TP & crowd_T[:, None])).sum(axis=0)
        wrong_P &= 2 * excused_P <= overlaps.areas_P
    missed_T = ~match_TP.any(axis=1) & ~crowd_T
    rows, columns = np.nonzero(match_TP)
    units = np.zeros(num_classes, np.int64)
    np.add.at(units, truth_labels_T[rows], np.rint(iou_TP[rows, columns] / _UNIT).astype(np.int64))
    return PanopticCounts(
        rule=rule,
        matched_C=np.bincount(truth_labels_T[rows], minlength=num_classes),
        false_C=np.bincount(labels_P[wrong_P], minlength=num_classes),
        missed_C=np.bincount(truth_labels_T[missed_T], minlength=num_classes),
        iou_units_C=units,
    )


@dataclass(frozen=True, kw_only=True)
class PanopticQuality:
    """PQ, SQ and RQ of each class; NaN for a class with no segment in either map (SQ is 0 without a match)."""

    pq_C: Floats
    sq_C: Floats
    rq_C: Floats


def panoptic_quality(counts: PanopticCounts) -> PanopticQuality:
    """PQ = summed IoU / (matches + half the false positives + half the misses), and its two factors."""
    segments_C = counts.matched_C + 0.5 * counts.false_C + 0.5 * counts.missed_C
    iou_C = counts.iou_units_C * _UNIT
    sq_C = np.where(segments_C > 0, np.nan_to_num(ratio(iou_C, counts.matched_C)), np.nan)
    return PanopticQuality(pq_C=ratio(iou_C, segments_C), sq_C=sq_C, rq_C=ratio(counts.matched_C, segments_C))


def panoptic_scores(counts: PanopticCounts, *, things: Collection[int]) -> dict[str, float]:
    """The scores by name, over all classes, things and stuff: means over the classes that have segments.

    Under the `din` rule the names end in `_din`.
    """
    quality = panoptic_quality(counts)
    everything = range(len(counts.matched_C))
    things = class_indices("things", things, len(everything))
    groups: dict[str, Sequence[int]] = {
        "": everything,
        "_things": [c for c in everything if c in things],
        "_stuff": [c for c in everything if c not in things],
    }
    suffix = "" if counts.rule == "panopticapi" else f"_{counts.rule}"
    values = {"pq": quality.pq_C, "sq": quality.sq_C, "rq": quality.rq_C}
    return {
        f"{name}{group}{suffix}": known_mean(values_C[list(classes)])
        for name, values_C in values.items()
        for group, classes in groups.items()
    }
