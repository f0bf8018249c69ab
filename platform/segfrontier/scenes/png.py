"""The plain kinds of PNG, in which data sets come: whether all of it is there, told without making pixels of it.

A file that is of any other kind, or that anything is wrong with, is not judged here: whoever asks decodes that.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

GREY, RGB, INDEXED = 0, 2, 3
_CHANNELS = {GREY: 1, RGB: 3, INDEXED: 1}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BESIDE = {b"pHYs", b"tEXt", b"tIME"}  # chunks that change nothing of the pixels


class Plain(NamedTuple):
    """What the header of a plain PNG says, and its compressed rows."""

    height: int
    width: int
    bits: int
    colour: int
    parts: tuple[memoryview, ...]
    transparent: bool

    @property
    def packed(self) -> bytes:
        """All of the compressed rows."""
        return b"".join(self.parts)


def plain(data: bytes) -> Plain | None:
    """A PNG of 8 bits (or 16, without a palette), not interlaced, whose checksums are all right; None of any other."""
    chunks = _chunks(data)
    kind, head = chunks[0] if chunks else (b"", b"")
    if kind != b"IHDR" or len(head) != 13 or head[9] not in _CHANNELS or any(head[10:]):
        return None
    bits, colour = head[8], head[9]
    beside = _BESIDE | ({b"PLTE", b"tRNS"} if colour == INDEXED else set())
    kinds = [kind for kind, _ in chunks if kind not in beside]
    if kinds != [b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND"] or bits not in (8, 8 if colour == INDEXED else 16):
        return None
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    return Plain(
        height,
        width,
        bits,
        colour,
        tuple(part for kind, part in chunks if kind == b"IDAT"),
        any(kind == b"tRNS" for kind, _ in chunks),
    )


def has_all_rows(found: Plain) -> bool:
    """Whether its rows come to just as many bytes as its header says, each with a filter that there is."""
    stride = 1 + found.width * _CHANNELS[found.colour] * found.bits // 8
    wanted = stride * found.height
    inflating = zlib.decompressobj()
    try:
        rows = inflating.decompress(found.packed, wanted + 1)
    except zlib.error:
        return False
    return len(rows) == wanted and inflating.eof and not inflating.unused_data and max(rows[::stride]) <= 4


def as_grey(found: Plain) -> bytes:
    """The file with its indices as shades of grey, and nothing beside: OpenCV would look them up in the palette."""
    sides = found.width.to_bytes(4, "big") + found.height.to_bytes(4, "big")
    head = _chunk(b"IHDR", sides + bytes([found.bits, GREY, 0, 0, 0]))
    rows = b"".join(_chunk(b"IDAT", part) for part in found.parts)
    return SIGNATURE + head + rows + _chunk(b"IEND", b"")


def beside_pixels(data: bytes) -> tuple[bool, bytes]:
    """Whether a PNG carries how transparent it is, and its block of EXIF tags, which may come after the pixels."""
    found = dict(_chunks(data))
    head = found.get(b"IHDR", b"")
    return b"tRNS" in found or (len(head) == 13 and head[9] in (4, 6)), bytes(found.get(b"eXIf", b""))


def _chunks(data: bytes) -> list[tuple[bytes, memoryview]]:
    """All chunks of a file that is nothing but whole ones; none of any other."""
    view, at = memoryview(data), len(SIGNATURE)
    found: list[tuple[bytes, memoryview]] = []
    while data.startswith(SIGNATURE) and at < len(data):
        end = at + 8 + int.from_bytes(view[at : at + 4], "big")
        if end + 4 > len(data) or zlib.crc32(view[at + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            return []
        found.append((bytes(view[at + 4 : at + 8]), view[at + 8 : end]))
        at = end + 4
    return found


def _chunk(kind: bytes, data: bytes | memoryview) -> bytes:
    return b"".join((len(data).to_bytes(4, "big"), kind, data, zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")))
