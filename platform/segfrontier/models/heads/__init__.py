"""Segmentation heads by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from segfrontier.errors import BadInput
from segfrontier.models.heads.base import Head as Head
from segfrontier.models.heads.deeplab_v2 import DeepLabV2
from segfrontier.models.heads.deeplab_v3plus import DeepLabV3Plus
from segfrontier.models.heads.fcn import FCN
from segfrontier.models.heads.fpn import FPN
from segfrontier.models.heads.pspnet import PSPNet
from segfrontier.models.heads.segformer import SegFormer
from segfrontier.models.pyramid import Level
from segfrontier.models.spec import nearest

HEADS: Mapping[str, type[Head]] = {
    "deeplab_v2": DeepLabV2,
    "deeplab_v3plus": DeepLabV3Plus,
    "fpn": FPN,
    "pspnet": PSPNet,
    "segformer": SegFormer,
}


def head_class(name: str, settings: Mapping[str, Any]) -> type[Head]:
    """The class of that name; BadInput if there is none, or if it lacks one of the settings."""
    if name not in HEADS:
        raise BadInput(f"head must be one of {', '.join(HEADS)}; found {name!r}: {nearest(name, [*HEADS])}")
    known = knobs(HEADS[name])
    for knob in settings:
        if knob not in known:
            raise BadInput(f"head {name!r} has the knobs {', '.join(known)}; found {knob!r}: {nearest(knob, [*known])}")
    return HEADS[name]


def knobs(head: type[Head]) -> dict[str, Any]:
    """A head's own settings and their defaults."""
    parameters = inspect.signature(head).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "dropout"}


def make_head(
    kind: type[Head], levels: Sequence[Level], classes: int, *, dropout: float | None, settings: Mapping[str, Any]
) -> Head:
    """One decoder on the levels that its class taps."""
    build: Any = kind
    head: Head = build(levels, classes, dropout=dropout, **settings)
    return head


def make_aux(
    kind: type[Head], level: Level, classes: int, *, dropout: float | None, settings: Mapping[str, Any]
) -> Head:
    """What supervises the level before the deepest: DeepLab-v2's own head in its two-level form, else an FCN."""
    if kind is DeepLabV2:
        return make_head(DeepLabV2, [level], classes, dropout=dropout, settings=settings)
    return make_head(FCN, [level], classes, dropout=dropout, settings={})
