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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_positive,
    require_shape,
    require_word,
)
from segfrontier.maths.dense_crf_near import CrfNormalisation, Near, near_kernel
from segfrontier.maths.permutohedral import Lattice

Filtering = Literal["lattice", "exact"]
_TINY = 1e-20
_PIXELS_EXACT = 20_000
_FEW_LABELS = 32


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


class Kernel(Protocol):
    """A linear map of (L, H, W), normalised and weighed."""

    def into(self, found_LHW: Tensor, values_LHW: Tensor, *, beta: float, backwards: bool) -> None:
        """Make `found_LHW` `beta` times what it was, and what the values become by the map, or by its transpose."""


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
    kernels = _kernels(image_3HW.to(unary_LHW), crf, by=by)
    learning = torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in (unary_LHW, compat_LL))
    scores_LHW, q_LHW, message_LHW = unary_LHW, None, None
    for _ in range(crf.iterations if kernels else 0):
        # Gradients need each round's maps. Without them all rounds share two: new memory costs a CPU as much again.
        if learning:
            message_LHW = _Message.apply(scores_LHW.softmax(0), kernels, False)
        else:
            q_LHW = torch.softmax(scores_LHW, 0, out=q_LHW)
            message_LHW = _message(q_LHW, kernels, out=message_LHW)
        if compat_LL is not None:
            scores_LHW = unary_LHW + torch.einsum("lm,mhw->lhw", -compat_LL, message_LHW)
        else:
            scores_LHW = torch.add(unary_LHW, message_LHW, out=None if learning else message_LHW)
    return scores_LHW


def _message(
    values_LHW: Tensor, kernels: Sequence[Kernel], *, backwards: bool = False, out: Tensor | None = None
) -> Tensor:
    """What all kernels bring together, whatever the precision around: a matrix product here is an exact sum."""
    values_LHW = values_LHW.contiguous()
    out = torch.empty_like(values_LHW) if out is None else out
    with torch.autocast(values_LHW.device.type, enabled=False):
        for place, kernel in enumerate(kernels):
            kernel.into(out, values_LHW, beta=min(place, 1), backwards=backwards)
    return out


class _Message(torch.autograd.Function):
    """The kernels are linear: the gradient is the message the other way."""

    @staticmethod
    def forward(context: Any, values_LHW: Tensor, kernels: Sequence[Kernel], backwards: bool) -> Tensor:
        """The message."""
        context.other_way = kernels, not backwards
        return _message(values_LHW.detach(), kernels, backwards=backwards)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The message of the gradient."""
        return _Message.apply(gradients[0], *context.other_way), None, None


def _kernels(image_3HW: Tensor, crf: DenseCRF, *, by: Filtering) -> list[Kernel]:
    """Each kernel that weighs anything."""
    size = (image_3HW.shape[1], image_3HW.shape[2])
    if by == "exact" and size[0] * size[1] > _PIXELS_EXACT:
        raise ValueError(
            f"the exact CRF must have at most {_PIXELS_EXACT} pixels; found {size[0] * size[1]}; filter by the lattice"
        )
    found: list[Kernel] = []
    if crf.spatial_weight:
        sigma, weight = crf.spatial_xy, crf.spatial_weight
        if by == "exact":
            found.append(_AllPairs.of(near_kernel(size, sigma=sigma, like=image_3HW), weight, crf.normalisation))
        else:
            found.append(Near(sigma=sigma, weight=weight, rule=crf.normalisation))
    if crf.bilateral_weight:
        grid_2HW = torch.stack(torch.meshgrid(*(torch.arange(n).to(image_3HW) for n in size), indexing="ij"))
        features_NF = torch.cat([grid_2HW / crf.bilateral_xy, image_3HW / crf.bilateral_rgb]).flatten(1).T
        if by == "exact":
            # The matrix product's shortcut to distances loses the small ones.
            distances_NN = torch.cdist(features_NF, features_NF, compute_mode="donot_use_mm_for_euclid_dist")
            kernel_NN = (distances_NN.square() / -2).exp()
            found.append(_AllPairs.of(kernel_NN, crf.bilateral_weight, crf.normalisation))
        else:
            found.append(_Alike.of(features_NF, crf.bilateral_weight, crf.normalisation))
    return found


@dataclass(frozen=True, eq=False)
class _AllPairs:
    """A kernel as one matrix."""

    kernel_NN: Tensor

    @classmethod
    def of(cls, kernel_NN: Tensor, weight: float, rule: CrfNormalisation) -> _AllPairs:
        """Of a kernel that is neither normalised nor weighed."""
        before_N1, after_N1 = _normalisers(kernel_NN.sum(1, keepdim=True), weight, rule)
        return cls(kernel_NN * after_N1 * (1 if before_N1 is None else before_N1.T))

    def into(self, found_LHW: Tensor, values_LHW: Tensor, *, beta: float, backwards: bool) -> None:
        """As any kernel does."""
        kernel_NN = self.kernel_NN if backwards else self.kernel_NN.T
        found_LHW.flatten(1).addmm_(values_LHW.flatten(1), kernel_NN, beta=beta)


@dataclass(frozen=True, eq=False)
class _Alike:
    """The kernel of near pixels of like colour. The lattice takes the norm and the weight into its shares."""

    lattice: Lattice

    @classmethod
    def of(cls, features_NF: Tensor, weight: float, rule: CrfNormalisation) -> _Alike:
        """Features in units of the kernel's width."""
        lattice = Lattice.of(features_NF)
        before_N1, after_N1 = _normalisers(lattice.run(torch.ones_like(features_NF[:, :1])), weight, rule)
        return cls(lattice.weighed(before=before_N1, after=after_N1))

    def into(self, found_LHW: Tensor, values_LHW: Tensor, *, beta: float, backwards: bool) -> None:
        """As any kernel does."""
        lattice = self.lattice.transposed if backwards else self.lattice
        found_LN, values_LN = found_LHW.flatten(1), values_LHW.flatten(1)
        if values_LN.device.type != "cpu" or len(values_LN) > _FEW_LABELS:
            answer_NL = lattice.run(values_LN.T.contiguous())
            found_LN.mul_(beta).add_(answer_NL.T) if beta else found_LN.copy_(answer_NL.T)
            return
        # A product with ones on the diagonal turns a map of few labels twice as fast as a copy does.
        same_LL = torch.eye(len(values_LN), dtype=values_LN.dtype)
        found_LN.addmm_(same_LL, lattice.run(values_LN.T @ same_LL).T, beta=beta)


def _normalisers(norm_N1: Tensor, weight: float, rule: CrfNormalisation) -> tuple[Tensor | None, Tensor]:
    """What multiplies a map before it is filtered, and after."""
    if rule == "after":
        return None, weight / (norm_N1 + _TINY)
    root_N1 = (norm_N1 + _TINY).rsqrt()
    return root_N1, root_N1 * weight
