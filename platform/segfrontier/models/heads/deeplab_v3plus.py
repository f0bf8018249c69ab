"""DeepLab-v3+: dilated context with image pooling, refined by a shallow level (Chen et al., ECCV 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segfrontier.models.heads.base import Head, PooledNorm, classifier, conv_norm_relu, resize_like, upsample_concat
from segfrontier.models.pyramid import Level


class DeepLabV3Plus(Head):
    """Reads the deepest level and the first one at stride 4 or coarser (any first level of a plain ViT).

    The rates 6, 12, 18 belong to output stride 16; they grow as the stride shrinks (12, 24, 36 at stride 8).
    """

    @staticmethod
    def taps(levels: Sequence[Level]) -> tuple[int, ...]:
        """A shallow level for the outlines, and the deepest."""
        last = len(levels) - 1
        shallow = next((i for i, level in enumerate(levels) if level.reduction >= 4), last)
        return (shallow, last) if shallow < last else (last,)

    def __init__(
        self,
        levels: Sequence[Level],
        num_classes: int,
        *,
        dropout: float | None = None,
        channels: int = 256,
        low_channels: int = 48,
        rates: Sequence[int] = (6, 12, 18),
    ) -> None:
        super().__init__()
        dropout = 0.1 if dropout is None else dropout
        low, high = levels[0], levels[-1]
        scaled = [max(1, round(rate * 16 / high.reduction)) for rate in rates]
        self.context = DilatedContext(high.channels, channels, rates=scaled, dropout=dropout)
        self.low = conv_norm_relu(low.channels, low_channels)
        self.refine = nn.Sequential(
            conv_norm_relu(channels + low_channels, channels, kernel=3),
            conv_norm_relu(channels, channels, kernel=3),
        )
        self.classify = classifier(channels, num_classes, dropout=dropout)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the stride of the shallow level."""
        low = self.low(features[0])
        high = self.context(features[-1])
        logits: Tensor = self.classify(self.refine(upsample_concat([low, high])))
        return logits


class DilatedContext(nn.Module):
    """DeepLab-v3's pyramid: a 1x1 branch, a 3x3 branch per rate and the pooled image, concatenated and projected."""

    def __init__(self, inputs: int, outputs: int, *, rates: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [conv_norm_relu(inputs, outputs)]
            + [conv_norm_relu(inputs, outputs, kernel=3, dilation=rate) for rate in rates]
        )
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_norm_relu(inputs, outputs, norm=PooledNorm))
        self.project = nn.Sequential(conv_norm_relu((len(rates) + 2) * outputs, outputs), nn.Dropout2d(dropout))

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same size with context in them."""
        maps = [branch(x) for branch in self.branches] + [resize_like(self.pooled(x), x)]
        projected: Tensor = self.project(torch.cat(maps, dim=1))
        return projected
