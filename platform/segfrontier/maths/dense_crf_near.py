"""The kernel of near pixels: a Gaussian over an image, as sums of shifted maps, one axis after the other.

A wide one runs at half the size: the mean of four pixels and the way back blur by themselves, by a variance of one
pixel, which the kernel in between leaves out. Sums of shifted maps are several times faster on a CPU than convolutions.

Letters: L label, H W image size.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH = 4.5  # widths; beyond, the kernel is below 1e-4 of its peak
_WIDE = 2.5
_BOTH_WAYS = 1.0


def gaussian_blur(values_LHW: Tensor, *, sigma: float) -> Tensor:
    """Nothing lies outside the image, and nothing is normalised: who filters divides by the answer to ones."""
    _, height, width = values_LHW.shape
    if sigma < _WIDE or min(height, width) < 2:
        return _blurred(_blurred(values_LHW, sigma, 1), sigma, 2)
    padded = F.pad(values_LHW, (0, width % 2, 0, height % 2))
    small = padded[:, 0::2] + padded[:, 1::2]
    small = small[:, :, 0::2] + small[:, :, 1::2]
    inner = math.sqrt(sigma**2 - _BOTH_WAYS) / 2
    small = _blurred(_blurred(small, inner, 1), inner, 2)
    grown = F.interpolate(small[None], scale_factor=2, mode="bilinear", align_corners=False)[0]
    return grown[:, :height, :width]


def _blurred(values_LHW: Tensor, sigma: float, axis: int) -> Tensor:
    length = values_LHW.shape[axis]
    out = values_LHW.clone()
    for shift in range(1, min(math.ceil(_REACH * sigma), length - 1) + 1):
        weight, rest = math.exp(-((shift / sigma) ** 2) / 2), length - shift
        out.narrow(axis, shift, rest).add_(values_LHW.narrow(axis, 0, rest), alpha=weight)
        out.narrow(axis, 0, rest).add_(values_LHW.narrow(axis, shift, rest), alpha=weight)
    return out


def near_kernel(size: tuple[int, int], *, sigma: float, like: Tensor) -> Tensor:
    """(N, N): the same between all pairs of pixels of an image, row by row, for tests and small images."""
    height, width = size
    rows, columns = (torch.arange(n, dtype=like.dtype, device=like.device) / sigma for n in (height, width))
    down, across = (((each[:, None] - each[None]).square() / -2).exp() for each in (rows, columns))
    return torch.kron(down, across)
