"""Scores read from a confusion matrix: intersection over union, and the accuracies.

Letters: C class. What a class that occurs nowhere does to a mean is a policy, and part of the score's name:
`present` leaves out classes in neither truth nor prediction (ADVENT), `zero` counts them as 0 (s4GAN), `in_truth`
leaves out every class that the truth lacks, even where it was predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import class_indices, require_word
from segfrontier.maths.confusion import Confusion
from segfrontier.maths.ratio import Floats, known_mean, ratio

Absent = Literal["present", "zero", "in_truth"]


def iou_per_class(confusion: Confusion) -> Floats:
    """Intersection over union of each class; NaN for a class in neither truth nor prediction."""
    hits_C = confusion.counts_CC.diagonal()
    return ratio(hits_C, confusion.truth_C + confusion.prediction_C - hits_C)


def mean_iou(confusion: Confusion, *, absent: Absent, classes: Sequence[int] | None = None) -> float:
    """The mean IoU over all classes, or over `classes` of the same matrix (see also `restrict`)."""
    return class_mean(iou_per_class(confusion), in_truth_C=confusion.truth_C > 0, absent=absent, classes=classes)


def class_mean(
    values_C: Floats, *, in_truth_C: NDArray[np.bool_], absent: Absent, classes: Sequence[int] | None = None
) -> float:
    """The mean of values that are NaN for absent classes, under a policy; NaN where no class is left to average."""
    require_word("absent", absent, Absent)
    kept = range(len(values_C)) if classes is None else class_indices("classes", classes, len(values_C))
    values, in_truth = values_C[list(kept)], in_truth_C[list(kept)]
    if absent == "zero":
        values = np.nan_to_num(values, nan=0.0)
    elif absent == "in_truth":
        values = values[in_truth]
    return known_mean(values)


def pixel_accuracy(confusion: Confusion) -> float:
    """The share of labelled pixels that got their class; a void prediction is wrong."""
    return float(ratio(confusion.counts_CC.trace(), confusion.truth_C.sum()))


def accuracy_per_class(confusion: Confusion) -> Floats:
    """Recall: the share of each true class that got its class; NaN for a class that the truth lacks."""
    return ratio(confusion.counts_CC.diagonal(), confusion.truth_C)


def mean_accuracy(confusion: Confusion) -> float:
    """The mean of the per-class accuracies over the classes in the truth."""
    return class_mean(accuracy_per_class(confusion), in_truth_C=confusion.truth_C > 0, absent="in_truth")


def frequency_weighted_iou(confusion: Confusion) -> float:
    """The IoUs weighted by how often each class occurs in the truth."""
    truth_C = confusion.truth_C
    return float(ratio(np.nansum(truth_C * iou_per_class(confusion)), truth_C.sum()))


def semantic_scores(confusion: Confusion, *, absent: Absent) -> dict[str, float]:
    """The scores by name; the mean IoU's name carries the policy."""
    return {
        f"miou_{absent}": mean_iou(confusion, absent=absent),
        "pixel_accuracy": pixel_accuracy(confusion),
        "mean_accuracy": mean_accuracy(confusion),
        "frequency_weighted_iou": frequency_weighted_iou(confusion),
    }
