"""SegFormer's head: one linear map a level, concatenated at the finest level and fused (Xie et al., NeurIPS 2021)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from segfrontier.models.heads.base import Head, classifier, conv_norm_relu, pyramid_taps, upsample_concat
from segfrontier.models.pyramid import Level


class SegFormer(Head):
    """All-linear: made for transformers, where the encoder has seen the whole image already."""

    taps = staticmethod(pyramid_taps)

    def __init__(
        self, levels: Sequence[Level], num_classes: int, *, dropout: float | None = None, channels: int = 256
    ) -> None:
        super().__init__()
        self.embed = nn.ModuleList(nn.Conv2d(level.channels, channels, 1) for level in levels)
        self.fuse = conv_norm_relu(len(levels) * channels, channels)
        self.classify = classifier(channels, num_classes, dropout=0.1 if dropout is None else dropout)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the stride of the finest level read."""
        embedded = [embed(f) for embed, f in zip(self.embed, features, strict=True)]
        logits: Tensor = self.classify(self.fuse(upsample_concat(embedded)))
        return logits
