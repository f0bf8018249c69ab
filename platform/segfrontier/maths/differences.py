"""Central differences of maps, the lengths of their spatial gradients, and the way back from either to the maps.

Letters: N image, K map, H W size. `boundary_map` and `central_difference` are as one would write them down; the other
functions leave differences and lengths doubled, for to halve them all costs more than to halve what comes of them.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_at_least, require_axes, require_word

Border = Literal["replicate", "one_sided", "zero"]
"""Outside the image lies the border's own value, nothing (differences become one-sided), or 0."""

_TINY = torch.finfo(torch.float32).tiny
SHORTEST = math.sqrt(_TINY)
"""A doubled length that counts as 0: `length_of` gives nothing less. (2^-63, a number that floats hold exactly.)"""


def boundary_map(maps_NKHW: Tensor, *, border: Border, epsilon: float = 0.0) -> Tensor:
    """The length of the gradient at every place of every map. Where it vanishes, so does its derivative.

    Computed in float32 where the maps' precision is less.
    """
    require_axes("maps", maps_NKHW, "NKHW")
    require_word("border", border, Border)
    require_at_least("epsilon", epsilon, 0)
    maps_NKHW = maps_NKHW if maps_NKHW.dtype == torch.float64 else maps_NKHW.float()
    length_NKHW: Tensor = _Length.apply(maps_NKHW, border, epsilon)
    return length_NKHW


class _Length(torch.autograd.Function):
    """The derivative written out: autograd's own, a slice at a time, takes several times as long."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, border: Border, epsilon: float) -> Tensor:
        """The lengths; the differences are kept for the way back."""
        across, down = differences(maps, border)
        length = length_of(across.square(), down, epsilon=epsilon)
        ctx.save_for_backward(across, down, length)
        ctx.border = border
        return (length if epsilon else length.masked_fill(length <= SHORTEST, 0)) / 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """What reaches the maps."""
        across, down, length = ctx.saved_tensors
        share = gradient / length / 2
        return (
            differences_transposed(share * across, share * down, ctx.border, out=torch.empty_like(length)),
            None,
            None,
        )


def length_of(squared: Tensor, other: Tensor, *, epsilon: float = 0.0, out: Tensor | None = None) -> Tensor:
    """Double lengths of doubled differences, one of them squared already; that one is used up."""
    squared.addcmul_(other, other)
    # Below the smallest normal number nothing is a boundary, and above it the derivative is finite.
    squared = squared.add_(4 * epsilon) if epsilon else squared.clamp_min_(_TINY)
    return torch.sqrt(squared, out=squared if out is None else out)


def differences(maps: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Doubled: across and down."""
    return _difference(maps, dim=-1, border=border), _difference(maps, dim=-2, border=border)


def central_difference(maps: Tensor, *, dim: int, border: Border) -> Tensor:
    """Half the difference of the two neighbours along `dim`; the border says what stands in for a missing one."""
    require_word("border", border, Border)
    return _difference(maps, dim=dim, border=border) / 2


def _difference(maps: Tensor, *, dim: int, border: Border) -> Tensor:
    size = maps.shape[dim]
    if size < 2:
        return torch.zeros_like(maps)
    doubled = torch.empty_like(maps)
    torch.sub(maps.narrow(dim, 2, size - 2), maps.narrow(dim, 0, size - 2), out=doubled.narrow(dim, 1, size - 2))
    first, last = doubled.narrow(dim, 0, 1), doubled.narrow(dim, size - 1, 1)
    if border == "zero":
        first.copy_(maps.narrow(dim, 1, 1))
        torch.neg(maps.narrow(dim, size - 2, 1), out=last)
    else:
        torch.sub(maps.narrow(dim, 1, 1), maps.narrow(dim, 0, 1), out=first)
        torch.sub(maps.narrow(dim, size - 1, 1), maps.narrow(dim, size - 2, 1), out=last)
    if border == "one_sided":
        first.mul_(2)
        last.mul_(2)
    return doubled


def differences_transposed(across: Tensor, down: Tensor, border: Border, *, out: Tensor) -> Tensor:
    """What reaches the maps of gradients that reach their doubled differences; those are used up."""
    _difference_transposed(across, dim=-1, border=border, out=out)
    return out.add_(_difference_transposed(down, dim=-2, border=border, out=across))


def _difference_transposed(gradient: Tensor, *, dim: int, border: Border, out: Tensor) -> Tensor:
    size = gradient.shape[dim]
    if size < 2:
        return out.zero_()
    first, last = gradient.narrow(dim, 0, 1), gradient.narrow(dim, size - 1, 1)
    if border == "one_sided":
        first.mul_(2)
        last.mul_(2)
    torch.sub(gradient.narrow(dim, 0, size - 2), gradient.narrow(dim, 2, size - 2), out=out.narrow(dim, 1, size - 2))
    torch.neg(gradient.narrow(dim, 1, 1), out=out.narrow(dim, 0, 1))
    out.narrow(dim, size - 1, 1).copy_(gradient.narrow(dim, size - 2, 1))
    if border != "zero":
        out.narrow(dim, 0, 1).sub_(first)
        out.narrow(dim, size - 1, 1).add_(last)
    return out
