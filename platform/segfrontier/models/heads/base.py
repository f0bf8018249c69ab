"""What every head is, and the blocks that heads share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from segfrontier.models.norms import BatchNorm2d
from segfrontier.models.pyramid import Level


class Head(nn.Module, ABC):
    """From features of some levels of an encoder to logits (N, K, h, w).

    A head is made as `head(levels, num_classes, dropout=None, **knobs)`, where `levels` are those that `taps` chose,
    and is called with the features of these levels, shallow to deep. Every keyword after `dropout` is a knob.
    """

    lean = False
    """Whether nobody will differentiate: a head with wide maps may then make them piece by piece."""

    @staticmethod
    @abstractmethod
    def taps(levels: Sequence[Level]) -> tuple[int, ...]:
        """Which of an encoder's levels this head reads, as indices in rising order."""

    @abstractmethod
    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Logits at the head's own stride."""

    def filters(self) -> list[Tensor]:
        """The weights of all its convolutions; norms and biases are none."""
        return [module.weight for module in self.modules() if isinstance(module, nn.Conv2d)]

    def last_filters(self) -> list[Tensor]:
        """Those that make logits."""
        return self.filters()[-1:]


def conv_norm_relu(
    inputs: int, outputs: int, *, kernel: int = 1, dilation: int = 1, norm: type[nn.Module] = BatchNorm2d
) -> nn.Sequential:
    """Convolution that keeps the size, norm, ReLU."""
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(conv, norm(outputs), nn.ReLU(inplace=True))


class PooledNorm(nn.GroupNorm):
    """Group norm for features pooled to a point: batch norm would see one value per image there.

    It gives the same result for any batch and any number of workers, and has as many weights as batch norm.
    """

    def __init__(self, channels: int) -> None:
        # At least two channels a group: one value alone cannot be normalised.
        super().__init__(next((g for g in (32, 16, 8, 4, 2) if channels % (2 * g) == 0), 1), channels)


def classifier(channels: int, num_classes: int, *, dropout: float) -> nn.Sequential:
    """Dropout of whole channels, and a 1x1 convolution to logits."""
    return nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(channels, num_classes, 1))


def resize_like(features: Tensor, like: Tensor) -> Tensor:
    """Bilinear resize to the height and width of another feature map."""
    if features.shape[-2:] == like.shape[-2:]:
        return features
    return functional.interpolate(features, size=like.shape[-2:], mode="bilinear", align_corners=False)


def upsample_concat(features: Sequence[Tensor]) -> Tensor:
    """Feature maps on the grid of the first one, side by side."""
    return torch.cat([resize_like(f, features[0]) for f in features], dim=1)


def pyramid_taps(levels: Sequence[Level]) -> tuple[int, ...]:
    """The levels from stride 4 on: finer ones cost much and say little."""
    coarse = tuple(i for i, level in enumerate(levels) if level.reduction >= 4)
    return coarse or (len(levels) - 1,)


def deepest(levels: Sequence[Level]) -> tuple[int, ...]:
    """The deepest level alone."""
    return (len(levels) - 1,)
