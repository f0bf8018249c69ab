"""Expected calibration error: how far stated confidence is from accuracy (Guo et al., ICML 2017), as mergeable bins.

Letters: B bin; bin b of n holds confidences in (b / n, (b + 1) / n], the first one also 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.labels import Labels, require_same_shape
from segfrontier.maths.ratio import Floats, ratio
from segfrontier.maths.tally import Summed, Tally

_UNIT = 2.0**-24


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration(Tally):
    """Answers, right answers and summed confidence of each bin.

    Confidences are whole multiples of 2^-24 (float32's own step below 1), because integers, unlike floats, add up to
    the same in any order.
    """

    count_B: Summed
    right_B: Summed
    confidence_units_B: Summed

    @classmethod
    def zero(cls, *, num_bins: int = 15) -> Self:
        """Nothing counted yet."""
        none = np.zeros(num_bins, np.int64)
        return cls(count_B=none, right_B=none, confidence_units_B=none)


def calibration_counts(
    confidence: NDArray[np.floating[Any]],
    prediction: Labels,
    truth: Labels,
    *,
    num_bins: int = 15,
    void: int = 255,
) -> Calibration:
    """Count predictions, each with the probability it was given; arrays of one shape, void truth left out."""
    require_same_shape(truth, prediction)
    require_same_shape(truth, confidence)
    labelled = truth != void
    stated = confidence[labelled].astype(np.float64)
    if stated.size and not (stated.min() >= 0 and stated.max() <= 1):
        raise ValueError(
            f"confidences must be in [0, 1]; found {stated.min()} to {stated.max()}; apply softmax to logits first"
        )
    bins = np.maximum(np.ceil(stated * num_bins).astype(np.int64) - 1, 0)
    units = np.rint(stated / _UNIT)
    return Calibration(
        count_B=np.bincount(bins, minlength=num_bins),
        right_B=np.bincount(bins[prediction[labelled] == truth[labelled]], minlength=num_bins),
        confidence_units_B=np.bincount(bins, weights=units, minlength=num_bins).astype(np.int64),
    )


def expected_calibration_error(counts: Calibration) -> float:
    """The mean gap between accuracy and confidence, bin by bin weighted by count; NaN with nothing counted."""
    accuracy_B, confidence_B = reliability(counts)
    gaps_B = np.nan_to_num(np.abs(accuracy_B - confidence_B))
    return float(ratio((gaps_B * counts.count_B).sum(), counts.count_B.sum()))


def reliability(counts: Calibration) -> tuple[Floats, Floats]:
    """Accuracy and mean confidence of each bin, NaN for an empty one: the reliability diagram."""
    return ratio(counts.right_B, counts.count_B), ratio(counts.confidence_units_B * _UNIT, counts.count_B)
