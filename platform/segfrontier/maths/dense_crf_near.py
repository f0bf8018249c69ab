"""The kernel of near pixels: a Gaussian over an image, as products with matrices, one axis after the other.

A wide one runs at half the size: the mean of four pixels and the way back blur by themselves, by a variance of one
pixel, which the kernel in between leaves out. Every matrix is a band and works strip by strip on what its rows see,
which a CPU does twice as fast as sums of shifted maps, and many times as fast as convolutions. The normalisers of a
separable kernel are separable, so they are in the matrices.

Letters: L label, H W image size, I O places of an axis before and after.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

CrfNormalisation = Literal["after", "symmetric"]

_REACH = 4.5  # widths; beyond, the kernel is below 1e-4 of its peak
_WIDE = 2.5
_BOTH_WAYS = 1.0
_STRIP = 32


@dataclass(frozen=True, kw_only=True)
class Near:
    """The blur of (L, H, W), normalised and weighed, and its transpose. Nothing lies outside the image."""

    sigma: float
    weight: float
    rule: CrfNormalisation

    def into(self, found_LHW: Tensor, values_LHW: Tensor, *, beta: float, backwards: bool) -> None:
        """Make `found_LHW` `beta` times what it was, and what the values become."""
        *bands, last = _bands(self, values_LHW.shape[1:], backwards, values_LHW.dtype, values_LHW.device)
        for band in bands:
            shape = list(values_LHW.shape)
            shape[band.axis] = band.length
            between_LHW = values_LHW.new_empty(shape)
            band.into(between_LHW, values_LHW, beta=0)
            values_LHW = between_LHW
        last.into(found_LHW, values_LHW, beta=beta)


@dataclass(frozen=True, eq=False)
class _Band:
    """A matrix for the rows (axis 1) or the columns (axis 2), of which each strip holds only what is not zero."""

    axis: int
    length: int
    strips: tuple[tuple[slice, slice, Tensor], ...]

    def into(self, found_LHW: Tensor, values_LHW: Tensor, *, beta: float) -> None:
        """As the whole blur does, along one axis."""
        for rows, columns, block in self.strips:
            if self.axis == 1:
                found_LHW[:, rows].baddbmm_(block.expand(len(values_LHW), -1, -1), values_LHW[:, columns], beta=beta)
            else:
                found_LHW.flatten(0, 1)[:, rows].addmm_(values_LHW.flatten(0, 1)[:, columns], block.T, beta=beta)


@lru_cache(maxsize=16)  # images are mostly of one size
def _bands(
    near: Near, size: tuple[int, int], backwards: bool, dtype: torch.dtype, device: torch.device
) -> tuple[_Band, ...]:
    wide = near.sigma >= _WIDE and min(size) > 1
    down, across = (_along(length, near.sigma, wide=wide, rule=near.rule) for length in size)
    down[-1] = down[-1] * near.weight
    # Rows first and last: what lies between is the smaller for it.
    chain = [(1, down[0]), *((2, matrix_OI) for matrix_OI in across), *((1, matrix_OI) for matrix_OI in down[1:])]
    if backwards:
        chain = [(axis, matrix_OI.T) for axis, matrix_OI in reversed(chain)]
    return tuple(_Band(axis, len(m), _strips(m, dtype, device)) for axis, m in chain)


def _strips(matrix_OI: Tensor, dtype: torch.dtype, device: torch.device) -> tuple[tuple[slice, slice, Tensor], ...]:
    blocks = []
    strip = _STRIP if len(matrix_OI) < matrix_OI.shape[1] else 2 * _STRIP
    for start in range(0, len(matrix_OI), strip):
        rows = slice(start, start + strip)
        seen = matrix_OI[rows].any(0).nonzero()
        columns = slice(int(seen[0]), int(seen[-1]) + 1)
        blocks.append((rows, columns, matrix_OI[rows, columns].to(device, dtype).contiguous()))
    return tuple(blocks)


def near_kernel(size: tuple[int, int], *, sigma: float, like: Tensor) -> Tensor:
    """(N, N): between all pairs of pixels of an image, row by row, not normalised, for tests and small images."""
    down_HH, across_WW = (_gaussian(length, sigma).to(like) for length in size)
    return torch.kron(down_HH, across_WW)


def _gaussian(length: int, sigma: float) -> Tensor:
    places = torch.arange(length, dtype=torch.double) / sigma
    return ((places[:, None] - places).square() / -2).exp()


def _along(length: int, sigma: float, *, wide: bool, rule: CrfNormalisation) -> list[Tensor]:
    """The matrices of one axis, the first first: their product is the blur."""
    inner = math.sqrt(sigma**2 - _BOTH_WAYS) / 2 if wide else sigma
    places, reach = math.ceil(length / 2) if wide else length, math.ceil(_REACH * inner)
    # Cut, also because products with the tiniest floats are many times slower.
    matrices = [_gaussian(places, inner).triu(-reach).tril(reach)]
    if wide:
        grown_IO = F.interpolate(torch.eye(places, dtype=torch.double)[None], scale_factor=2.0, mode="linear")[0]
        matrices = [matrices[0].repeat_interleave(2, 1)[:, :length], grown_IO.T[:length]]
    norm_O = torch.ones(length, dtype=torch.double)
    for matrix_OI in matrices:
        norm_O = matrix_OI @ norm_O
    if rule == "symmetric":
        norm_O = norm_O.sqrt()
        matrices[0] = matrices[0] / norm_O
    matrices[-1] = matrices[-1] / norm_O[:, None]
    return matrices
