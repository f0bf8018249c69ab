"""Labels that were delivered in another encoding than was declared, as far as the result gives it away.

Most mix-ups stop an import, because they bring values that nobody declared. What remains are those that bring declared
values alone: ids of one table read by another, a file's loss taken for labels, label files delivered as images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.classes import CITYSCAPES, ClassTable

STREET: Mapping[str, float] = {
    "road": 0.369, "sidewalk": 0.061, "building": 0.228, "wall": 0.007, "fence": 0.009, "pole": 0.012, "light": 0.002,
    "sign": 0.006, "vegetation": 0.159, "terrain": 0.012, "sky": 0.040, "person": 0.012, "rider": 0.001, "car": 0.070,
    "truck": 0.003, "bus": 0.002, "train": 0.002, "motorcycle": 0.001, "bicycle": 0.004,
}  # fmt: skip
"""About the shares of pixels in Cityscapes' training labels, rounded and from memory: what streets look like. The
thresholds below leave room for that."""
_FAR, _NEARER = 0.4, 0.25  # total variation from STREET as it was read, and by how much less in another encoding
_FEWEST = 3  # classes that must be readable in the other encoding


def total_variation(left: Sequence[float], right: Sequence[float]) -> float:
    """Half the sum of differences of two lists of shares: the share of pixels that would have to change class."""
    return float(np.abs(np.asarray(left, float) - np.asarray(right, float)).sum() / 2)


def other_encoding(classes: ClassTable, pixels: Sequence[int]) -> str:
    """The encoding in which these labels look like streets while they do not as they were read; empty for none.

    Only for classes named as Cityscapes' are: of no other is it known how much of an image they fill.
    """
    known = [name for name in classes.names if name in STREET]
    if len(known) < 5 or "road" not in known or not sum(pixels[: len(classes)]):
        return ""
    declared = {raw: label for label, c in enumerate(classes.classes) for raw in c.raw_ids}
    read = [float(pixels[classes.index(name)]) for name in known]
    as_read = _distance(read, known)
    best, name = min(((_under(codes, declared, pixels), name) for name, codes in _encodings(classes).items()))
    return name if as_read >= _FAR and best <= as_read - _NEARER else ""


def _encodings(classes: ClassTable) -> dict[str, dict[str, int]]:
    """What each class's pixels hold, by encoding."""
    named = [c for c in classes.classes if c.name in STREET]
    ids = {c.name: c.raw_ids[0] for c in CITYSCAPES.classes}
    greys = cv2.cvtColor(np.array([[c.colour for c in named]], np.uint8), cv2.COLOR_RGB2GRAY)[0].tolist()
    grey = {c.name: value for c, value in zip(named, greys, strict=True)}
    return {
        "Cityscapes' labelIds (road is 7)": {c.name: ids[c.name] for c in named},
        "trainIds (road is 0)": {c.name: CITYSCAPES.index(c.name) for c in named},
        "the grey values of the classes' colours": grey,
        "the red channel of the classes' colours": {c.name: c.colour[0] for c in named},
    }


def _under(codes: Mapping[str, int], declared: Mapping[int, int], pixels: Sequence[int]) -> float:
    """How far from streets the labels are if the files held these codes; 2 where that is what was declared."""
    readable = [name for name, code in codes.items() if code in declared]
    if len(readable) < _FEWEST or len({codes[name] for name in readable}) < len(readable):
        return 2.0
    return _distance([float(pixels[declared[codes[name]]]) for name in readable], readable)


def _distance(found: Sequence[float], names: Sequence[str]) -> float:
    usual, there = sum(STREET[name] for name in names), sum(found)
    if not there:
        return 1.0
    return total_variation([value / there for value in found], [STREET[name] / usual for name in names])


def speckle(labels: NDArray[Any]) -> float:
    """The share of pixels that differ from both neighbours in their row: high where a file's loss made labels."""
    if labels.shape[1] < 3:
        return 0.0
    change = labels[:, 1:] != labels[:, :-1]
    return float((change[:, 1:] & change[:, :-1]).mean())


def is_drawn(image: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bool:
    """Whether an image has the classes' colours and no others: a label file where a photograph should be."""
    rows = np.linspace(0, image.shape[0] - 1, min(48, image.shape[0])).astype(int)
    columns = np.linspace(0, image.shape[1] - 1, min(48, image.shape[1])).astype(int)
    packed = _packed(image[np.ix_(rows, columns)]).ravel()
    known = np.isin(packed, _packed(palette))
    return bool(known.mean() > 0.99 and len(np.unique(packed)) > 1)


def _packed(colours: NDArray[np.uint8]) -> NDArray[np.int64]:
    wide = colours.astype(np.int64)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
