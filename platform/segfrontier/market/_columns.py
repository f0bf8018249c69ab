"""The acts of one purchase as columns that JSON can hold: a column whose values are all the same is one number.

A fine mask is one act of one unit in its scene, a click one unit of its pixel: most columns are one number, so a line
with a quarter of a million masks is little more than their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.market.acts import Acts

_NAMES = ("counts", "items", "units", "asked")
_Column = NDArray[np.int64]


class Columns:
    """Acts of several scenes, one after the other: `counts` says how many each scene has."""

    def __init__(self, scenes: list[str], counts: _Column, items: _Column, units: _Column, asked: _Column) -> None:
        self.scenes, self.counts, self.items, self.units, self.asked = scenes, counts, items, units, asked

    @classmethod
    def of(cls, acts: Mapping[str, Acts]) -> Columns:
        """From the acts by scene."""
        parts = list(acts.values())
        columns = (np.concatenate([_NONE, *(getattr(a, name) for a in parts)]) for name in ("items", "units", "asked"))
        return cls(list(acts), np.fromiter((len(a) for a in parts), np.int64, len(parts)), *columns)

    def __len__(self) -> int:
        return len(self.items)

    def by_scene(self) -> dict[str, Acts]:
        """The acts of each scene."""
        ends = np.cumsum(self.counts).tolist()
        parts = zip(self.scenes, [0, *ends], ends, strict=False)
        return {s: Acts(self.items[a:b], self.units[a:b], self.asked[a:b]) for s, a, b in parts}

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"scenes": self.scenes, **{name: _short(getattr(self, name)) for name in _NAMES}}

    @classmethod
    def parse(cls, plain: Any) -> Columns:
        """From what JSON held; ValueError where that is something else."""
        if not isinstance(plain, dict) or plain.keys() != {"scenes", *_NAMES}:
            raise ValueError("acts must have scenes, counts, items, units and asked")
        scenes = plain["scenes"]
        if not isinstance(scenes, list) or not all(isinstance(s, str) for s in scenes) or len({*scenes}) < len(scenes):
            raise ValueError("scenes must be names, each once")
        counts = _long(plain["counts"], len(scenes))
        # No file can ask for more memory than a few times its size: several acts in a scene have items of their own.
        length = len(plain["items"]) if isinstance(plain["items"], list) else len(scenes)
        if counts.max(initial=0) > length or int(counts.sum()) != length:
            raise ValueError("counts must add up to the acts")
        return cls(scenes, counts, *(_long(plain[name], length) for name in _NAMES[1:]))


_NONE = np.zeros(0, np.int64)


def _short(column: _Column) -> int | list[int]:
    """One number where it says everything; items of scenes with several acts differ, so that they never are one."""
    return int(column[0]) if len(column) and (column == column[0]).all() else column.tolist()


def _long(value: Any, length: int) -> _Column:
    column = np.full(length, value) if type(value) is int else np.asarray(value)
    if column.shape != (length,) or (length and (column.dtype != np.int64 or column.min() < 0)):
        raise ValueError("columns must be whole numbers, 0 or more, and equally long")
    return column.astype(np.int64, copy=False)
