"""A light feature pyramid: top-down sums of all levels, merged at the finest (Kirillov et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from segfrontier.models.heads.base import Head, classifier, conv_norm_relu, pyramid_taps, resize_like
from segfrontier.models.heads.strips import divides, grown_rows, strips, with_neighbours
from segfrontier.models.pyramid import Level


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
        if self.lean and len(features) > 1 and divides(features[1], features[0]):
            return self._in_strips(features)
        laterals = [lateral(f) for lateral, f in zip(self.laterals, features, strict=True)]
        _sum_down(laterals)
        smooth = [conv(x) for conv, x in zip(self.smooth, laterals, strict=True)]
        merged = smooth[0]
        for x in smooth[1:]:
            merged = merged + resize_like(x, merged)
        logits: Tensor = self.classify(merged)
        return logits

    def _in_strips(self, features: Sequence[Tensor]) -> Tensor:
        """The finest level strip by strip; all that outlives a strip is its logits.

        To classify is linear along the channels and to resize along the grid, so either may come first: here what is
        resized are the coarser levels' logits.
        """
        fine = features[0]
        block: Any = self.smooth[0]
        classify: Any = self.classify[-1]
        smooth, norm_relu = block[0], block[1:]
        coarse = [lateral(f) for lateral, f in zip(list(self.laterals)[1:], features[1:], strict=True)]
        _sum_down(coarse)
        logits = fine.new_empty((len(fine), len(classify.weight), *fine.shape[-2:]))
        for rows in strips(fine.shape[-2], smooth.in_channels * fine.shape[-1]):
            near, (above, below) = with_neighbours(fine, rows)
            x = self.laterals[0](fine[..., near, :]) + grown_rows(coarse[0], near, like=fine)
            x = functional.pad(x, (0, 0, above, below))  # the convolution's own zeros, at the map's edges only
            x = functional.conv2d(x, smooth.weight, smooth.bias, padding=(0, 1))
            logits[..., rows, :] = classify(norm_relu(x))
        for conv, x in zip(list(self.smooth)[1:], coarse, strict=True):
            logits += resize_like(functional.conv2d(conv(x), classify.weight), logits)
        return logits


def _sum_down(laterals: list[Tensor]) -> None:
    """Add to every level what lies above it, from the deepest down."""
    for i in range(len(laterals) - 1, 0, -1):
        laterals[i - 1] = laterals[i - 1] + resize_like(laterals[i], laterals[i - 1])
