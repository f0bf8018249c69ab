"""The boundary maps of a truth, only where they can differ from 0.

Letters: N image, K class, H W image size; P place, 4 its neighbours, which are left, right, above and below.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from segfrontier.maths.differences import Border


class BoundaryTruth(NamedTuple):
    """At a place the one-hot truth can change in the classes of the four neighbours alone.

    A class at a place is an index into flattened maps. Lengths are doubled; one above the place's limit is on the
    boundary. A class of several neighbours stands there as often, with the same length, and its shares come to 1.
    """

    index_4P: Tensor
    length_4P: Tensor
    share_4P: Tensor
    limit_P: Tensor


def boundary_truth(labels_NHW: Tensor, limit_NHW: Tensor, border: Border, *, classes: int) -> BoundaryTruth:
    """Of labels; where the limit is infinite nothing is on the boundary, so there they may say what they like."""
    labels_NHW = labels_NHW.clamp(0, classes - 1).to(limit_NHW)
    replicated = beside = _beside(functional.pad(labels_NHW, (1, 1, 1, 1), mode="replicate"))
    if border == "zero":
        beside = _beside(functional.pad(labels_NHW, (1, 1, 1, 1), value=-1))
    places_P = _places(beside, limit_NHW)
    class_4P = torch.stack([side.flatten()[places_P] for side in replicated])
    same_44P = class_4P.new_empty(4, *class_4P.shape)
    having_44P = torch.eq(class_4P.unsqueeze(1), class_4P, out=same_44P)
    if border == "zero":
        having_44P = torch.stack([side.flatten()[places_P] == class_4P for side in beside]).to(limit_NHW)
    left_4P, right_4P, above_4P, below_4P = having_44P
    across_4P, down_4P = right_4P - left_4P, below_4P - above_4P
    height, width = labels_NHW.shape[1:]
    if border == "one_sided":
        across_4P *= _twice_at_ends(places_P % width, width)
        down_4P *= _twice_at_ends(places_P // width % height, height)
    length_4P = across_4P.square_().addcmul_(down_4P, down_4P).sqrt_()
    limit_P = limit_NHW.flatten()[places_P]
    share_4P = (length_4P > limit_P).to(limit_P) / same_44P.sum(0)
    area = height * width
    index_4P = places_P + places_P // area * (classes - 1) * area + class_4P.long() * area
    return BoundaryTruth(index_4P, length_4P, share_4P, limit_P)


def _beside(padded: Tensor) -> list[Tensor]:
    """What stands left, right, above and below of every place within the padding."""
    return [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]


def _places(beside: list[Tensor], limit_NHW: Tensor) -> Tensor:
    """Those at which anything changes. An accelerator takes all: to know how many it would wait for all before."""
    if limit_NHW.device.type != "cpu":
        return torch.arange(limit_NHW.numel(), device=limit_NHW.device)
    left, right, above, below = beside
    return ((left != right) | (above != below)).logical_and_(limit_NHW < math.inf).flatten().nonzero()[:, 0]


def _twice_at_ends(place: Tensor, size: int) -> Tensor:
    return 1 + ((place == 0) | (place == size - 1)).int()
