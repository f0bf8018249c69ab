"""Readers of label files that several data sets share: from a scene's files to raw ids."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes.codec import decode_deep
from segfrontier.scenes.importing.layout import RawTruth, SceneFiles
from segfrontier.scenes.raw import read_file, read_raw


def ids(path: Path) -> NDArray[Any]:
    """(H, W) values of a grey or palette file."""
    raw = read_raw(read_file(path), name=str(path))
    if raw.ndim == 3 and (raw[..., 0] == raw[..., 1]).all() and (raw[..., 0] == raw[..., 2]).all():
        return raw[..., 0]  # grey, stored as colours
    if raw.ndim != 2:
        raise BadWorld(f"{path}: must have one channel of class ids; found colours. Take the file that holds ids.")
    return raw


def deep(path: Path) -> NDArray[Any]:
    """(H, W, C) values of a file with several channels of 16 bits, red first."""
    values = decode_deep(read_file(path), name=str(path))
    if values.ndim != 3 or values.dtype != np.uint16:
        found = f"{values.shape[2] if values.ndim == 3 else 1} of {8 * values.dtype.itemsize} bits"
        raise BadWorld(f"{path}: must have channels of 16 bits for classes and instances; found {found}.")
    return values


def matrix(path: Path, *fields: str) -> NDArray[Any]:
    """(H, W) of a MATLAB file: the variable `fields[0]`, or a field of that structure."""
    from scipy.io import loadmat  # it takes its time, and most data sets need none of it

    data = read_file(path)
    try:
        value: Any = loadmat(io.BytesIO(data), variable_names=fields[:1])[fields[0]]
        for name in fields[1:]:
            value = value[name][0, 0]
        out: NDArray[Any] = np.asarray(value)
    except Exception as error:  # SciPy's reader raises whatever it stumbles over
        raise BadWorld(
            f"{path}: must be a whole MATLAB file with {'.'.join(fields)}; it is not ({error}). Replace the file."
        ) from None
    if out.ndim != 2 or out.dtype.kind not in "iu":
        raise BadWorld(f"{path}: {'.'.join(fields)} must be a map of whole numbers; found {out.shape} {out.dtype}.")
    return out


def colours(path: Path) -> NDArray[Any]:
    """(H, W, 3) values of a colour file."""
    raw = read_raw(read_file(path), name=str(path))
    if raw.ndim != 3:
        raise BadWorld(f"{path}: must hold numbers as colours (red, green, blue); found one channel.")
    return raw


def numbers_in_colours(path: Path) -> NDArray[np.int64]:
    """(H, W) numbers R + 256 G + 65536 B of a colour file."""
    wide = colours(path).astype(np.int64)
    return wide[..., 0] + 256 * wide[..., 1] + 65536 * wide[..., 2]


def plain(item: SceneFiles) -> RawTruth:
    """One file of class ids."""
    return RawTruth(semantic=ids(item.labels["semantic"]))
