"""Label maps as PNG files of numbers that any viewer shows in the classes' colours."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import encode_map

_HEAD = 33  # bytes of a PNG's signature and header, which come first
_COLOUR_TYPE, _PALETTE = 25, 3


def palette_png(labels: NDArray[np.uint8], classes: ClassTable) -> bytes:
    """A grey PNG and one with a palette hold the same bytes of pixels: the header is changed, and colours put in."""
    grey = encode_map(labels)
    header = bytearray(grey[12 : _HEAD - 4])  # type and content of the header, without length and checksum
    header[_COLOUR_TYPE - 12] = _PALETTE
    colours = b"PLTE" + classes.palette.tobytes()
    return b"".join(
        (grey[:12], header, _checksum(header), (len(colours) - 4).to_bytes(4, "big"), colours, _checksum(colours),
         grey[_HEAD:])
    )  # fmt: skip


def _checksum(chunk: bytes | bytearray) -> bytes:
    return zlib.crc32(chunk).to_bytes(4, "big")
