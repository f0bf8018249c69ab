"""A loss that does not mind how instances are numbered (paper 002; Arnab and Torr, CVPR 2017).

True instances are matched, class by class, to the predicted ones that they overlap most: the assignment of the largest
summed IoU. What is left over of the truth is void, as is one that no prediction meets at all. A class of stuff has one
label, which needs no matching. Letters: L predicted label, T true instance, H W image size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_same_shape
from segfrontier.maths.ratio import ratio

UNMATCHED = -1
"""The target of pixels that teach nothing."""


def permuted_targets(
    predicted_HW: NDArray[np.integer[Any]],
    classes_L: Sequence[int],
    truth_HW: NDArray[np.integer[Any]],
    instance_HW: NDArray[np.integer[Any]],
    *,
    things: Sequence[int],
) -> NDArray[np.int64]:
    """(H, W) for each pixel the predicted label that it should have, or `UNMATCHED`.

    `predicted_HW` holds the likeliest label of each pixel, `classes_L` the class of each label. Pixels of void, of a
    crowd (a thing of instance 0), and of classes that no label has, are unmatched, and count for no IoU.
    """
    for other in (truth_HW, instance_HW):
        require_same_shape(predicted_HW, other)
    targets = np.full(predicted_HW.shape, UNMATCHED, np.int64)
    classes = np.asarray(classes_L, np.int64)
    for label in np.unique(classes).tolist():
        of_class = truth_HW == label
        own_L = np.flatnonzero(classes == label)
        if label not in things:
            targets[of_class] = own_L[0]
            continue
        for number, chosen in _matched(predicted_HW, own_L, np.where(of_class, instance_HW, 0), truth_HW != 255):
            targets[of_class & (instance_HW == number)] = chosen
    return targets


def _matched(
    predicted_HW: NDArray[np.integer[Any]],
    own_L: NDArray[np.int64],
    instance_HW: NDArray[np.integer[Any]],
    known_HW: NDArray[np.bool_],
) -> list[tuple[int, int]]:
    """(true instance, predicted label) of one class."""
    numbers_T = np.unique(instance_HW[instance_HW > 0])
    row = np.searchsorted(numbers_T, instance_HW)
    is_true, is_own = instance_HW > 0, np.isin(predicted_HW, own_L)
    column = np.searchsorted(own_L, np.where(is_own, predicted_HW, own_L[0]))
    both = is_true & is_own
    shape = (len(numbers_T), len(own_L))
    shared = np.bincount(row[both] * shape[1] + column[both], minlength=shape[0] * shape[1]).reshape(shape)
    true_T = np.bincount(row[is_true], minlength=shape[0])
    own = np.bincount(column[is_own & known_HW], minlength=shape[1])
    iou_TL = np.nan_to_num(ratio(shared, true_T[:, None] + own[None] - shared))
    rows, columns = linear_sum_assignment(iou_TL, maximize=True)
    return [(int(numbers_T[t]), int(own_L[c])) for t, c in zip(rows, columns, strict=True) if iou_TL[t, c] > 0]


def matched_cross_entropy(scores_LHW: Tensor, targets_HW: Tensor) -> tuple[Tensor, Tensor]:
    """The summed cross-entropy of the matched pixels, and their number. 0 of none, with a gradient of zero."""
    require_axes("scores", scores_LHW, "LHW")
    count = (targets_HW != UNMATCHED).sum()
    if not len(scores_LHW):
        return scores_LHW.sum(), count
    loss = F.cross_entropy(scores_LHW[None], targets_HW[None], ignore_index=UNMATCHED, reduction="sum")
    return loss, count
