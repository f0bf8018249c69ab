"""A Gaussian filter of points in a few dimensions, by the permutohedral lattice (Adams, Baek and Davis 2010).

Points spread what they hold over the corners of the simplex that they lie in, the corners blur along each axis of the
lattice, and the points gather again. All corners that matter are found by one sort, after which spreading and gathering
are weighted sums over lists of rows (`embedding_bag`), which run on any device.

The filter's scale is not that of exp(-d^2/2): whoever filters divides by the answer to ones.

Letters: N point, F feature, C corner of a simplex (F + 1), V vertex of the lattice, L value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import require_axes


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where points lie in the lattice. `filter` blurs what they hold: (N, L) to (N, L)."""

    corners_NC: Tensor
    """The vertex of each corner."""
    shares_NC: Tensor
    """What each corner gets of its point; they sum to 1."""
    order: Tensor
    """All corners, row by row, vertex by vertex; a vertex's list starts at its place in `starts_V`."""
    points_of: Tensor
    """Their points."""
    shares_of: Tensor
    starts_V: Tensor
    neighbours_C2V: Tensor
    """Along each axis the vertices before and after; the number of vertices where there is none."""

    @classmethod
    def of(cls, features_NF: Tensor) -> Lattice:
        """Features in units of the kernel's width."""
        require_axes("the features", features_NF, "NF")
        rounded_CN, ranks_CN, shares_NC = _simplices(features_NF.T)
        keys_NC, steps_C = _keys(rounded_CN, ranks_CN)
        keys, order = keys_NC.flatten().sort()
        vertices_V, place, counts_V = keys.unique_consecutive(return_inverse=True, return_counts=True)
        corners = torch.empty_like(order)
        corners[order] = place
        return cls(
            corners_NC=corners.view_as(keys_NC),
            shares_NC=shares_NC,
            order=order,
            points_of=order // keys_NC.shape[1],
            shares_of=shares_NC.flatten()[order],
            starts_V=counts_V.cumsum(0) - counts_V,
            neighbours_C2V=torch.stack(
                [torch.stack([_found(vertices_V, vertices_V + step * way) for way in (-1, 1)]) for step in steps_C]
            ),
        )

    def weighed(self, *, before: Tensor | None, after: Tensor) -> Lattice:
        """The lattice that multiplies points by `before` and what they get by `after`, each (N, 1)."""
        shares_of = self.shares_of if before is None else self.shares_of * before[:, 0][self.points_of]
        return replace(self, shares_of=shares_of, shares_NC=self.shares_NC * after)

    def filter(self, values_NL: Tensor) -> Tensor:
        """The blurred values; gradients reach them, not the features."""
        return _Filtered.apply(values_NL, self)

    def run(self, values_NL: Tensor, *, backwards: bool = False) -> Tensor:
        """The filter or, with the axes in reverse and the shares exchanged, its transpose."""
        into, out_of_NC = self.shares_of, self.shares_NC
        if backwards:
            into, out_of_NC = out_of_NC.flatten()[self.order], torch.empty_like(out_of_NC)
            out_of_NC.view(-1)[self.order] = self.shares_of
        spread_VL = F.embedding_bag(self.points_of, values_NL, self.starts_V, mode="sum", per_sample_weights=into)
        nothing_1L = spread_VL.new_zeros(1, spread_VL.shape[1])
        for axis in range(len(self.neighbours_C2V))[:: -1 if backwards else 1]:
            padded = torch.cat([spread_VL, nothing_1L])
            before, after = self.neighbours_C2V[axis]
            spread_VL = torch.add(spread_VL, padded[before] + padded[after], alpha=0.5)
        return F.embedding_bag(self.corners_NC, spread_VL, mode="sum", per_sample_weights=out_of_NC)


class _Filtered(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values_NL: Tensor, lattice: Lattice) -> Tensor:
        """Splat, blur and slice."""
        context.lattice = lattice
        return lattice.run(values_NL)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """The filter is linear: its gradient is the filter run backwards."""
        return context.lattice.run(gradients[0].contiguous(), backwards=True), None


def _simplices(features_FN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each point the nearest lattice point of remainder 0, the ranks of its offsets, and its barycentric shares."""
    dims, points = features_FN.shape
    corners = dims + 1
    scale = (2 / 3) ** 0.5 * corners
    elevated_CN = features_FN.new_empty(corners, points)
    total = features_FN.new_zeros(points)
    for axis in range(dims, 0, -1):
        scaled = features_FN[axis - 1] * (scale / (axis * (axis + 1)) ** 0.5)
        elevated_CN[axis] = total - axis * scaled
        total = total + scaled
    elevated_CN[0] = total
    rounded_CN = (elevated_CN / corners).round() * corners
    excess_N = (rounded_CN.sum(0) / corners).round().long()
    offsets_CN = elevated_CN - rounded_CN
    ranks_CN = torch.zeros_like(offsets_CN, dtype=torch.long)
    for first in range(corners):
        for second in range(first + 1, corners):
            behind = offsets_CN[first] < offsets_CN[second]
            ranks_CN[first] += behind
            ranks_CN[second] += ~behind
    # Back onto the plane on which coordinates sum to zero: those that were rounded the most give way.
    ranks_CN += excess_N
    wrap = (ranks_CN < 0).long() - (ranks_CN > dims).long()
    rounded_CN = rounded_CN.long() + wrap * corners
    ranks_CN = ranks_CN + wrap * corners
    offsets_CN = (elevated_CN - rounded_CN) / corners
    # Sorted by rank, neighbouring offsets differ by a corner's share.
    sorted_CN = torch.empty_like(offsets_CN).scatter_(0, ranks_CN, offsets_CN)
    shares_CN = torch.empty_like(sorted_CN)
    shares_CN[1:] = (sorted_CN[:-1] - sorted_CN[1:]).flip(0)
    shares_CN[0] = 1 - (sorted_CN[0] - sorted_CN[-1])
    return rounded_CN, ranks_CN, shares_CN.T.contiguous()


def _keys(rounded_CN: Tensor, ranks_CN: Tensor) -> tuple[Tensor, list[int]]:
    """One number a vertex, and what a step along each axis adds to it. The last coordinate follows from the others."""
    corners = len(rounded_CN)
    lows = rounded_CN.amin(1).tolist()
    # Corners reach a simplex further than the points, and a step another one.
    spans = [high - low + 6 * corners for low, high in zip(lows, rounded_CN.amax(1).tolist(), strict=True)]
    radices = [1]
    for span in spans[: corners - 2]:
        radices.append(radices[-1] * span)
    if radices[-1] * spans[corners - 2] >= 2**62:
        raise ValueError(
            f"a lattice must have fewer than 2^62 places; found sides of {spans[:-1]}; give features in wider units"
        )
    base_N = torch.zeros_like(rounded_CN[0])
    for axis, radix in enumerate(radices):
        base_N = base_N + (rounded_CN[axis] - lows[axis] + 3 * corners) * radix
    keys_CN = torch.empty_like(rounded_CN)
    for corner in range(corners):
        keys_CN[corner] = base_N + corner * sum(radices)
        for axis, radix in enumerate(radices):
            keys_CN[corner] -= (ranks_CN[axis] > corners - 1 - corner) * (corners * radix)
    steps = [sum(radices) - corners * (radices[axis] if axis < corners - 1 else 0) for axis in range(corners)]
    return keys_CN.T.contiguous(), steps


def _found(sorted_V: Tensor, wanted_V: Tensor) -> Tensor:
    place = torch.searchsorted(sorted_V, wanted_V).clamp_(max=len(sorted_V) - 1)
    return torch.where(sorted_V[place] == wanted_V, place, len(sorted_V))
