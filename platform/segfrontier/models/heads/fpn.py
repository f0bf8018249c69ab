"""A light feature pyramid: top-down sums of all levels, merged at the finest (Kirillov et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from segfrontier.models.heads.base import Head, classifier, conv_norm_relu, pyramid_taps, resize_like
from segfrontier.models.plan import Level


class FPN(Head):
    """1x1 laterals, top-down sums, one 3x3 convolution a level, and their sum at the finest level.

    Levels of one stride, as a plain ViT has them, are summed without resizing.
    """

    taps = staticmethod(pyramid_taps)

    def __init__(
        self, levels: Sequence[Level], num_classes: int, *, dropout: float | None = None, channels: int = 128
    ) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(level.channels, channels, 1) for level in levels)
        self.smooth = nn.ModuleList(conv_norm_relu(channels, channels, kernel=3) for _ in levels)
        self.classify = classifier(channels, num_classes, dropout=0.1 if dropout is None else dropout)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the stride of the finest level read."""
        laterals = [lateral(f) for lateral, f in zip(self.laterals, features, strict=True)]
        for i in range(len(laterals) - 1, 0, -1):
            laterals[i - 1] = laterals[i - 1] + resize_like(laterals[i], laterals[i - 1])
        smooth = [conv(x) for conv, x in zip(self.smooth, laterals, strict=True)]
        merged = smooth[0]
        for x in smooth[1:]:
            merged = merged + resize_like(x, merged)
        logits: Tensor = self.classify(merged)
        return logits
