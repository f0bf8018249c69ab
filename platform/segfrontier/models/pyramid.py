"""How a timm encoder must be opened: which options it needs, what it gives, and what it refuses.

Everything is found out on the meta device: no weights, no memory, tenths of a second, before any training.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import timm
import torch
from timm.models._features import FeatureGetterNet
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.models.spec import EncoderSpec, nearest

_PROBE = (129, 193)  # odd, not square, and large enough for every encoder's deepest level
_FLAT_LEVELS = 4  # an isotropic encoder has one level a block; heads read this many, evenly spaced
_PYRAMID = 6  # no pyramid in timm has more levels than this

# What timm raises when an encoder does not know an option or a size. It has no error class of its own.
_REFUSALS = (TypeError, ValueError, AssertionError, RuntimeError, AttributeError, LookupError)


Body: TypeAlias = Any
"""A feature extractor of timm: a module with `feature_info`. timm is untyped."""


class Level(NamedTuple):
    """One level of an encoder's features: how many channels, and how many image pixels to a feature."""

    channels: int
    reduction: int


class NormedFeatures(FeatureGetterNet):
    """Blocks of a transformer, each through the encoder's own last norm.

    The raw residual stream grows with depth; the norm puts all tapped blocks on one scale.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs | {"norm": True})


@dataclass(frozen=True, kw_only=True)
class EncoderPlan:
    """An encoder's levels, shallow to deep, and how to get them."""

    levels: tuple[Level, ...]
    multiple: int
    """Images are padded to a multiple of this many pixels; 1 where any size is taken."""
    channels_last: bool
    options: dict[str, Any] = field(compare=False)
    """Arguments for `timm.create_model`."""


def plan_encoder(spec: EncoderSpec) -> EncoderPlan:
    """How to open the encoder of `spec`; BadInput if it cannot do what is asked."""
    return _plan(spec.encoder, spec.output_stride, spec.in_channels, spec.drop_path)


def open_body(name: str, options: dict[str, Any]) -> Body:
    """The encoder as timm's feature extractor, with random weights, on the current default device."""
    return timm.create_model(name, pretrained=False, features_only=True, **options)


@lru_cache(maxsize=64)
def _plan(name: str, output_stride: int | None, in_channels: int, drop_path: float) -> EncoderPlan:
    _require_known(name)
    options: dict[str, Any] = {"in_chans": in_channels}
    body = _try(name, options, f"encoder {name!r} must offer features per level")
    if drop_path:
        options["drop_path_rate"] = drop_path
        body = _try(name, options, f"encoder {name!r} must know drop_path to use {drop_path}")
    native = int(body.feature_info.reduction()[-1])
    if output_stride not in (None, native):
        options["output_stride"] = output_stride
        body = _dilated(name, options, native)
    options["out_indices"] = tuple(body.feature_info.out_indices)
    if _flat(body):
        options["out_indices"] = _spread(len(body.feature_info.info))
        if isinstance(body, FeatureGetterNet):
            options["feature_cls"] = NormedFeatures
    return _fit_to_any_size(name, options, body.feature_info.reduction())


def _require_known(name: str) -> None:
    if ":" in name or "/" in name:
        raise BadInput(
            f"an encoder must be a plain timm name such as 'resnet50'; found {name!r}. To use weights of your own, "
            f"give the architecture's name here and the file as `pretrained`"
        )
    base = name.partition(".")[0]
    if not timm.is_model(base):
        raise BadInput(
            f"an encoder must be one of timm's {len(timm.list_models())} models; found {name!r}: "
            f"{nearest(base, timm.list_models())}"
        )
    tags = timm.list_pretrained(base)
    if name != base and name not in tags:
        raise BadInput(f"{base!r} has no weights tagged {name!r}; it has: {', '.join(tags) or 'none'}; choose one")


def _meta(name: str, options: dict[str, Any]) -> Body:
    with torch.device("meta"):
        return open_body(name, options).eval()


def _try(name: str, options: dict[str, Any], rule: str) -> Body:
    try:
        return _meta(name, options)
    except _REFUSALS as refusal:
        raise BadInput(f"{rule}; timm refused: {_first_line(refusal)}. Choose another encoder") from refusal


def _dilated(name: str, options: dict[str, Any], native: int) -> Body:
    wanted = options["output_stride"]
    try:
        body = _meta(name, options)
        reached = body.feature_info.reduction()[-1]
        if reached == wanted:
            return body
        why = f"it stays at {reached}"
    except _REFUSALS as refusal:
        why = f"timm refused: {_first_line(refusal)}"
    raise BadInput(
        f"encoder {name!r} must reach output stride {wanted}; its own is {native} and it does not dilate to "
        f"{wanted} ({why}). Leave output_stride out, or choose an encoder that dilates, such as resnet50"
    )


def _flat(body: Body) -> bool:
    """Whether the levels are the blocks of an isotropic encoder, not the stages of a pyramid."""
    reductions = {level["reduction"] for level in body.feature_info.info}
    return len(reductions) == 1 or len(body.feature_info.info) > _PYRAMID


def _spread(blocks: int) -> tuple[int, ...]:
    taken = min(_FLAT_LEVELS, blocks)
    return tuple((i + 1) * blocks // taken - 1 for i in range(taken))


def _fit_to_any_size(name: str, options: dict[str, Any], reductions: list[int]) -> EncoderPlan:
    """The first way, from the plainest on, in which the encoder takes an image of any size."""
    why = ""
    for extra in ({}, {"dynamic_img_size": True}):
        for multiple in sorted({1, reductions[0], reductions[-1]}):
            chosen = options | extra
            try:
                body = _meta(name, chosen)
                levels = _measure(body, multiple, chosen["in_chans"])
            except _REFUSALS as refusal:
                why = why or _first_line(refusal)
                continue
            return EncoderPlan(levels=levels, multiple=multiple, channels_last=_channels_last(body), options=chosen)
    raise BadInput(
        f"encoder {name!r} must take images of any size; it does not: {why}. "
        f"Choose one without a fixed input size (ResNet, ConvNeXt, Swin, DINOv2, plain ViT, ...)"
    )


def _measure(body: Body, multiple: int, in_channels: int) -> tuple[Level, ...]:
    """The levels that really come out for an odd size; ValueError if they are not what timm declares."""
    height, width = (-(-side // multiple) * multiple for side in _PROBE)
    with torch.no_grad():
        features: list[Tensor] = body(torch.empty(1, in_channels, height, width, device="meta"))
    levels = tuple(map(Level, body.feature_info.channels(), body.feature_info.reduction()))
    for feature, level in zip(features, levels, strict=True):
        _, channels, rows, columns = (feature.permute(0, 3, 1, 2) if _channels_last(body) else feature).shape
        expected = (height / level.reduction, width / level.reduction)
        # A wrong reshape of tokens shows in the channels; features of a fixed size show in rows and columns.
        near = all(abs(n - e) <= 2 + e / 4 for n, e in zip((rows, columns), expected, strict=True))
        if channels != level.channels or not near:
            raise ValueError(f"{height}x{width} pixels give features {tuple(feature.shape[1:])}, declared {level}")
    return levels


def _channels_last(body: Body) -> bool:
    return str(getattr(body, "output_fmt", "")).endswith("NHWC")


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
