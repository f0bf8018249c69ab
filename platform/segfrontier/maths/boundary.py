"""Boundary IoU (Cheng et al., CVPR 2021): the IoU of the bands along class borders, as sums over a data set.

Letters: C class, H W image size. A class's band is every pixel of the class within d pixels (chessboard distance) of a
pixel that is not of the class, where outside the image is not of any class; d = 0.02 of the image's diagonal.

Void truth never counts: there the prediction is void too before its band is drawn, so that a prediction which is right
on all labelled pixels scores 1 whatever it says elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import require_at_least, require_axes, require_same_shape
from segfrontier.maths.iou import Absent, class_mean
from segfrontier.maths.labels import BYTE_VOID, Labels, as_bytes, joint_table, require_known
from segfrontier.maths.ratio import Floats, ratio
from segfrontier.maths.tally import Summed, Tally


@dataclass(frozen=True, kw_only=True, eq=False)
class BoundaryCounts(Tally):
    """Band pixels of each class: in both maps, in the truth, in the prediction."""

    both_C: Summed
    truth_C: Summed
    prediction_C: Summed

    @classmethod
    def zero(cls, *, num_classes: int) -> Self:
        """Nothing counted yet."""
        none = np.zeros(num_classes, np.int64)
        return cls(both_C=none, truth_C=none, prediction_C=none)


def boundary_counts(
    truth_HW: Labels, prediction_HW: Labels, *, num_classes: int, dilation_ratio: float = 0.02, void: int = 255
) -> BoundaryCounts:
    """Count the bands of one image."""
    require_axes("the truth", truth_HW, "HW")
    require_same_shape(truth_HW, prediction_HW)
    require_at_least("dilation_ratio", dilation_ratio, 0)
    truth_bytes_HW = as_bytes(truth_HW, void=void)
    bytes_HW = np.where(truth_bytes_HW == BYTE_VOID, np.uint8(BYTE_VOID), as_bytes(prediction_HW, void=void))
    height, width = truth_HW.shape
    reach = max(1, round(dilation_ratio * math.sqrt(height**2 + width**2)))
    table = joint_table(bands(truth_bytes_HW, reach=reach), bands(bytes_HW, reach=reach))
    truth_C, prediction_C = table.sum(axis=1), table.sum(axis=0)
    require_known(truth_C, what="truth", num_classes=num_classes)
    require_known(prediction_C, what="prediction", num_classes=num_classes)
    return BoundaryCounts(
        both_C=table.diagonal()[:num_classes].copy(),
        truth_C=truth_C[:num_classes],
        prediction_C=prediction_C[:num_classes],
    )


def bands(labels_HW: NDArray[np.uint8], *, reach: int) -> NDArray[np.uint8]:
    """The bands of all classes at once: the labels, with 255 wherever a pixel is in no band."""
    if not labels_HW.size:
        return labels_HW
    # A window holds one class alone if its lowest and its highest label are equal; outside the image counts as 255.
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    lowest_HW = cv2.erode(labels_HW, window)
    highest_HW = cv2.dilate(labels_HW, window, borderType=cv2.BORDER_CONSTANT, borderValue=(BYTE_VOID,) * 4)
    return np.where(lowest_HW == highest_HW, np.uint8(BYTE_VOID), labels_HW)


def boundary_iou_per_class(counts: BoundaryCounts) -> Floats:
    """The IoU of each class's bands; NaN for a class in neither truth nor prediction."""
    return ratio(counts.both_C, counts.truth_C + counts.prediction_C - counts.both_C)


def mean_boundary_iou(counts: BoundaryCounts, *, absent: Absent, classes: Sequence[int] | None = None) -> float:
    """The mean over all classes, or over `classes`; the policies are those of `mean_iou`."""
    return class_mean(boundary_iou_per_class(counts), in_truth_C=counts.truth_C > 0, absent=absent, classes=classes)


def boundary_scores(counts: BoundaryCounts, *, absent: Absent) -> dict[str, float]:
    """The score by name; the name carries the policy."""
    return {f"boundary_miou_{absent}": mean_boundary_iou(counts, absent=absent)}
