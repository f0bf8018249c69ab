"""Images that show the same, found without comparing each with each.

An image's sign are 64 bits: which of its lowest frequencies (of a discrete cosine transform of 32x32 grey pixels) lie
over their median. Signs that differ in three bits at most agree in one of four parts of 16 bits, so that only images
that share a part are compared; what then counts as the same must also agree as a picture of 16x16 grey pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MOST_BITS = 6  # that differ; up to 3 all pairs are found, beyond that those that share a part
MOST_GREY = 4.0  # levels of 255 by which the small pictures differ on average
_PARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """What is kept of one image."""

    scene: str
    split: str
    digest: str
    sign: int
    small: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Two images of different splits that show the same, and by how many of 64 bits they differ."""

    first: str
    second: str
    bits: int


def likeness(scene: str, split: str, digest: str, image: NDArray[np.uint8]) -> Likeness:
    """The sign and the small picture of an RGB image."""
    grey = cv2.cvtColor(cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    low = cv2.dct(grey.astype(np.float32))[:8, :8].ravel()
    low[np.abs(low) < 1e-3] = 0  # what rounding leaves of a frequency that is not there
    bits = low[1:] > np.median(low[1:])  # all but the mean
    sign = int(np.packbits(np.append(bits, False)).view(">u8")[0])
    small = np.asarray(cv2.resize(grey, (16, 16), interpolation=cv2.INTER_AREA), np.uint8)
    return Likeness(scene, split, digest, sign, small)


def twins(images: Sequence[Likeness]) -> list[Twins]:
    """Pairs of different splits that show the same but are not the same file, the most alike first."""
    names = {name: number for number, name in enumerate(dict.fromkeys(i.split for i in images))}
    splits = np.array([names[i.split] for i in images], np.int64)
    if len(names) < 2:
        return []
    signs = np.array([i.sign for i in images], np.uint64)
    small = np.stack([i.small for i in images])
    found: dict[tuple[int, int], int] = {}
    for left, rights in _candidates(signs, splits):
        apart = np.bitwise_count(signs[rights] ^ signs[left])
        rights, apart = rights[apart <= MOST_BITS], apart[apart <= MOST_BITS]
        for right, bits in zip(rights.tolist(), apart.tolist(), strict=True):
            if images[left].digest != images[right].digest and _grey(small[left], small[right]) <= MOST_GREY:
                found[left, right] = bits
    order = sorted(found.items(), key=lambda item: (item[1], item[0]))
    return [Twins(first=_where(images[a]), second=_where(images[b]), bits=bits) for (a, b), bits in order]


def _candidates(signs: NDArray[np.uint64], splits: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[Any]]]:
    """An image, and later ones of other splits that share a part of its sign; a pair may come more than once."""
    for part in range(_PARTS):
        keys = (signs >> np.uint64(16 * part)) & np.uint64(0xFFFF)
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(order, edges):
            if len(bucket) > 1 and len(np.unique(splits[bucket])) > 1:
                for at, left in enumerate(bucket.tolist()):
                    later = bucket[at + 1 :]
                    yield left, later[splits[later] != splits[left]]


def _grey(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> float:
    return float(np.abs(left.astype(np.int16) - right).mean())


def _where(image: Likeness) -> str:
    return f"{image.split}:{image.scene}"
