"""A dataset's own label files: read as they are, mapped to labels through a class table, unknown values refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.basics.reading import LARGE, read_bounded
from segfrontier.errors import BadWorld
from segfrontier.scenes import png
from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.codec import decode_ids, is_deep, label_oddities, whole

Encoding = Literal["ids", "colours", "instances"]
_INSTANCE_DIVISOR = 1000  # Cityscapes' instanceIds: class * 1000 + number
_BAND = 2**20  # pixels mapped at once
_ID_MODES = {"L", "P", "1", "I", "I;16", "I;16B", "I;16L"}


class UnknownLabel(BadWorld):
    """A label file holds values that the class table does not declare: the import must stop, not guess."""


class RawFile(NamedTuple):
    """A label file: its bytes as delivered, its parts where it is a plain PNG, and the raw values in it."""

    path: Path
    data: bytes
    plain: png.Plain | None
    values: NDArray[Any]

    def as_map(self, labels: NDArray[Any]) -> bytes | None:
        """How a world stores `labels`, where the file is a plain PNG of just these: as they are packed already."""
        if self.plain is None or self.plain.colour == png.RGB or self.values.dtype != labels.dtype:
            return None
        return png.as_grey(self.plain) if np.array_equal(self.values, labels) else None

    def remarks(self) -> list[str]:
        """What the file carries beside labels."""
        if self.plain is not None and not self.plain.transparent:
            return []
        return [f"{self.path}: {what}" for what in label_oddities(self.data)]


def read_label_file(path: Path) -> RawFile:
    """Read a label file once."""
    data = read_file(path)
    plain = png.plain(data)
    return RawFile(path, data, plain, _values(data, plain, str(path)))


def read_raw(data: bytes, *, name: str) -> NDArray[Any]:
    """(H, W) raw values (palette files give their indices) or (H, W, 3) colours."""
    return _values(data, png.plain(data), name)


def _values(data: bytes, plain: png.Plain | None, name: str) -> NDArray[Any]:
    if (ids := decode_ids(plain, name=name)) is not None:
        return ids
    image = whole(data, name=name, what="label image")
    if image.mode in _ID_MODES:
        raw = np.asarray(image)
        return raw.astype(np.uint8) if raw.dtype == bool else raw
    if image.mode in ("RGB", "RGBA"):
        if is_deep(data):  # Pillow would keep the upper halves, which are other ids
            raise BadWorld(
                f"{name}: a label image of colours must have 8 bits a channel; found 16. Take the file of ids."
            )
        return np.asarray(image.convert("RGB"))
    raise BadWorld(
        f"{name}: a label image has one channel of ids or RGB colours; found mode {image.mode!r}. Convert it."
    )


def guess_encoding(raw: NDArray[Any]) -> str:
    """What a label file looks like, in words, for the message of an import that stops. A million pixels will do."""
    raw = raw[:: max(1, raw.shape[0] // 1024), :: max(1, raw.shape[1] // 1024)]
    if raw.ndim == 3:
        colours = len(np.unique(raw.reshape(-1, 3), axis=0))
        return f"colour-coded classes ({colours} colours): encoding: colours" if colours <= 256 else "a photograph"
    values = np.unique(raw)
    if values.max() >= _INSTANCE_DIVISOR:
        return f"an instance map (class * {_INSTANCE_DIVISOR} + number): encoding: instances"
    if set(values.tolist()) <= {0, 255}:
        return "a binary mask (0 and 255)"
    if len(values) > 64:
        return "a grey photograph or an instance map without classes"
    return "class ids: encoding: ids, with other ids than the ones declared"


def to_labels(raw: NDArray[Any], table: ClassTable, *, encoding: Encoding, name: str) -> NDArray[np.uint8]:
    """(H, W) labels; raises `UnknownLabel` with the file, the values, their pixel counts and what they look like."""
    if (raw.ndim == 3) != (encoding == "colours"):
        raise UnknownLabel(
            f"{name}: encoding {encoding!r} is declared; the file looks like {guess_encoding(raw)}. "
            f"Change `encoding`, or convert the file."
        )
    known = dict.fromkeys(table.void_ids, VOID) | {v: i for i, c in enumerate(table.classes) for v in c.raw_ids}
    labels, strays = np.empty(raw.shape[:2], np.uint8), Counter[int]()
    for top in range(0, len(raw), max(1, _BAND // raw.shape[1])):  # band by band: sorting takes many bytes a pixel
        rows = slice(top, top + max(1, _BAND // raw.shape[1]))
        values, counts, labels[rows] = _mapped(raw[rows], encoding, known)
        strays.update({v: n for v, n in zip(values, counts, strict=True) if v not in known})
    if strays:
        listed = ", ".join(f"{_spelled(v, encoding)} on {n} px" for v, n in sorted(strays.items())[:5])
        more = f" and {len(strays) - 5} more" if len(strays) > 5 else ""
        raise UnknownLabel(
            f"{name}: each value must belong to a class or be declared void; unknown: {listed}{more}. The file looks "
            f"like {guess_encoding(raw)}. Add the value to a class or to `void`, or correct the declared encoding."
        )
    return labels


def _mapped(
    raw: NDArray[Any], encoding: Encoding, known: Mapping[int, int]
) -> tuple[list[int], list[int], NDArray[np.uint8]]:
    """The values in (part of) a label file, how often each is there, and the labels that they are known as."""
    if encoding == "colours":
        raw = pack_colours(raw)
    elif encoding == "instances":
        raw = raw.astype(np.int64)  # a map of stuff alone may be stored with 8 bits
        raw = np.where(raw >= _INSTANCE_DIVISOR, raw // _INSTANCE_DIVISOR, raw)
    if raw.dtype in (np.uint8, np.uint16):  # counting takes a small part of the time of sorting
        tally = np.bincount(raw.ravel())
        values = np.flatnonzero(tally)
        label_of = np.zeros(len(tally), np.uint8)
        label_of[values] = [known.get(v, VOID) for v in values.tolist()]
        return values.tolist(), tally[values].tolist(), label_of.take(raw)
    values, counts = np.unique(raw, return_counts=True)
    labels = np.array([known.get(v, VOID) for v in values.tolist()], np.uint8)
    return values.tolist(), counts.tolist(), labels[np.searchsorted(values, raw)]


def pack_colours(colours: NDArray[Any]) -> NDArray[np.int64]:
    """(H, W) integers 0xRRGGBB, the form in which a class table holds colours as raw ids."""
    wide = colours.astype(np.int64)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _spelled(value: int, encoding: Encoding) -> str:
    if encoding == "colours":
        return f"colour ({value >> 16}, {value >> 8 & 255}, {value & 255})"
    return f"id {value}"


def instances_from_raw(raw: NDArray[Any], labels: NDArray[np.uint8], table: ClassTable) -> NDArray[np.uint16]:
    """Instance ids 1..n from a Cityscapes-style map; thing pixels without a number (groups) stay 0."""
    return _renumber(np.where(raw >= _INSTANCE_DIVISOR, raw, 0), labels, table)


def instances_from_file(
    ids: NDArray[Any], labels: NDArray[np.uint8], table: ClassTable, *, name: str
) -> NDArray[np.uint16]:
    """Instance ids 1..n from a map of bare ids; an id that touches two classes becomes two instances."""
    if ids.ndim != 2:
        raise BadWorld(f"{name}: an instance file has one channel of ids; found {ids.shape[2]}. Convert it.")
    return _renumber(ids, labels, table)


def instances_as_they_are(ids: NDArray[Any], *, name: str) -> NDArray[np.uint16]:
    """Instance ids of a map that a world held before."""
    if ids.ndim != 2 or ids.dtype.kind not in "iu" or not 0 <= int(ids.min()) <= int(ids.max()) < 65536:
        raise BadWorld(f"{name}: an instance file of an export has one channel of ids from 0 to 65535; it has not.")
    return ids.astype(np.uint16)


def components(labels: NDArray[np.uint8], table: ClassTable) -> NDArray[np.uint16]:
    """Connected components of countable classes, standing in for instances that a dataset does not have."""
    out = np.zeros(labels.shape, np.int32)
    for label in table.things:
        mask = labels == label
        if mask.any():
            _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
            out[mask] = parts[mask] + out.max()
    return _renumber(out, labels, table)


def _renumber(ids: NDArray[Any], labels: NDArray[np.uint8], table: ClassTable) -> NDArray[np.uint16]:
    keep = (ids > 0) & np.isin(labels, table.things)
    out = np.zeros(labels.shape, np.uint16)
    found, inverse = np.unique(ids[keep].astype(np.int64) * 256 + labels[keep], return_inverse=True)
    if len(found) >= 65536:
        raise BadWorld(f"a scene may hold up to 65535 instances; found {len(found)}")
    out[keep] = (inverse + 1).astype(np.uint16)
    return out


def oddities(paths: Iterable[Path]) -> list[str]:
    """What label files carry beside labels, by file."""
    return [f"{path}: {what}" for path in paths for what in label_oddities(read_file(path))]


def read_file(path: Path) -> bytes:
    """A file's bytes, or an error that names it."""
    try:
        return read_bounded(path, LARGE)
    except OSError as error:
        raise BadWorld(f"{path}: must be a readable file ({error})") from error
