"""Fixed crop tilings. Crops must be fixed: random ones would leak more supervision than was paid for (paper 002)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.market.plain import plain_whole


@dataclass(frozen=True)
class Tiling:
    """`columns` x `rows` crops of `width` x `height`, evenly spread over an image of the size `of` (width, height).

    On an image of another size the crops keep their share of each side, and there are as many of them.
    """

    width: int
    height: int
    columns: int
    rows: int
    of: tuple[int, int]

    def __post_init__(self) -> None:
        try:
            for name in ("width", "height", "columns", "rows"):
                object.__setattr__(self, name, plain_whole(getattr(self, name)))
            object.__setattr__(self, "of", tuple(plain_whole(side) for side in self.of))
        except TypeError:
            raise BadInput("a tiling is made of whole numbers; write its sides and counts as integers") from None
        if len(self.of) != 2:
            raise BadInput(f"a tiling is of an image size (width, height); found {self.of}")
        for name, crop, side, number in (
            ("column", self.width, self.of[0], self.columns),
            ("row", self.height, self.of[1], self.rows),
        ):
            if not (0 < crop <= side and number >= 1):
                raise BadInput(
                    f"a tiling needs 0 < crop <= image and at least one {name}; got a crop of {crop} on {side} px and "
                    f"{number} {name}s. Change the crop or the image size."
                )
            if number > side - crop + 1:
                raise BadInput(
                    f"crops of a tiling must start at different pixels; {number} {name}s of {crop} px cannot on "
                    f"{side} px. Ask for fewer {name}s."
                )

    def copied(self) -> Tiling:
        """The same tiling in an object that nobody else holds."""
        return Tiling(width=self.width, height=self.height, columns=self.columns, rows=self.rows, of=self.of)

    @property
    def is_whole(self) -> bool:
        """Whether its one crop is the image."""
        return self.columns == self.rows == 1 and (self.width, self.height) == self.of

    def crops(self, height: int, width: int) -> NDArray[np.int64]:
        """(rows * columns, 4) half-open x0, y0, x1, y1 on an image of this size, row by row."""
        x0, x1 = _spread(self.width, self.of[0], width, self.columns)
        y0, y1 = _spread(self.height, self.of[1], height, self.rows)
        top, left = (grid.ravel() for grid in np.meshgrid(np.arange(self.rows), np.arange(self.columns), indexing="ij"))
        return np.stack([x0[left], y0[top], x1[left], y1[top]], axis=1)


PAPER_002 = Tiling(width=500, height=400, columns=5, rows=3, of=(2048, 1024))
"""Paper 002's fifteen crops: x starts 0 387 774 1161 1548, y starts 0 312 624 on a Cityscapes image."""

WHOLE_IMAGE = Tiling(width=1, height=1, columns=1, rows=1, of=(1, 1))
"""One crop that is the image: image-level tags."""


def _spread(crop: int, of: int, side: int, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and ends along one side; the first crop touches the near edge, the last one the far edge."""
    length = max(1, round(side * crop / of))
    if number > side - length + 1:
        raise BadInput(f"an image side of {side} px is too small for {number} different crops; use a coarser tiling")
    gaps = max(1, number - 1)
    starts = np.array([(2 * i * (side - length) + gaps) // (2 * gaps) for i in range(number)], np.int64)
    return starts, starts + length
