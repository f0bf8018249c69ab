"""Readers of label files that several data sets share: from a scene's files to raw ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes.importing.layout import Item, RawTruth
from segfrontier.scenes.raw import read_file, read_raw


def ids(path: Path) -> NDArray[Any]:
    """(H, W) values of a grey or palette file."""
    raw = read_raw(read_file(path), name=str(path))
    if raw.ndim != 2:
        raise BadWorld(f"{path}: must have one channel of class ids; found colours. Take the file that holds ids.")
    return raw


def numbers_in_colours(path: Path) -> NDArray[np.int64]:
    """(H, W) numbers R + 256 G + 65536 B of a colour file."""
    raw = read_raw(read_file(path), name=str(path))
    if raw.ndim != 3:
        raise BadWorld(f"{path}: must hold numbers as colours (R + 256 G + 65536 B); found one channel.")
    wide = raw.astype(np.int64)
    return wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2]


def plain(item: Item) -> RawTruth:
    """One file of class ids."""
    return RawTruth(semantic=ids(item.labels["semantic"]))
