"""The class tables of PASCAL VOC 2012 and of PASCAL-Context's 59 most frequent classes, each with a background."""

from __future__ import annotations

from segfrontier.scenes.classes import ClassTable, SceneClass

_VOC = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
_CONTEXT = (
    "background aeroplane bag bed bedclothes bench bicycle bird boat book bottle building bus cabinet car cat ceiling "
    "chair cloth computer cow cup curtain dog door fence floor flower food grass ground horse keyboard light motorbike "
    "mountain mouse person plate platform pottedplant road rock sheep shelves sidewalk sign sky snow sofa table track "
    "train tree truck tvmonitor wall water window wood"
)


def bit_colour(label: int) -> tuple[int, int, int]:
    """The benchmark's own: the bits of a label, dealt out to red, green and blue from the highest one down."""
    channels = [sum((label >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8)) for channel in range(3)]
    return channels[0], channels[1], channels[2]


def _table(name: str, names: str) -> ClassTable:
    things = frozenset(_VOC.split()[1:])
    classes = (
        SceneClass(name=each, colour=bit_colour(label), thing=each in things, raw_ids=(label,))
        for label, each in enumerate(names.split())
    )
    return ClassTable(name=name, classes=tuple(classes), void_ids=(255,))


VOC = _table("voc", _VOC)
"""Labels 0 to 20; 255 is void, the outlines among it."""

PASCAL_CONTEXT = _table("pascal-context", _CONTEXT)
"""Labels 0 to 59, of which 0 stands for all other classes."""
