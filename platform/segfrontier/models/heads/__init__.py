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
from segfrontier.models.plan import Level
from segfrontier.models.spec import ModelSpec, nearest

HEADS: Mapping[str, type[Head]] = {
    "deeplab_v2": DeepLabV2,
    "deeplab_v3plus": DeepLabV3Plus,
    "fpn": FPN,
    "pspnet": PSPNet,
    "segformer": SegFormer,
}


def head_class(spec: ModelSpec) -> type[Head]:
    """The class behind `spec.head`; BadInput if there is none, or if it lacks one of `spec.head_knobs`."""
    if spec.head not in HEADS:
        raise BadInput(f"head must be one of {', '.join(HEADS)}; found {spec.head!r}: {nearest(spec.head, [*HEADS])}")
    known = knobs(HEADS[spec.head])
    for knob in spec.head_knobs:
        if knob not in known:
            raise BadInput(
                f"head {spec.head!r} has the knobs {', '.join(known)}; found {knob!r}: {nearest(knob, [*known])}"
            )
    return HEADS[spec.head]


def knobs(head: type[Head]) -> dict[str, Any]:
    """A head's own settings and their defaults."""
    parameters = inspect.signature(head).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "dropout"}


def make_head(spec: ModelSpec, levels: Sequence[Level]) -> Head:
    """One decoder of `spec` on the levels that its class taps."""
    build: Any = head_class(spec)
    head: Head = build(levels, spec.num_classes, dropout=spec.dropout, **spec.head_knobs)
    return head


def aux_class(spec: ModelSpec) -> type[Head]:
    """What supervises the level before the deepest: DeepLab-v2's own head in its two-level form, else an FCN."""
    return DeepLabV2 if head_class(spec) is DeepLabV2 else FCN


def make_aux(spec: ModelSpec, level: Level) -> Head:
    """The auxiliary head of `spec` on one level."""
    build: Any = aux_class(spec)
    settings = spec.head_knobs if build is DeepLabV2 else {}
    head: Head = build([level], spec.num_classes, dropout=spec.dropout, **settings)
    return head
