"""Requests: what a method may ask a market for.

A request is copied into plain values twice: where it is built, and once more on its way into the market (`frozen`), so
that nothing that its owner does to it, or has built into it, comes between pricing and delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segfrontier.errors import BadInput
from segfrontier.market.plain import plain_text
from segfrontier.market.tiling import Tiling


@dataclass(frozen=True, eq=False)
class Request:
    """Scenes in the order in which they are wanted. `kind` is the act that is billed, `labels` what comes back.

    Whatever it is built from is copied into plain values at once: see `frozen`.
    """

    scenes: Sequence[str]
    kind: ClassVar[str]
    labels: ClassVar[str]

    def __post_init__(self) -> None:
        given = () if isinstance(self.scenes, str) else tuple(self.scenes)
        if isinstance(self.scenes, str) or not all(issubclass(kind, str) for kind in set(map(type, given))):
            raise BadInput(f"a request names its scenes in a list of scene ids; got {_shown(self.scenes)}")
        scenes = tuple(map(plain_text, given))
        object.__setattr__(self, "scenes", scenes)
        if len(set(scenes)) != len(scenes):
            twice = sorted(scene for scene, count in Counter(scenes).items() if count > 1)
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
        given = _by_scene(tuple(self.scenes), self.xy)
        object.__setattr__(self, "xy", {scene: _pixels(scene, given[scene]) for scene in self.scenes})

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

    def __post_init__(self) -> None:
        super().__post_init__()
        if type(self.tiling) is not Tiling or not isinstance(self.things, bool | np.bool_):
            raise BadInput(
                f"tags need a Tiling, and true or false for things; found a {type(self.tiling).__name__} and "
                f"{_shown(self.things)}. Build the tiling with Tiling(width=..., height=..., columns=..., rows=..., "
                f"of=...)."
            )
        object.__setattr__(self, "tiling", Tiling.copied(self.tiling))  # not what the object calls its `copied`
        object.__setattr__(self, "things", bool(self.things))


_REQUESTS: tuple[type[Request], ...] = (Fine, Coarse, Points, Boxes, Tags)


def frozen(request: Request) -> Request:
    """A copy of a request in plain values that nobody else holds: what is priced is what is then delivered.

    Requests are exactly the types above. A subclass could answer one thing when it is priced and another when it is
    delivered, and so could an array, a list or a mapping that its owner still holds.
    """
    kind = type(request)
    if not any(kind is known for known in _REQUESTS):
        names = [known.__name__ for known in _REQUESTS]
        raise BadInput(
            f"a request must be {', '.join(names[:-1])} or {names[-1]} itself, no subclass; found {kind.__name__}. "
            f"Put what is wanted into one of these."
        )
    return kind(**{field.name: getattr(request, field.name) for field in fields(kind)})


def _by_scene(scenes: tuple[str, ...], xy: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> dict[str, ArrayLike]:
    """One array a scene, each taken from what was given once."""
    if not isinstance(xy, Mapping):
        arrays = tuple(xy)
        if len(arrays) != len(scenes):
            raise BadInput(f"points need one (n, 2) array a scene; got {len(arrays)} for {len(scenes)} scenes")
        return dict(zip(scenes, arrays, strict=True))
    table = dict(xy)
    given = {plain_text(scene): array for scene, array in table.items() if issubclass(type(scene), str)}
    if set(given) != set(scenes) or len(given) != len(table):
        odd = sorted(set(given) ^ set(scenes))
        raise BadInput(f"points need one (n, 2) array for each scene of the request; not so for: {odd[:5]}")
    return given


def _pixels(scene: str, xy: ArrayLike) -> NDArray[np.int64]:
    try:
        given = np.asarray(xy)
    except (ValueError, TypeError, OverflowError):  # rows of different lengths, numbers that fit no integer
        given = np.asarray(None)
    if given.size == 0:
        given = np.zeros((0, 2), np.int64)
    if given.ndim != 2 or given.shape[1] != 2 or given.dtype.kind not in "iu":
        raise BadInput(f"scene {scene!r}: points are (n, 2) whole numbers x, y; got {given.dtype} {given.shape}")
    pixels = np.array(given, np.int64, copy=True, order="C", subok=False)  # checked after copying, not before
    if not _are_distinct(pixels):
        raise BadInput(f"scene {scene!r}: the points of a request must be distinct pixels; drop the repeats")
    pixels.setflags(write=False)
    return pixels


def _are_distinct(pixels: NDArray[np.int64]) -> bool:
    """Whether no row stands twice. Rows that fit into one number are compared as such: forty times as fast."""
    if pixels.size == 0:
        return True
    if pixels.min() < 0 or pixels.max() >= 2**31:
        return len(np.unique(pixels, axis=0)) == len(pixels)
    rows = np.sort((pixels[:, 0] << 31) | pixels[:, 1])
    return not (rows[1:] == rows[:-1]).any()


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
