"""Acts: the things an annotator is paid for, how each is counted, and the requests that a method may put.

`units` counts answers (images drawn, points clicked, instances boxed, classes named in a crop) and `asked` counts
questions (classes asked about in a crop). Which of the two is paid for is the price list's decision (`per`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segfrontier.basics.wording import nearest as nearest
from segfrontier.errors import BadInput
from segfrontier.market.tiling import Tiling

Counter = Literal["units", "asked"]

KINDS: Mapping[str, Mapping[str, Counter]] = {
    "fine": {"image": "units"},
    "coarse": {"image": "units"},
    "point": {"point": "units"},
    "box": {"instance": "units"},
    "tag": {"present class and crop": "units", "class and crop": "asked"},
}
"""Kind of act -> what it may be priced per -> the counter that such a price multiplies."""


@dataclass(frozen=True, slots=True, eq=False)
class Acts:
    """The acts that answering one scene takes. `items` tells apart the acts of one kind within the scene."""

    items: NDArray[np.int64]
    units: NDArray[np.int64]
    asked: NDArray[np.int64]

    @classmethod
    def of(cls, items: ArrayLike, units: ArrayLike, asked: ArrayLike) -> Acts:
        """Acts from three equally long columns."""
        columns = [np.asarray(c, np.int64).reshape(-1) for c in (items, units, asked)]
        assert len({len(c) for c in columns}) == 1, "an act has one item, one count of units and one of questions"
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.items)

    def without(self, items: NDArray[np.int64] | None) -> Acts:
        """The acts whose item is not among `items`."""
        if items is None:
            return self
        new = ~np.isin(self.items, items)
        return Acts(self.items[new], self.units[new], self.asked[new])


@dataclass(frozen=True, eq=False)
class Request:
    """Scenes in the order in which they are wanted. `kind` is the act that is billed, `labels` what comes back."""

    scenes: Sequence[str]
    kind: ClassVar[str]
    labels: ClassVar[str]

    def __post_init__(self) -> None:
        if isinstance(self.scenes, str) or not all(isinstance(s, str) for s in self.scenes):
            raise BadInput(f"a request names its scenes in a list of scene ids; got {self.scenes!r}")
        object.__setattr__(self, "scenes", tuple(self.scenes))
        if len(set(self.scenes)) != len(self.scenes):
            twice = sorted({s for s in self.scenes if list(self.scenes).count(s) > 1})
            raise BadInput(f"a request names each scene once; twice: {', '.join(twice[:5])}. Drop the repeats.")


class Fine(Request):
    """A fine mask of each scene: every pixel's class, and instances where the world has them."""

    kind, labels = "fine", "fine"


class Coarse(Request):
    """A coarse mask of each scene: rough polygons inside the objects, void elsewhere."""

    kind, labels = "coarse", "coarse"


class Boxes(Request):
    """A box around each countable object of each scene."""

    kind, labels = "box", "boxes"


@dataclass(frozen=True, eq=False)
class Points(Request):
    """The class at given pixels. `xy`: for each scene (n, 2) whole numbers, distinct pixels, columns x and y."""

    xy: Mapping[str, ArrayLike] | Sequence[ArrayLike]
    kind, labels = "point", "points"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.xy, Mapping):
            if len(self.xy) != len(self.scenes):
                raise BadInput(
                    f"points need one (n, 2) array a scene; got {len(self.xy)} for {len(self.scenes)} scenes"
                )
            object.__setattr__(self, "xy", dict(zip(self.scenes, self.xy, strict=True)))
        assert isinstance(self.xy, Mapping)
        if set(self.xy) != set(self.scenes):
            odd = sorted(set(self.xy) ^ set(self.scenes))
            raise BadInput(f"points need one (n, 2) array for each scene of the request; not so for: {odd[:5]}")
        object.__setattr__(self, "xy", {s: _pixels(s, self.xy[s]) for s in self.scenes})

    def pixels(self, scene: str) -> NDArray[np.int64]:
        """(n, 2) x and y of one scene."""
        assert isinstance(self.xy, dict)
        pixels: NDArray[np.int64] = self.xy[scene]
        return pixels


@dataclass(frozen=True, eq=False)
class Tags(Request):
    """Which classes each crop of a fixed tiling shows; `things=False` asks about the uncountable classes alone."""

    tiling: Tiling
    things: bool = True
    kind, labels = "tag", "tags"


def _pixels(scene: str, xy: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(xy)
    if given.size == 0:
        given = np.zeros((0, 2), np.int64)
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise BadInput(f"scene {scene!r}: points are (n, 2) whole numbers x, y; got {given.dtype} {given.shape}")
    pixels = given.astype(np.int64)
    if len(np.unique(pixels, axis=0)) != len(pixels):
        raise BadInput(f"scene {scene!r}: the points of a request must be distinct pixels; drop the repeats")
    pixels.setflags(write=False)
    return pixels
