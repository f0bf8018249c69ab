"""Wide feature maps a few rows at a time, so that they stay small and near the processor."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.nn import functional

_VALUES = 2**20  # in one strip


def strips(rows: int, values_a_row: int) -> Iterator[slice]:
    """`rows` rows, cut into strips of about four megabytes of 32-bit values."""
    step = max(1, _VALUES // values_a_row)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def divides(coarse: Tensor, fine: Tensor) -> bool:
    """Whether every row of the coarse map covers equally many whole rows of the fine one."""
    return fine.shape[-2] % coarse.shape[-2] == 0


def grown_rows(coarse: Tensor, rows: slice, *, like: Tensor) -> Tensor:
    """`rows` of the coarse map, resized to the height and width of `like`; its height must divide that of `like`."""
    ratio = like.shape[-2] // coarse.shape[-2]
    # Bilinear resizing reads one row further on either side.
    first = max(rows.start // ratio - 1, 0)
    last = min(-(-rows.stop // ratio) + 1, coarse.shape[-2])
    size = ((last - first) * ratio, like.shape[-1])
    grown = functional.interpolate(coarse[..., first:last, :], size=size, mode="bilinear", align_corners=False)
    return grown[..., rows.start - first * ratio : rows.stop - first * ratio, :]


def with_neighbours(features: Tensor, rows: slice) -> tuple[slice, tuple[int, int]]:
    """The rows with the one above and the one below, and how many of those two lie outside the map."""
    above, below = int(rows.start == 0), int(rows.stop == features.shape[-2])
    return slice(rows.start - 1 + above, rows.stop + 1 - below), (above, below)
