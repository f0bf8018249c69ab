"""What a network is made of, as plain frozen values: picklable, JSON-able, and cheap to import (no torch)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from segfrontier.errors import BadInput

if TYPE_CHECKING:
    from segfrontier.models.classifier import TagClassifier
    from segfrontier.models.discriminator import ImageDiscriminator, PatchDiscriminator
    from segfrontier.models.model import SegModel

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
    """`auto`: timm's weights, or random with a warning if they cannot be had; `never`; or the path of a file."""
    output_stride: int | None = None
    """Image pixels per feature at the deepest level, reached by dilation. None: what the encoder has by itself."""
    norm: Norm = "batch"
    """Encoder batch norms: `frozen` (statistics and affine), `frozen_affine` (affine only, batch statistics are
    used). `sync` is about the whole model: statistics over all workers. Layer norms are left alone."""
    drop_path: float = 0.0
    in_channels: int = 3

    def __post_init__(self) -> None:
        _must(self.norm in get_args(Norm), "norm must be one of " + ", ".join(get_args(Norm)), self.norm)
        _must(0 <= self.drop_path < 1, "drop_path must lie in [0, 1)", self.drop_path)
        _must(self.in_channels >= 1, "in_channels must be at least 1", self.in_channels)
        stride = self.output_stride
        _must(stride is None or stride >= 1, "output_stride must be a positive number, or none for native", stride)
        _must(bool(self.pretrained), "pretrained must be auto, never or a file", self.pretrained)

    def origin(self) -> str:
        """Where the encoder's initial weights come from, e.g. `timm:resnet50.a1_in1k` or `random`."""
        from segfrontier.models.weights import find_weights

        return find_weights(self).origin

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


@dataclass(frozen=True, kw_only=True)
class ModelSpec(EncoderSpec):
    """A segmentation model: one encoder, one or more decoders of the same kind, and what its logits look like."""

    head: str = "deeplab_v3plus"
    head_knobs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The head's own settings, e.g. `{"branches": 2}` for `deeplab_v2`; see the head's constructor."""
    num_classes: int
    decoders: int = 1
    """Heads on one encoder, drawn independently: the curriculum of proxy labels needs two."""
    aux: bool = False
    """One more output on the level before the deepest, for deep supervision."""
    dropout: float | None = None
    """Dropout before the last layer of every head. None: what the head's paper uses."""
    upsample: bool = True
    """Logits at the size of the image; otherwise at the head's own stride."""
    align_corners: bool = False
    """How logits are upsampled. True in the code of AdvEnt and s4GAN; a shift of a pixel at stride 8."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _must(1 <= self.num_classes <= 255, "num_classes must lie in 1..255 (255 is void)", self.num_classes)
        _must(self.decoders >= 1, "decoders must be at least 1", self.decoders)
        _must(self.dropout is None or 0 <= self.dropout < 1, "dropout must lie in [0, 1), or none", self.dropout)
        object.__setattr__(self, "head_knobs", {key: _frozen(value) for key, value in self.head_knobs.items()})

    def build(self, *, seed: int) -> SegModel:
        """See `model.build_model`."""
        from segfrontier.models.model import build_model

        return build_model(self, seed=seed)


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec(EncoderSpec):
    """A multi-label image classifier: encoder, global average pooling, one linear layer."""

    num_classes: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _must(self.num_classes >= 1, "num_classes must be at least 1", self.num_classes)
        _must(0 <= self.dropout < 1, "dropout must lie in [0, 1)", self.dropout)

    def build(self, *, seed: int) -> TagClassifier:
        """See `classifier.build_classifier`."""
        from segfrontier.models.classifier import build_classifier

        return build_classifier(self, seed=seed)


@dataclass(frozen=True, kw_only=True)
class PatchDiscriminatorSpec:
    """AdvEnt's discriminator on maps with so many channels."""

    channels: int
    width: int = 64

    def origin(self) -> str:
        """Discriminators start from random weights."""
        return "random"

    def build(self, *, seed: int) -> PatchDiscriminator:
        """The network; random weights depend on the seed alone."""
        from segfrontier.models.discriminator import PatchDiscriminator
        from segfrontier.models.seeding import init_seed

        with init_seed(seed):
            return PatchDiscriminator(self.channels, width=self.width)


@dataclass(frozen=True, kw_only=True)
class ImageDiscriminatorSpec:
    """s4GAN's discriminator on maps and images with so many channels together."""

    channels: int
    width: int = 64
    dropout: float = 0.5
    dropouts: int = 3

    def origin(self) -> str:
        """Discriminators start from random weights."""
        return "random"

    def build(self, *, seed: int) -> ImageDiscriminator:
        """The network; random weights depend on the seed alone."""
        from segfrontier.models.discriminator import ImageDiscriminator
        from segfrontier.models.seeding import init_seed

        with init_seed(seed):
            return ImageDiscriminator(self.channels, width=self.width, dropout=self.dropout, dropouts=self.dropouts)


def _must(holds: bool, rule: str, found: object) -> None:
    if not holds:
        raise BadInput(f"{rule}; found {found!r}; correct the model's settings")


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that a spec equals itself after a trip through JSON."""
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
