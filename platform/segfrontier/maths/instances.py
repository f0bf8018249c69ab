"""AP^r (Hariharan et al., ECCV 2014): average precision of scored instance masks, as mergeable lists of hits.

Letters: C class, P predicted segment, I IoU threshold. What counts as a hit, and how the precision-recall curve becomes
one number, is a named convention; `matching` tells the former. `din` adds up the precision at each hit over the
number of true segments; `voc` takes the area under the curve's envelope; `cityscapes` joins equal scores into one point
and takes the area by trapezoids. Under `voc` it is a choice of its own what becomes of a prediction that lies wholly in
void or crowds (`in_void`); the others have their rule for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import class_indices, require_at_least, require_word
from segfrontier.maths.curves import Area, curve_area, precision_recall
from segfrontier.maths.matching import CITYSCAPES_MIN_PIXELS, Convention, InVoid, match
from segfrontier.maths.overlaps import Overlaps
from segfrontier.maths.ratio import Floats, known_mean
from segfrontier.maths.tally import JoinedFloats, JoinedInts, Summed, Tally

Ranking = Literal["score", "oracle"]

VOC_THRESHOLDS = tuple(i / 10 for i in range(1, 10))
"""AP^r_vol on VOC: 0.1 to 0.9."""

CITYSCAPES_THRESHOLDS = tuple(i / 100 for i in range(50, 100, 5))
"""AP^r_vol on Cityscapes: 0.5 to 0.95. Never average the two definitions."""


@dataclass(frozen=True, kw_only=True, eq=False)
class InstanceHits(Tally):
    """Every prediction with its score and, at each threshold, how many hits and how many false positives it is.

    (More than one only under `cityscapes` below 0.5; `min_pixels` matters there alone, `in_void` under `voc`.)
    `order_P` breaks ties between equal scores: give each image its place in the data set, and the result does not
    depend on how it was cut.
    """

    convention: Convention
    thresholds: tuple[float, ...]
    min_pixels: int
    labels_P: JoinedInts
    scores_P: JoinedFloats
    order_P: JoinedInts
    hits_PI: JoinedInts
    false_PI: JoinedInts
    positives_C: Summed
    in_void: InVoid = "forgotten"

    @classmethod
    def zero(
        cls,
        *,
        num_classes: int,
        convention: Convention,
        thresholds: Sequence[float],
        min_pixels: int = CITYSCAPES_MIN_PIXELS,
        in_void: InVoid = "forgotten",
    ) -> Self:
        """No prediction and no truth yet."""
        _check_rules(num_classes, convention, thresholds, min_pixels, in_void)
        none_P, none_PI = np.zeros(0, np.int64), np.zeros((0, len(thresholds)), np.int64)
        return cls(
            convention=convention,
            thresholds=tuple(thresholds),
            min_pixels=min_pixels,
            labels_P=none_P,
            scores_P=np.zeros(0),
            order_P=none_P,
            hits_PI=none_PI,
            false_PI=none_PI,
            positives_C=np.zeros(num_classes, np.int64),
            in_void=in_void,
        )


def instance_hits(
    overlaps: Overlaps,
    scores_P: Sequence[float] | NDArray[Any],
    *,
    num_classes: int,
    convention: Convention,
    thresholds: Sequence[float],
    order: int = 0,
    min_pixels: int = CITYSCAPES_MIN_PIXELS,
    in_void: InVoid = "forgotten",
) -> InstanceHits:
    """Judge the predictions of one image; `min_pixels` matters under `cityscapes` alone.

    `in_void` is a choice of `voc`: a prediction that lies wholly in void or crowds is `forgotten`, as nobody can tell
    what it shows, or `false`, as every answer without a partner. (`din` always calls it false; `cityscapes` forgets
    what lies there by a larger share than the threshold.)
    """
    _check_rules(num_classes, convention, thresholds, min_pixels, in_void)
    scores_P = np.asarray(scores_P, np.float64)
    if scores_P.shape != overlaps.labels_P.shape or not np.isfinite(scores_P).all():
        raise ValueError(
            f"each of the {len(overlaps.labels_P)} predicted segments needs one finite score; found {scores_P}; "
            f"score them in the order of `labels_P`"
        )
    overlaps.require_labels_below(num_classes)
    hits_PI, false_PI, positive_T = match(
        overlaps,
        scores_P,
        convention=convention,
        thresholds=np.asarray(thresholds, np.float64),
        min_pixels=min_pixels,
        in_void=in_void,
    )
    kept_P = overlaps.areas_P > 0
    return InstanceHits(
        convention=convention,
        thresholds=tuple(thresholds),
        min_pixels=min_pixels,
        labels_P=overlaps.labels_P[kept_P],
        scores_P=scores_P[kept_P],
        order_P=np.full(kept_P.sum(), order, np.int64),
        hits_PI=hits_PI[kept_P],
        false_PI=false_PI[kept_P],
        positives_C=np.bincount(overlaps.truth_labels_T[positive_T], minlength=num_classes),
        in_void=in_void,
    )


def _check_rules(
    num_classes: int, convention: Convention, thresholds: Sequence[float], min_pixels: int, in_void: InVoid
) -> None:
    require_word("convention", convention, Convention)
    require_word("in_void", in_void, InVoid)
    require_at_least("num_classes", num_classes, 1)
    require_at_least("min_pixels", min_pixels, 0)
    if not len(thresholds) or not all(0 <= each < 1 for each in thresholds):
        raise ValueError(f"IoU thresholds, at least one, must lie in [0, 1); found {thresholds}; give e.g. (0.5,)")
    if in_void == "false" and convention != "voc":
        raise ValueError(f"in_void='false' is a choice of 'voc'; found {convention!r}, which has its own; leave it out")


def average_precision(hits: InstanceHits, *, ranking: Ranking = "score") -> Floats:
    """AP^r by (class, threshold); NaN for a class with no true segment, 0 for one with no prediction.

    The `oracle` ranking puts all hits first: the best that these masks could score (paper 002, table 6).
    """
    require_word("ranking", ranking, Ranking)
    return np.array(
        [
            [_one_average(hits, label, i, ranking) for i in range(len(hits.thresholds))]
            for label in range(len(hits.positives_C))
        ]
    )


def ap_vol(ap_CI: Floats, *, classes: Sequence[int] | None = None) -> float:
    """AP^r_vol: the mean over thresholds, then over the classes (or `classes`) that have true segments."""
    ap_C = ap_CI.mean(axis=1)
    return known_mean(ap_C if classes is None else ap_C[class_indices("classes", classes, len(ap_C))])


def instance_scores(
    hits: InstanceHits, *, classes: Sequence[int] | None = None, ranking: Ranking = "score"
) -> dict[str, float]:
    """AP^r_vol and AP^r at each threshold by name, e.g. `ap_vol_din` and `ap_50_din` (`.._din_oracle`).

    Where predictions in void are false by choice, the names end in `_voc_void_false`.
    """
    ap_CI = average_precision(hits, ranking=ranking)
    judged = hits.convention if hits.in_void == "forgotten" else f"{hits.convention}_void_{hits.in_void}"
    suffix = judged if ranking == "score" else f"{judged}_{ranking}"
    scores = {f"ap_vol_{suffix}": ap_vol(ap_CI, classes=classes)}
    for i, threshold in enumerate(hits.thresholds):
        scores[f"ap_{round(100 * threshold)}_{suffix}"] = ap_vol(ap_CI[:, i : i + 1], classes=classes)
    return scores


_AREAS: dict[Convention, tuple[Area, bool]] = {
    "din": ("steps", False),
    "voc": ("envelope", False),
    "cityscapes": ("trapezoids", True),
}


def _one_average(hits: InstanceHits, label: int, i: int, ranking: Ranking) -> float:
    positives = int(hits.positives_C[label])
    chosen = (hits.labels_P == label) & (hits.hits_PI[:, i] + hits.false_PI[:, i] > 0)
    hit, false = hits.hits_PI[chosen, i], hits.false_PI[chosen, i]
    scores = hits.scores_P[chosen] if ranking == "score" else (hit > 0).astype(np.float64)
    if not positives:
        return float("nan")
    area, join_ties = _AREAS[hits.convention]
    precision, recall = precision_recall(
        scores, hit, false, positives=positives, order=hits.order_P[chosen], join_ties=join_ties
    )
    return curve_area(precision, recall, area=area)
