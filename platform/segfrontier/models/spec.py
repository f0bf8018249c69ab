"""What an encoder is made of, as plain frozen values: picklable, JSON-able. Each network adds its own beside itself."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from segfrontier.errors import BadInput
from segfrontier.models.weights import find_weights, is_origin

Norm = Literal["batch", "frozen", "frozen_affine", "sync"]


def nearest(name: str, known: list[str]) -> str:
    """A clause that helps with a misspelt name: near matches, or the full list if it is short."""
    close = difflib.get_close_matches(name, known, n=5, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"known: {', '.join(known)}" if len(known) <= 20 else f"none of {len(known)} known names is close"


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """The part that segmentation models and classifiers share."""

    encoder: str
    """A timm name, with or without a weights tag: `resnet101`, `vit_small_patch14_dinov2.lvd142m`."""
    pretrained: str = "auto"
    """`auto`: timm's weights, else an installed package's, or random with a warning if there are none; `never`; the
    path of a file; or an origin: `timm:resnet50.a1_in1k`, `package:NAME`, `package:NAME VERSION#DIGEST (LICENCE)`."""
    output_stride: int | None = None
    """Image pixels per feature at the deepest level, reached by dilation. None: what the encoder has by itself."""
    norm: Norm = "batch"
    """Encoder batch norms: `frozen` (statistics and affine), `frozen_affine` (affine only, batch statistics are
    used). `sync` is about the whole model: statistics over all workers. Layer norms are left alone."""
    drop_path: float = 0.0
    in_channels: int = 3

    def __post_init__(self) -> None:
        must(self.norm in get_args(Norm), "norm must be one of " + ", ".join(get_args(Norm)), self.norm)
        must(0 <= self.drop_path < 1, "drop_path must lie in [0, 1)", self.drop_path)
        must(self.in_channels >= 1, "in_channels must be at least 1", self.in_channels)
        stride = self.output_stride
        must(stride is None or stride >= 1, "output_stride must be a positive number, or none for native", stride)
        must(bool(self.pretrained), "pretrained must be auto, never or a file", self.pretrained)

    def origin(self) -> str:
        """Where the encoder's initial weights come from, e.g. `timm:resnet50.a1_in1k` or `random`."""
        return self.pretrained if is_origin(self.pretrained) else find_weights(self.encoder, self.pretrained).origin

    def to_json(self) -> dict[str, Any]:
        """A plain form that `from_json` reads back."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """The spec that `to_json` wrote, or one written by hand; a misspelt key names its neighbours."""
        known = [f.name for f in fields(cls)]
        for key in plain:
            if key not in known:
                raise BadInput(f"a model is described by {', '.join(known)}; found {key!r}: {nearest(key, known)}")
        missing = [name for name in ("encoder", "num_classes") if name in known and name not in plain]
        if missing:
            raise BadInput(f"a model needs {' and '.join(missing)}; found only {', '.join(plain) or 'nothing'}; add it")
        return cls(**plain)


def must(holds: bool, rule: str, found: object) -> None:
    """BadInput, with the rule, where a setting breaks it."""
    if not holds:
        raise BadInput(f"{rule}; found {found!r}; correct the model's settings")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
