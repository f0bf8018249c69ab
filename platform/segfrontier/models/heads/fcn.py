"""The plain convolutional head, used for deep supervision on the level before the deepest."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from segfrontier.models.heads.base import Head, classifier, conv_norm_relu, deepest
from segfrontier.models.pyramid import Level


class FCN(Head):
    """A 3x3 convolution to a quarter of the channels and a 1x1 convolution to logits (PSPNet's auxiliary branch)."""

    taps = staticmethod(deepest)

    def __init__(self, levels: Sequence[Level], num_classes: int, *, dropout: float | None = None) -> None:
        super().__init__()
        hidden = max(16, levels[-1].channels // 4)
        self.hidden = conv_norm_relu(levels[-1].channels, hidden, kernel=3)
        self.classify = classifier(hidden, num_classes, dropout=0.1 if dropout is None else dropout)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the stride of its level."""
        logits: Tensor = self.classify(self.hidden(features[-1]))
        return logits
