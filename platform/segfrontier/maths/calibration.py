"""Expected calibration error: how far stated confidence is from accuracy (Guo et al., ICML 2017), as mergeable bins.

Letters: B bin; bin b of n holds confidences in (b / n, (b + 1) / n], the first one also 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import require_at_least, require_same_shape
from segfrontier.maths.labels import Labels
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
    require_at_least("num_bins", num_bins, 1)
    require_same_shape(truth, prediction)
    require_same_shape(truth, confidence)
    low, high = confidence.min(initial=1), confidence.max(initial=0)
    if not (low >= 0 and high <= 1):
        raise ValueError(f"confidences must be in [0, 1]; found {low} to {high}; apply softmax to logits first")
    # Cell 0 holds the void pixels, cells 2b - 1 and 2b the right and the wrong answers of bin b, counted from 1. One
    # large buffer is used twice: making it costs more than the arithmetic.
    buffer = np.multiply(confidence, num_bins, dtype=np.float64)
    cells = np.ceil(buffer, out=buffer).astype(np.int64)
    np.maximum(cells, 1, out=cells)
    cells *= 2
    cells -= prediction == truth
    cells[truth == void] = 0
    units = np.rint(np.multiply(confidence, 1 / _UNIT, out=buffer, dtype=np.float64), out=buffer)
    counts_B2 = np.bincount(cells.ravel(), minlength=2 * num_bins + 1)[1:].reshape(num_bins, 2)
    units_B2 = np.bincount(cells.ravel(), weights=units.ravel(), minlength=2 * num_bins + 1)[1:].reshape(num_bins, 2)
    return Calibration(
        count_B=counts_B2.sum(axis=1),
        right_B=counts_B2[:, 0].copy(),
        confidence_units_B=units_B2.sum(axis=1).astype(np.int64),
    )


def expected_calibration_error(counts: Calibration) -> float:
    """The mean gap between accuracy and confidence, bin by bin weighted by count; NaN with nothing counted."""
    accuracy_B, confidence_B = reliability(counts)
    gaps_B = np.nan_to_num(np.abs(accuracy_B - confidence_B))
    return float(ratio((gaps_B * counts.count_B).sum(), counts.count_B.sum()))


def reliability(counts: Calibration) -> tuple[Floats, Floats]:
    """Accuracy and mean confidence of each bin, NaN for an empty one: the reliability diagram."""
    return ratio(counts.right_B, counts.count_B), ratio(counts.confidence_units_B * _UNIT, counts.count_B)
