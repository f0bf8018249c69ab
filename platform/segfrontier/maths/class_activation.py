"""Where a classifier sees a class (Grad-CAM), and seeds from it: paper 002, section 3.3.

A map is ReLU(sum_k w_k A_k) with w_k the mean gradient of the class's logit (not of its sigmoid) with respect to the
activations A_k. Nothing is subtracted: a threshold at half of the maximum means half of the evidence. Behind global
average pooling and one linear layer the gradient is the same everywhere, so that w_k is the layer's weight divided by
the number of cells, and no gradient need be computed.

Letters: C channel, K class, h w the activations' own grid, H W image size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_same_length, require_within

VOID = 255


def grad_cam(activations_Chw: Tensor, gradients_Chw: Tensor) -> Tensor:
    """(h, w) evidence for a class, of what its logit's gradient is given; 0 where nothing speaks for it."""
    require_axes("activations", activations_Chw, "Chw")
    if gradients_Chw.shape != activations_Chw.shape:
        raise ValueError(
            f"a gradient must have its activations' shape {tuple(activations_Chw.shape)}; found "
            f"{tuple(gradients_Chw.shape)}; give what belongs together"
        )
    return torch.einsum("c,chw->hw", gradients_Chw.mean(dim=(1, 2)), activations_Chw).relu()


def linear_cam(activations_Chw: Tensor, weight_KC: Tensor) -> Tensor:
    """(K, h, w) the same for all classes of a linear layer behind global average pooling."""
    require_axes("activations", activations_Chw, "Chw")
    require_axes("the layer's weight", weight_KC, "KC")
    cells = activations_Chw.shape[1] * activations_Chw.shape[2]
    return torch.einsum("kc,chw->khw", weight_KC / cells, activations_Chw).relu()


def cam_masks(cams_KHW: NDArray[np.floating[Any]], *, share: float) -> NDArray[np.bool_]:
    """(K, H, W) where a map reaches `share` of its own maximum; nowhere of one that is 0 everywhere."""
    require_axes("maps", cams_KHW, "KHW")
    require_within("the share of the maximum", share, 0, 1)
    most_K11 = cams_KHW.max(axis=(1, 2), keepdims=True)
    masks: NDArray[np.bool_] = (cams_KHW >= share * most_K11) & (cams_KHW > 0)
    return masks


def smaller_wins(masks_KHW: NDArray[np.bool_], *, labels: list[int]) -> NDArray[np.uint8]:
    """(H, W) the label of the mask that covers a pixel; of several, of the mask of the smallest area. Void elsewhere.

    Areas are those before any overlap is settled; of equal ones, the first label wins.
    """
    require_axes("masks", masks_KHW, "KHW")
    require_same_length("masks and labels", masks_KHW, labels)
    seeds_HW = np.full(masks_KHW.shape[1:], VOID, np.uint8)
    areas_K = masks_KHW.sum(axis=(1, 2))
    for place in np.argsort(areas_K, kind="stable")[::-1]:
        seeds_HW[masks_KHW[place]] = labels[place]
    return seeds_HW
