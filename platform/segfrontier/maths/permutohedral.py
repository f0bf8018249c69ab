"""A Gaussian filter of points in a few dimensions, by the permutohedral lattice (Adams, Baek and Davis 2010).

Points spread what they hold over the corners of the simplex that they lie in, the corners blur along each axis of the
lattice, and the points gather again. All corners that matter are found by one sort, after which all three steps are
weighted sums over lists of rows (`embedding_bag`), which run on any device.

A corner's coordinates are alike modulo F + 1: what remains is its colour, and a vertex is named by its colour and its
coordinates' quotients, which mostly fits in 32 bits and sorts the faster for it.

The filter's scale is not that of exp(-d^2/2): whoever filters divides by the answer to ones.

Letters: N point, F feature, C corner of a simplex (F + 1) and so colour and axis, V vertex of the lattice, L value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import require_axes


@dataclass(frozen=True, eq=False)
class Lattice:
    """Where points lie in the lattice. `run` blurs what they hold: (N, L) to (N, L)."""

    corners_NC: Tensor
    """The vertex of each corner."""
    out_of_NC: Tensor
    """What a point gets of its corners: the barycentric shares, which sum to 1, until they are weighed."""
    starts_V: Tensor
    """Where each vertex's list of points starts. Vertices go by colour, and each colour's lists hold all points."""
    points_of: Tensor
    """The points in the lists."""
    into_of: Tensor
    """What the vertices get of them, the same shares until they are weighed."""
    near_CV3: Tensor
    """Along each axis a vertex and those before and after it; itself where there is none, with weight 0."""
    weights_CV3: Tensor

    @classmethod
    def of(cls, features_NF: Tensor) -> Lattice:
        """Features in units of the kernel's width. Lists that lie near hold points that are near in the first."""
        require_axes("the features", features_NF, "NF")
        quotients_CN, ranks_CN, shares_CN = _simplices(features_NF.T.contiguous())
        keys_CN, steps_CC = _keys(quotients_CN, ranks_CN)
        kind = _narrowest(keys_CN.numel())
        # Colour by colour, as that much stays in a CPU's near memory.
        sorted_CN, points_CN = (torch.stack(each) for each in zip(*(k.sort(stable=True) for k in keys_CN), strict=True))
        vertices_V, place, counts_V = sorted_CN.flatten().unique_consecutive(return_inverse=True, return_counts=True)
        place_CN = place.view_as(keys_CN)
        near_CV3, found_CV3 = _neighbours(vertices_V, place_CN[:, -1].contiguous(), steps_CC)
        return cls(
            corners_NC=torch.empty_like(keys_CN, dtype=kind).scatter_(1, points_CN, place_CN.to(kind)).T.contiguous(),
            out_of_NC=shares_CN.T.contiguous(),
            starts_V=(counts_V.cumsum(0) - counts_V).to(kind),
            points_of=points_CN.flatten().to(kind),
            into_of=shares_CN.gather(1, points_CN).flatten(),
            near_CV3=near_CV3.to(kind),
            weights_CV3=found_CV3 * shares_CN.new_tensor([1.0, 0.5, 0.5]),
        )

    def weighed(self, *, before: Tensor | None, after: Tensor) -> Lattice:
        """The lattice that multiplies points by `before` and what they get by `after`, each (N, 1)."""
        into_of = self.into_of if before is None else self.into_of * before[:, 0].index_select(0, self.points_of)
        return replace(self, into_of=into_of, out_of_NC=self.out_of_NC * after)

    @cached_property
    def transposed(self) -> Lattice:
        """The lattice that runs the other way: with the axes in reverse and the shares exchanged."""
        out_of_CN = self.out_of_NC.T
        points_CN = self.points_of.view_as(out_of_CN).long()
        into_CN = torch.empty_like(out_of_CN).scatter_(1, points_CN, self.into_of.view_as(out_of_CN))
        return replace(
            self,
            out_of_NC=into_CN.T.contiguous(),
            into_of=out_of_CN.gather(1, points_CN).flatten(),
            near_CV3=self.near_CV3.flip(0),
            weights_CV3=self.weights_CV3.flip(0),
        )

    def run(self, values_NL: Tensor) -> Tensor:
        """The filter: spread, blur and gather."""
        lists, shares = self.points_of, self.into_of
        spread_VL = F.embedding_bag(lists, values_NL, self.starts_V, mode="sum", per_sample_weights=shares)
        for near_V3, weights_V3 in zip(self.near_CV3, self.weights_CV3, strict=True):
            spread_VL = F.embedding_bag(near_V3, spread_VL, mode="sum", per_sample_weights=weights_V3)
        return F.embedding_bag(self.corners_NC, spread_VL, mode="sum", per_sample_weights=self.out_of_NC)


def _simplices(features_FN: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each point the nearest lattice point of colour 0, in units of F + 1, the ranks of its offsets, its shares."""
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
    quotients_CN = (elevated_CN / corners).round()
    excess_N = quotients_CN.sum(0).to(torch.int8)
    offsets_CN = elevated_CN - quotients_CN * corners
    # Small integers: a point's ranks are looked at time and again, and bytes stay in the nearest memory.
    ranks_CN = torch.arange(corners, dtype=torch.int8, device=excess_N.device)[:, None].repeat(1, points)
    for first in range(corners):
        for second in range(first + 1, corners):
            behind = (offsets_CN[first] < offsets_CN[second]).view(torch.int8)
            ranks_CN[first] += behind
            ranks_CN[second] -= behind
    # Back onto the plane on which coordinates sum to zero: those that were rounded the most give way.
    ranks_CN += excess_N
    wrap_CN = (ranks_CN < 0).view(torch.int8) - (ranks_CN > dims).view(torch.int8)
    quotients_CN += wrap_CN
    ranks_CN = (ranks_CN + wrap_CN * corners).long()
    offsets_CN = (elevated_CN - quotients_CN * corners) / corners
    # Sorted by rank, neighbouring offsets differ by a corner's share.
    sorted_CN = torch.empty_like(offsets_CN).scatter_(0, ranks_CN, offsets_CN)
    shares_CN = torch.empty_like(sorted_CN)
    shares_CN[1:] = (sorted_CN[:-1] - sorted_CN[1:]).flip(0)
    shares_CN[0] = 1 - (sorted_CN[0] - sorted_CN[-1])
    return quotients_CN, ranks_CN, shares_CN


def _keys(quotients_CN: Tensor, ranks_CN: Tensor) -> tuple[Tensor, Tensor]:
    """One number a corner, and what a step along each axis adds to it by colour, (axis, colour).

    The number counts colour, then the first feature or two alone, which are sums of the first quotients, then the other
    quotients; that of the last axis follows from these.
    """
    corners, points = quotients_CN.shape
    alone = range(2 if corners > 3 else 1, 0, -1)
    alone_FN = [quotients_CN[:axis].sum(0, keepdim=True) - axis * quotients_CN[axis] for axis in alone]
    digits_FN = torch.cat([quotients_CN[len(alone) : -1], *alone_FN])
    # Corners lie beyond the points by one quotient of any axes, and a step along an axis leads as far again.
    margins = [2] * (corners - 1 - len(alone)) + [2 * axis for axis in alone]
    lows, highs = torch.stack([digits_FN.amin(1), digits_FN.amax(1)]).long().tolist()
    spans = [high - low + 1 + 2 * margin for low, high, margin in zip(lows, highs, margins, strict=True)]
    radices = [math.prod(spans[:digit]) for digit in range(corners)]
    places = radices.pop()
    if places * corners >= 2**62:
        raise ValueError(
            f"a lattice must have fewer than 2^62 places; found sides of {spans}; give features in wider units"
        )
    kind = _narrowest(places * corners)
    keys_CN = torch.empty_like(quotients_CN, dtype=kind)
    keys_CN[0] = 0
    for digit_N, low, margin, radix in zip(digits_FN, lows, margins, radices, strict=True):
        keys_CN[0] += (digit_N - (low - margin)).to(kind) * radix
    # From one colour to the next each coordinate gains one, but for the axis whose turn it is: there it loses the rest,
    # which is one quotient.
    weights = [0] * len(alone) + radices[: -len(alone)] + [0]
    for axis, radix in zip(alone, radices[-len(alone) :], strict=True):
        weights = [w + radix * (place < axis) - radix * axis * (place == axis) for place, w in enumerate(weights)]
    weights_C = torch.tensor(weights, dtype=kind, device=keys_CN.device)
    of_rank_CN = torch.empty_like(keys_CN).scatter_(0, ranks_CN, weights_C[:, None].expand(-1, points))
    for colour in range(1, corners):
        torch.sub(keys_CN[colour - 1], of_rank_CN[corners - colour], out=keys_CN[colour])
    keys_CN += torch.arange(corners, dtype=kind, device=keys_CN.device)[:, None] * places
    steps_C = torch.full_like(weights_C, places)
    steps_C[-1] = sum(weights) - (corners - 1) * places
    return keys_CN, steps_C - weights_C[:, None]


def _neighbours(vertices_V: Tensor, last_C: Tensor, steps_CC: Tensor) -> tuple[Tensor, Tensor]:
    """Along each axis a vertex and those before and after, and whether there is one, (C, V, 3) each."""
    axes, vertices = len(steps_CC), len(vertices_V)
    own_V = torch.arange(vertices, device=vertices_V.device)
    colour_V = torch.searchsorted(last_C, own_V)
    wanted_CV = vertices_V + steps_CC[:, colour_V]
    after_CV = torch.searchsorted(vertices_V, wanted_CV).clamp_(max=vertices - 1)
    after_CV = torch.where(vertices_V[after_CV] == wanted_CV, after_CV, vertices)
    before_CV = torch.full((axes, vertices + 1), vertices, device=vertices_V.device)
    before_CV.scatter_(1, after_CV, own_V.expand(axes, -1))
    near_CV3 = torch.stack([own_V.expand(axes, -1), before_CV[:, :-1], after_CV], dim=2)
    return torch.where(near_CV3 < vertices, near_CV3, own_V[:, None]), near_CV3 < vertices


def _narrowest(count: int) -> torch.dtype:
    return torch.int32 if count < 2**31 else torch.int64
