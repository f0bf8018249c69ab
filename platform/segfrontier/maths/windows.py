"""Sliding windows: reading a large image piece by piece, and blending the pieces' answers where they overlap.

Letters: N image, C channel, K class, H W image size, h w window size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_at_least, require_axes, require_shape, require_word

Blend = Literal["uniform", "gaussian", "hann"]


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int


def make_windows(size: tuple[int, int], *, window: tuple[int, int], stride: tuple[int, int]) -> tuple[Window, ...]:
    """Windows of one size that cover an image of `size` (height, width), row by row.

    The last window of an axis is moved back to end at the border. Along an axis where the window is larger than the
    image it is cut to the image.
    """
    height, width = min(window[0], size[0]), min(window[1], size[1])
    tops = _starts(size[0], window[0], stride[0])
    lefts = _starts(size[1], window[1], stride[1])
    return tuple(Window(top, left, height, width) for top in tops for left in lefts)


def blend_weights(height: int, width: int, *, blend: Blend) -> Tensor:
    """How much each pixel of a window counts (h, w): everywhere above 0; the centre most, unless `uniform`."""
    require_word("blend", blend, Blend)
    require_at_least("height and width", min(height, width), 1)
    return torch.outer(_profile(height, blend), _profile(width, blend))


def slide(
    forward: Callable[[Tensor], Tensor],
    images_NCHW: Tensor,
    *,
    window: tuple[int, int],
    stride: tuple[int, int],
    blend: Blend = "uniform",
) -> Tensor:
    """The weighted mean, pixel by pixel, of `forward` over all windows: NKHW in float32.

    `forward` maps N pieces to scores of the same height and width; logits and probabilities blend alike.
    """
    require_axes("images", images_NCHW, "NCHW")
    size = (images_NCHW.shape[-2], images_NCHW.shape[-1])
    pieces = make_windows(size, window=window, stride=stride)
    weight_hw = blend_weights(pieces[0].height, pieces[0].width, blend=blend).to(images_NCHW.device)
    weight_HW = torch.zeros(size, device=images_NCHW.device)
    total_NKHW = None
    for piece in pieces:
        area = (..., slice(piece.top, piece.top + piece.height), slice(piece.left, piece.left + piece.width))
        scores_NKhw = forward(images_NCHW[area]).float()
        if tuple(scores_NKhw.shape[-2:]) != (piece.height, piece.width):
            raise ValueError(
                f"a window's scores must have its size {piece.height}x{piece.width}; found "
                f"{scores_NKhw.shape[-2]}x{scores_NKhw.shape[-1]}; upsample them in `forward`"
            )
        if total_NKHW is None:
            total_NKHW = scores_NKhw.new_zeros((*scores_NKhw.shape[:2], *size))
        require_shape("the scores of a window", scores_NKhw, (*total_NKHW.shape[:2], piece.height, piece.width))
        total_NKHW[area] += scores_NKhw * weight_hw
        weight_HW[area] += weight_hw
    assert total_NKHW is not None
    return total_NKHW / weight_HW


def _starts(length: int, window: int, stride: int) -> list[int]:
    if length < 1 or not 1 <= stride <= window:
        raise ValueError(
            f"an image has at least 1 pixel, and 1 <= stride <= window, or pixels are skipped; found length {length}, "
            f"stride {stride}, window {window}; choose a stride such as two thirds of the window"
        )
    last = max(length - window, 0)
    return [*range(0, last, stride), last]


def _profile(length: int, blend: Blend) -> Tensor:
    position = (torch.arange(length) + 0.5) / length
    if blend == "uniform":
        return torch.ones(length)
    if blend == "gaussian":
        # Sigma is an eighth of the window, so its border, 4 sigma out, still weighs 3e-4 of its centre.
        return torch.exp(-0.5 * ((position - 0.5) * 8) ** 2)
    return torch.sin(torch.pi * position) ** 2
