"""Which classes an image shows: encoder, global average pooling, one linear layer, a sigmoid per class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from segfrontier.models.encoder import Encoder
from segfrontier.models.network import EncoderNetwork, build_network
from segfrontier.models.spec import EncoderSpec, must


@dataclass(frozen=True, kw_only=True)
class ClassifierSpec(EncoderSpec):
    """A multi-label image classifier: encoder, global average pooling, one linear layer."""

    num_classes: int
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        must(self.num_classes >= 1, "num_classes must be at least 1", self.num_classes)
        must(0 <= self.dropout < 1, "dropout must lie in [0, 1)", self.dropout)

    def build(self, *, seed: int) -> TagClassifier:
        """See `classifier.build_classifier`."""
        return build_classifier(self, seed=seed)


class TagOutput(NamedTuple):
    """What a classifier says about a batch."""

    logits: Tensor
    """(N, K): one independent logit per class; take sigmoids, not a softmax."""
    features: Tensor
    """(N, C, h, w): the deepest features, from which class activation maps are made."""


class TagClassifier(EncoderNetwork):
    """A multi-label classifier. Made by `build_classifier`."""

    def __init__(self, spec: ClassifierSpec, encoder: Encoder) -> None:
        super().__init__(spec, encoder)
        self.spec = spec
        self.dropout = nn.Dropout(spec.dropout)
        self.classify = nn.Linear(encoder.levels[-1].channels, spec.num_classes)

    def forward(self, images: Tensor) -> TagOutput:
        """Logits of images (N, C, H, W) in [0, 1] of any size."""
        features = self.encoder(images)[-1]
        return TagOutput(self.classify(self.dropout(features.mean(dim=(2, 3)))), features)

    def supervised(self, images: Tensor) -> list[Tensor]:
        """The logits."""
        return [self(images).logits]


def build_classifier(spec: ClassifierSpec, *, seed: int) -> TagClassifier:
    """The classifier of `spec` on the CPU, in training mode; see `build_model` for seeds, weights and errors."""
    return build_network(TagClassifier, spec, seed=seed)
