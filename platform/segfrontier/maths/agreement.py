"""Pseudo-labels on which all views of an image agree (paper 000, section 3.2), without any view's logits at full size.

A network answers on a coarse grid of its own. Growing that answer to the image's size, and undoing the view, is linear
along each axis, so one small matrix an axis says how. The labels are decided tile by tile: only a tile's worth of
full-size logits ever exists, and tiles without a pixel that wants a label are passed by.

Letters: K class, H W image size, h w the network's own grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_bools,
    require_finite,
    require_within,
    require_word,
)
from segfrontier.maths.views import View

MeanOf = Literal["logits", "probabilities"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Glance:
    """What a network said of one view on its own grid, and the way from there to the image's pixels."""

    logits_Khw: Tensor
    rows_hH: Tensor
    columns_wW: Tensor

    @classmethod
    def of(
        cls,
        logits_Khw: Tensor,
        view: View,
        *,
        size: tuple[int, int],
        seen: tuple[int, int],
        padded: tuple[int, int] | None = None,
        align_corners: bool = False,
    ) -> Glance:
        """`size` is the image's (height, width), `seen` the view's.

        `padded` is what the grid stretches over, by bilinear resizing with the network's `align_corners`.
        """
        require_axes("logits", logits_Khw, "Khw")
        require_at_least(
            "every side of the grid, of the view and of the image", min(*logits_Khw.shape, *seen, *size), 1
        )
        if padded is not None and (padded[0] < seen[0] or padded[1] < seen[1]):
            raise ValueError(f"a grid must stretch over the whole view of {seen}; found {padded}; pad the view")
        ways = [
            _way(cells, over or length, length, pixels, flip=flip, align_corners=align_corners)
            for cells, over, length, pixels, flip in zip(
                logits_Khw.shape[-2:], padded or (None, None), seen, size, (False, view.flip), strict=True
            )
        ]
        return cls(logits_Khw=logits_Khw, rows_hH=ways[0], columns_wW=ways[1])


def agreed_labels(
    glances: Sequence[Glance],
    wanted_HW: Tensor,
    *,
    above: float,
    inclusive: bool = False,
    of: MeanOf = "logits",
    void: int = 255,
    tile: tuple[int, int] = (32, 256),
) -> Tensor:
    """(H, W) uint8 on the CPU: where all views name one class and their mean is surer of it than `above`, that class.

    `void` elsewhere, and wherever `wanted_HW` (on the CPU) does not hold. The mean is that of logits or of
    probabilities; `inclusive` takes pixels that are exactly as sure as `above`. Logits that are not finite are
    `Diverged`, wherever they stand.
    """
    require_word("of", of, MeanOf)
    require_within("above", above, 0, 1)
    require_at_least("each side of a tile", min(tile), 1)
    require_within("void", void, 0, 255)
    _check_glances(glances, wanted_HW)
    labels_HW = torch.full(wanted_HW.shape, void, dtype=torch.uint8)
    rows = [_spans(g.rows_hH, tile[0], g.logits_Khw.device) for g in glances]
    columns = [_spans(g.columns_wW, tile[1], g.logits_Khw.device) for g in glances]
    for down in zip(*rows, strict=True):
        for across in zip(*columns, strict=True):
            area = (down[0].pixels, across[0].pixels)
            if wanted_HW[area].any():
                scores = (_grown(g.logits_Khw, y, x) for g, y, x in zip(glances, down, across, strict=True))
                found_P = _decided(scores, above=above, inclusive=inclusive, of=of, void=void).cpu()
                wanted = wanted_HW[area]
                labels_HW[area] = torch.where(wanted, found_P.view(wanted.shape), void)
    return labels_HW


def _check_glances(glances: Sequence[Glance], wanted_HW: Tensor) -> None:
    require_axes("wanted", wanted_HW, "HW")
    require_bools("wanted", wanted_HW)
    if not glances:
        raise ValueError("agreement needs at least one view; found none; pass e.g. those of six_views()")
    classes = len(glances[0].logits_Khw)
    require_within("the number of classes, for labels are bytes,", classes, 1, 255)
    for i, glance in enumerate(glances, 1):
        found = (len(glance.logits_Khw), glance.rows_hH.shape[1], glance.columns_wW.shape[1])
        if found != (classes, *wanted_HW.shape):
            raise ValueError(
                f"every view must answer for {classes} classes of {tuple(wanted_HW.shape)} pixels; found {found} in "
                f"view {i}; look at one image with one network"
            )
        require_finite(f"the logits of view {i} of {len(glances)}", glance.logits_Khw)


def _way(cells: int, over: int, length: int, pixels: int, *, flip: bool, align_corners: bool) -> Tensor:
    """(cells, pixels): what every cell of an axis gives to every pixel of the image."""
    way = torch.eye(cells)[None]
    if cells != over:
        way = F.interpolate(way, size=over, mode="linear", align_corners=align_corners)
    way = way[..., :length]
    way = way.flip(-1) if flip else way
    return (way if length == pixels else F.interpolate(way, size=pixels, mode="linear", align_corners=False))[0]


class _Span(NamedTuple):
    """Some pixels of an axis, the cells that reach them, and how much each cell gives to each pixel."""

    pixels: slice
    cells: slice
    shares: Tensor


def _spans(way: Tensor, width: int, device: torch.device) -> list[_Span]:
    found = []
    for start in range(0, way.shape[1], width):
        pixels = slice(start, min(start + width, way.shape[1]))
        reaching = way[:, pixels].any(dim=1).nonzero()
        cells = slice(int(reaching.min()), int(reaching.max()) + 1)
        found.append(_Span(pixels, cells, way[cells, pixels].contiguous().to(device)))
    return found


def _grown(logits_Khw: Tensor, down: _Span, across: _Span) -> Tensor:
    """The tile's logits, flattened: (K, pixels)."""
    piece = logits_Khw[:, down.cells, across.cells].float()
    return (down.shares.T @ (piece @ across.shares)).flatten(1)


def _decided(scores: Iterator[Tensor], *, above: float, inclusive: bool, of: MeanOf, void: int) -> Tensor:
    """The labels of a tile, from every view's scores (K, pixels) in turn: (pixels) uint8."""
    first_KP = next(scores)
    count, labels_P = 1, _likeliest(first_KP)
    total_KP = first_KP.softmax(0) if of == "probabilities" else first_KP
    agree_P = torch.ones_like(labels_P, dtype=torch.bool)
    for scores_KP in scores:
        # An argmax along the first axis is dozens of times slower than a maximum and a look at one class.
        agree_P &= scores_KP.gather(0, labels_P[None])[0] == scores_KP.amax(0)
        total_KP += scores_KP.softmax(0) if of == "probabilities" else scores_KP
        count += 1
    mean_KP = total_KP.div_(count)
    sure_P = (mean_KP if of == "probabilities" else mean_KP.softmax(0)).gather(0, labels_P[None])[0]
    kept_P = agree_P & (sure_P >= above if inclusive else sure_P > above)
    return torch.where(kept_P, labels_P, void).to(torch.uint8)


def _likeliest(scores_KP: Tensor) -> Tensor:
    """The first class of the highest score."""
    ranks_K1 = torch.arange(len(scores_KP), 0, -1, device=scores_KP.device, dtype=torch.int16)[:, None]
    return len(scores_KP) - ((scores_KP == scores_KP.amax(0)) * ranks_K1).amax(0).long()
