"""Where a classifier sees a class (Grad-CAM), and seeds from it: paper 002, section 3.3.

A map is ReLU(sum_k w_k A_k) with w_k the mean gradient of the class's logit (not of its sigmoid) with respect to the
activations A_k. Nothing is subtracted: a threshold at half of the maximum means half of the evidence. Behind global
average pooling and one linear layer the gradient is the same everywhere, so that w_k is the layer's weight divided by
the number of cells, and no gradient need be computed.

Letters: C channel, K class, h w the activations' own grid, H W image size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_within

VOID = 255


def grad_cam(activations_Chw: Tensor, gradients_Chw: Tensor) -> Tensor:
    """(h, w) evidence for a class, of what its logit's gradient is given; 0 where nothing speaks for it."""
    require_axes("activations", activations_Chw, "Chw")
    if gradients_Chw.shape != activations_Chw.shape:
        raise ValueError(
            f"a gradient must have its activations' shape {tuple(activations_Chw.shape)}; found "
            f"{tuple(gradients_Chw.shape)}; give what belongs together"
        )
    return (gradients_Chw.mean(dim=(1, 2))[:, None, None] * activations_Chw).sum(0).relu()


def linear_cam(activations_Chw: Tensor, weight_KC: Tensor) -> Tensor:
    """(K, h, w) the same for all classes of a linear layer behind global average pooling."""
    require_axes("activations", activations_Chw, "Chw")
    require_axes("the layer's weight", weight_KC, "KC")
    cells = activations_Chw.shape[1] * activations_Chw.shape[2]
    return ((weight_KC / cells) @ activations_Chw.flatten(1)).view(-1, *activations_Chw.shape[1:]).relu()


def cam_masks(cams_KHW: NDArray[np.floating[Any]], *, share: float) -> NDArray[np.bool_]:
    """(K, H, W) where a map reaches `share` of its own maximum; nowhere of one that is 0 everywhere."""
    require_axes("maps", cams_KHW, "KHW")
    require_within("the share of the maximum", share, 0, 1)
    most_K11 = cams_KHW.max(axis=(1, 2), keepdims=True)
    masks: NDArray[np.bool_] = (cams_KHW >= share * most_K11) & (cams_KHW > 0)
    return masks


class PlacedMask(NamedTuple):
    """Where a class is seen in a window of an image, the first pixel of which is at (y, x) `corner`."""

    mask_hw: NDArray[np.bool_]
    label: int
    corner: tuple[int, int] = (0, 0)


def smaller_wins(masks: Sequence[PlacedMask], *, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) the label of the mask that covers a pixel; of several, of the mask of the smallest area. Void elsewhere.

    Areas are those of each mask alone, before any overlap is settled; of equal ones, the first in order wins.
    """
    seeds_HW = np.full(size, VOID, np.uint8)
    # The smallest is laid on last; of equal ones, the first.
    for place in np.argsort([np.count_nonzero(one.mask_hw) for one in masks], kind="stable")[::-1]:
        mask_hw, label, (y, x) = masks[place]
        height, width = mask_hw.shape
        require_within("a mask's place in the image", y, 0, size[0] - height)
        require_within("a mask's place in the image", x, 0, size[1] - width)
        seeds_HW[y : y + height, x : x + width][mask_hw] = label
    return seeds_HW
