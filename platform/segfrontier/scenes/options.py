"""What a street world is asked to be: `street`, or `street:train=64,val=32,size=128x256,gap=0.5`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import (
    CAMVID,
    CITYSCAPES,
    CITYSCAPES_GROUPS,
    CITYSCAPES_TO_CAMVID,
    CITYSCAPES_TO_GROUPS,
    ClassTable,
)
from segfrontier.scenes.names import shown

TABLES: Mapping[str, tuple[ClassTable, Mapping[str, str]]] = {
    CITYSCAPES.name: (CITYSCAPES, {name: name for name in CITYSCAPES.names}),
    CITYSCAPES_GROUPS.name: (CITYSCAPES_GROUPS, CITYSCAPES_TO_GROUPS),
    CAMVID.name: (CAMVID, CITYSCAPES_TO_CAMVID),
}
"""The class tables that `street` speaks, and how its own classes map to them."""

MOST_SCENES = 1_000_000
SMALLEST = 16
"""Pixels of a side of a window."""
_SIZE = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")
_SEEDS = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetOptions:
    """How much of the street world to render: `train` and `val` city scenes, `synthetic` game scenes."""

    train: int = 200
    val: int = 60
    synthetic: int = 400
    size: str = "96x192"
    gap: float = 1.0
    seed: int = 0
    classes: str = CITYSCAPES.name  # the table it speaks; of the same scenes
    window: str = ""  # "64x96": all that is kept of each scene, at a place of its own; a small one shows few classes

    def __post_init__(self) -> None:
        if self.train < 1 or self.val < 1 or self.synthetic < 0:
            raise BadWorld(f"street needs at least one train and one val scene; found {shown(str(self), 300)}")
        scenes = self.train + self.val + self.synthetic
        if scenes > MOST_SCENES:
            found = f"train={shown(self.train)}, val={shown(self.val)}, synthetic={shown(self.synthetic)}"
            raise BadWorld(
                f"street has {MOST_SCENES} scenes at most; {shown(scenes)} are asked for ({found}). Ask for fewer."
            )
        if not 0 <= self.gap <= 1:
            raise BadWorld(f"street: gap must be a number from 0 (no domain gap) to 1; found {self.gap}")
        if not 0 <= self.seed < _SEEDS:
            raise BadWorld(f"street: seed must be from 0 to 2**63 - 1; found {shown(self.seed)}. Choose another one.")
        self._require_size()
        self._require_window()
        if self.classes not in TABLES:
            raise BadWorld(f"street: classes must be one of {', '.join(TABLES)}; found {shown(self.classes)}")

    def _require_size(self) -> None:
        from segfrontier.scenes.street.render import HEIGHTS, WIDTHS

        height, width = self.shape
        if not (HEIGHTS[0] <= height <= HEIGHTS[1] and WIDTHS[0] <= width <= WIDTHS[1]):
            raise BadWorld(
                f"street: size must be {HEIGHTS[0]}x{WIDTHS[0]} to {HEIGHTS[1]}x{WIDTHS[1]} (height x width); found "
                f"{self.size}. Render at the nearest size that fits and resize."
            )

    def _require_window(self) -> None:
        (height, width), (down, right) = self.shape, self.kept
        if not (SMALLEST <= down <= height and SMALLEST <= right <= width):
            raise BadWorld(
                f"street: window must be {SMALLEST}x{SMALLEST} to the size of a scene, {self.size}; found {self.window}"
            )

    @property
    def rendered(self) -> dict[str, object]:
        """All that the scenes' bytes depend on; without a window, what it always was."""
        left_out = {"classes"} if self.window else {"classes", "window"}
        return {name: value for name, value in asdict(self).items() if name not in left_out}

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) that scenes are rendered at."""
        return _sides("size", self.size)

    @property
    def kept(self) -> tuple[int, int]:
        """(height, width) of the world's scenes: the window's, or all of what is rendered."""
        return _sides("window", self.window) if self.window else self.shape

    def corner(self, index: int) -> tuple[int, int]:
        """Row and column of a scene's window: its number and the world's seed decide."""
        room = [whole - part + 1 for whole, part in zip(self.shape, self.kept, strict=True)]
        drawn = hashlib.blake2b(f"window {self.seed} {index}".encode(), digest_size=16).digest()
        top, left = (int.from_bytes(drawn[8 * i : 8 * i + 8], "big") % room[i] for i in range(2))
        return top, left

    def plan(self) -> list[tuple[str, str, int]]:
        """(domain, split, index) of every scene, in the order in which they stand in the world."""
        first = self.synthetic + self.train
        return [
            *(("source", "train", i) for i in range(self.synthetic)),
            *(("target", "train", i) for i in range(self.synthetic, first)),
            *(("target", "val", i) for i in range(first, first + self.val)),
        ]


def _sides(what: str, text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise BadWorld(f"street: {what} must be HEIGHTxWIDTH, e.g. 96x192; found {shown(text)}")
    return int(match[1]), int(match[2])


def parse_street(text: str) -> StreetOptions:
    """`street` or `street:key=value,...`; a wrong key names the nearest right one."""
    name, _, rest = text.partition(":")
    if name != "street":
        raise BadWorld(f"the built-in world is called 'street'; found {shown(name)}")
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(StreetOptions()).items()}
    values: dict[str, object] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if key not in kinds or not equals:
            near = get_close_matches(key[:60], kinds, n=1, cutoff=0.0)[0]
            raise BadWorld(
                f"street takes key=value with the keys {', '.join(kinds)}; found {shown(part)}: did you mean {near!r}?"
            )
        try:
            values[key] = kinds[key](value)
        except ValueError as error:
            raise BadWorld(f"street: {key} must be {kinds[key].__name__}; found {shown(value)}") from error
    return StreetOptions(**values)  # type: ignore[arg-type]
