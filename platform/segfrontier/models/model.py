"""Segmentation models: one timm encoder, one or more heads, logits at the size of the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from segfrontier.errors import BadInput
from segfrontier.models.encoder import Encoder
from segfrontier.models.heads import head_class, make_aux, make_head
from segfrontier.models.network import EncoderNetwork, build_network, check_network, has_batch_norm
from segfrontier.models.spec import EncoderSpec, must


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
        must(1 <= self.num_classes <= 255, "num_classes must lie in 1..255 (255 is void)", self.num_classes)
        must(self.decoders >= 1, "decoders must be at least 1", self.decoders)
        must(self.dropout is None or 0 <= self.dropout < 1, "dropout must lie in [0, 1), or none", self.dropout)
        object.__setattr__(self, "head_knobs", {key: _frozen(value) for key, value in self.head_knobs.items()})

    def build(self, *, seed: int) -> SegModel:
        """See `model.build_model`."""
        return build_model(self, seed=seed)


class SegOutput(NamedTuple):
    """What a model says about a batch. A tuple, so that data-parallel wrappers and compilers see its tensors."""

    logits: tuple[Tensor, ...]
    """One (N, K, H, W) per decoder."""
    aux: Tensor | None
    """(N, K, H, W) of the level before the deepest, if the model has that output."""
    features: tuple[Tensor, ...]
    """The encoder's levels that the decoders read, shallow to deep, on the padded image's grid."""

    @property
    def mean_logits(self) -> Tensor:
        """The prediction: the decoders' logits, averaged before the softmax."""
        return self.logits[0] if len(self.logits) == 1 else torch.stack(self.logits).mean(dim=0)


class SegModel(EncoderNetwork):
    """An encoder under its decoders. Made by `build_model`."""

    def __init__(self, spec: ModelSpec, encoder: Encoder) -> None:
        super().__init__(spec, encoder)
        self.spec = spec
        kind = head_class(spec.head, spec.head_knobs)
        settings: dict[str, Any] = {"dropout": spec.dropout, "settings": spec.head_knobs}
        self._taps = kind.taps(encoder.levels)
        tapped = [encoder.levels[i] for i in self._taps]
        self.decoders = nn.ModuleList(
            make_head(kind, tapped, spec.num_classes, **settings) for _ in range(spec.decoders)
        )
        if spec.aux and len(encoder.levels) < 2:
            raise BadInput(f"aux needs an encoder of two levels or more; {spec.encoder!r} has one; leave aux out")
        self.aux = make_aux(kind, encoder.levels[-2], spec.num_classes, **settings) if spec.aux else None

    def forward(self, images: Tensor) -> SegOutput:
        """Logits of images (N, C, H, W) in [0, 1] of any size."""
        levels = self.encoder(images)
        features = tuple(levels[i] for i in self._taps)
        aux = None if self.aux is None else self._to_image(self.aux([levels[-2]]), images)
        del levels  # the finest ones are large, and nobody reads them while the logits grow
        logits = tuple(self._to_image(head(features), images) for head in self.decoders)
        return SegOutput(logits, aux, features)

    def supervised(self, images: Tensor) -> list[Tensor]:
        """Logits of every decoder, and of the auxiliary head if there is one."""
        output = self(images)
        return [*output.logits] if output.aux is None else [*output.logits, output.aux]

    def facets(self) -> dict[str, str | int]:
        """What makes two runs comparable or not, for their records."""
        return {
            "encoder": self.spec.encoder,
            "weights": self.weights_origin,
            "head": self.spec.head,
            "output_stride": self.encoder.levels[-1].reduction,
            "norm": self.spec.norm,
            "parameters": sum(p.numel() for p in self.parameters()),
        }

    def _to_image(self, logits: Tensor, images: Tensor) -> Tensor:
        if not self.spec.upsample:
            return logits
        height, width = images.shape[-2:]
        size = self.encoder.padded_size(height, width)
        full = functional.interpolate(logits, size=size, mode="bilinear", align_corners=self.spec.align_corners)
        return full[..., :height, :width]


def build_model(spec: ModelSpec, *, seed: int) -> SegModel:
    """The network of `spec` on the CPU, in training mode; random weights depend on the seed alone.

    BadInput if it cannot be built, before any weight is fetched; a warning if `pretrained="auto"` found no weights.
    """
    return build_network(SegModel, spec, seed=seed)


def check_spec(spec: ModelSpec, *, workers: int = 1, gpu: bool = False) -> None:
    """BadInput if `spec` cannot be trained on so many workers. Costs no memory and tenths of a second."""
    check_network(SegModel, spec, workers=workers, gpu=gpu)


def needs_batch_norm(spec: ModelSpec, purpose: str) -> None:
    """BadInput if `spec` has no batch norm whose statistics move, which `purpose` needs."""
    if spec.norm == "frozen" or not has_batch_norm(SegModel, spec):
        raise BadInput(
            f"{purpose} needs batch norms whose statistics are not frozen; found encoder {spec.encoder}, head "
            f"{spec.head}, norm: {spec.norm}. Choose an encoder with batch norm and norm: batch, frozen_affine or "
            "sync, or leave it out."
        )


def _frozen(value: Any) -> Any:
    """Lists become tuples, so that a spec equals itself after a trip through JSON."""
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value
