"""Mean field of a fully connected CRF (paper 002; Krähenbühl and Koltun 2011), differentiable, for many labels.

Every pixel is tied to every other by two kernels: near pixels, and near pixels of like colour. A round adds to each
pixel's scores what the kernels bring it of the others' probabilities; pixels bring themselves something too, as in the
public layers. Two normalisations are in use and differ in the result: `after` divides a message by the filter's answer
to ones (caffe-tvg, CRF-RNN), `symmetric` by the roots of that answer before and after (pydensecrf).

The near pixels' kernel is separable. The other goes through the permutohedral lattice, which is an approximation: on
photographs nineteen pixels of twenty are within 0.1 in probability of all pairs of pixels (`by="exact"`, for tests and
small images), as they are with pydensecrf.

Letters: L label, H W image size, N pixel, F feature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_positive,
    require_shape,
    require_word,
)
from segfrontier.maths.dense_crf_near import gaussian_blur, near_kernel
from segfrontier.maths.permutohedral import Lattice

CrfNormalisation = Literal["after", "symmetric"]
Filtering = Literal["lattice", "exact"]
_TINY = 1e-20
_PIXELS_EXACT = 20_000


@dataclass(frozen=True, kw_only=True)
class DenseCRF:
    """Rounds, and of either kernel the weight and the widths, in pixels and in grey levels of 0 to 255."""

    iterations: int
    spatial_weight: float
    spatial_xy: float
    bilateral_weight: float
    bilateral_xy: float
    bilateral_rgb: float
    normalisation: CrfNormalisation

    def __post_init__(self) -> None:
        require_at_least("iterations of the CRF", self.iterations, 0)
        for name in ("spatial_weight", "bilateral_weight"):
            require_at_least(f"{name} of the CRF", getattr(self, name), 0)
        for name in ("spatial_xy", "bilateral_xy", "bilateral_rgb"):
            require_positive(f"{name} of the CRF", getattr(self, name))
        require_word("the CRF's normalisation", self.normalisation, CrfNormalisation)


_WIDTHS = {
    "spatial_weight": 3.0,
    "spatial_xy": 3.0,
    "bilateral_weight": 4.0,
    "bilateral_xy": 49.0,
    "bilateral_rgb": 5.0,
}
# The public run_densecrf.sh, and the layer of the dynamically instantiated network.
DEEPLAB = DenseCRF(iterations=10, **_WIDTHS, normalisation="symmetric")
DIN = DenseCRF(iterations=3, **_WIDTHS, normalisation="after")

Filter = Callable[[Tensor], Tensor]


def mean_field(
    unary_LHW: Tensor,
    image_3HW: Tensor,
    crf: DenseCRF,
    *,
    compat_LL: Tensor | None = None,
    by: Filtering = "lattice",
) -> Tensor:
    """(L, H, W) scores after the last round, un-normalised: their softmax over L is the marginal.

    `unary_LHW` are scores (logits or log-probabilities: minus an energy), `image_3HW` grey levels of 0 to 255.
    `compat_LL[l, m]` is what a neighbour of label m takes from label l (Potts: -1 where both are one). Gradients reach
    the unary and `compat_LL`, not the image.
    """
    require_word("by", by, Filtering)
    require_axes("the unary", unary_LHW, "LHW")
    require_at_least("every side of the unary", min(unary_LHW.shape), 1)
    labels, height, width = unary_LHW.shape
    require_shape("the image", image_3HW, (3, height, width))
    if compat_LL is not None:
        require_shape("the compatibility", compat_LL, (labels, labels))
    rounds = _kernels(image_3HW.to(unary_LHW), crf, by=by)
    scores_LHW = unary_LHW
    for _ in range(crf.iterations):
        q_LHW = scores_LHW.softmax(0)
        message_LHW = sum((kernel(q_LHW) for kernel in rounds), torch.zeros_like(q_LHW))
        if compat_LL is not None:
            message_LHW = torch.einsum("lm,mhw->lhw", -compat_LL, message_LHW)
        scores_LHW = unary_LHW + message_LHW
    return scores_LHW


def _kernels(image_3HW: Tensor, crf: DenseCRF, *, by: Filtering) -> list[Filter]:
    """Each kernel that weighs anything, normalised and weighed: a linear map of (L, H, W)."""
    _, height, width = image_3HW.shape
    if by == "exact" and height * width > _PIXELS_EXACT:
        raise ValueError(
            f"the exact CRF must have at most {_PIXELS_EXACT} pixels; found {height * width}; filter by the lattice"
        )
    found: list[Filter] = []
    if crf.spatial_weight:
        near: Filter = partial(gaussian_blur, sigma=crf.spatial_xy)
        if by == "exact":
            near = _all_pairs(near_kernel((height, width), sigma=crf.spatial_xy, like=image_3HW))
        ones_1HW = torch.ones_like(image_3HW[:1])
        before, after = _normalisers(near(ones_1HW), crf.spatial_weight, crf.normalisation)
        found.append(lambda q_LHW: near(q_LHW if before is None else q_LHW * before) * after)
    if crf.bilateral_weight:
        grid_2HW = torch.stack(torch.meshgrid(*(torch.arange(n).to(image_3HW) for n in (height, width)), indexing="ij"))
        features_NF = torch.cat([grid_2HW / crf.bilateral_xy, image_3HW / crf.bilateral_rgb]).flatten(1).T.contiguous()
        found.append(_alike(features_NF, (height, width), crf, by=by))
    return found


def _alike(features_NF: Tensor, size: tuple[int, int], crf: DenseCRF, *, by: Filtering) -> Filter:
    """The kernel of near pixels of like colour. The lattice takes the norm and the weight into its shares."""
    ones_N1 = torch.ones_like(features_NF[:, :1])
    if by == "exact":
        # The matrix product's shortcut to distances loses the small ones.
        distances_NN = torch.cdist(features_NF, features_NF, compute_mode="donot_use_mm_for_euclid_dist")
        kernel_NN = (distances_NN.square() / -2).exp()
        before, after = _normalisers(kernel_NN @ ones_N1, crf.bilateral_weight, crf.normalisation)
        return _all_pairs(kernel_NN * after * (1 if before is None else before.T))
    lattice = Lattice.of(features_NF)
    before, after = _normalisers(lattice.filter(ones_N1), crf.bilateral_weight, crf.normalisation)
    lattice = lattice.weighed(before=before, after=after)
    return lambda q_LHW: lattice.filter(q_LHW.flatten(1).T.contiguous()).T.reshape(-1, *size)


def _normalisers(norm: Tensor, weight: float, normalisation: CrfNormalisation) -> tuple[Tensor | None, Tensor]:
    """What multiplies a map before it is filtered, and after."""
    if normalisation == "after":
        return None, weight / (norm + _TINY)
    root = (norm + _TINY).rsqrt()
    return root, root * weight


def _all_pairs(kernel_NN: Tensor) -> Filter:
    return lambda q_LHW: (q_LHW.flatten(1) @ kernel_NN.T).view_as(q_LHW)
