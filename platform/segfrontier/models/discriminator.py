"""The two adversaries: one judges every patch of a map, the other a whole image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.models.seeding import init_seed


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
        with init_seed(seed):
            return PatchDiscriminator(self.channels, width=self.width)


class PatchDiscriminator(nn.Module):
    """AdvEnt's: five 4x4 convolutions of stride 2, no norm, no sigmoid; a logit per 32x32 pixels.

    Its input is a map with one channel per class: entropies for AdvEnt, a softmax for AdaptSegNet.
    """

    def __init__(self, channels: int, *, width: int = 64) -> None:
        super().__init__()
        self.body = _strided((channels, width, 2 * width, 4 * width, 8 * width))
        self.score = nn.Conv2d(8 * width, 1, 4, stride=2, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, 1, H // 32, W // 32)."""
        _require_size(maps, 32)
        logits: Tensor = self.score(self.body(maps))
        return logits


class ImageVerdict(NamedTuple):
    """What an image discriminator thinks of a batch."""

    logits: Tensor
    """(N,): positive for real. Losses read these."""
    features: Tensor
    """(N, F): the pooled features, which feature matching compares."""

    @property
    def score(self) -> Tensor:
        """(N,): the probability of being real, which self-training compares with its threshold."""
        return torch.sigmoid(self.logits)


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
        with init_seed(seed):
            return ImageDiscriminator(self.channels, width=self.width, dropout=self.dropout, dropouts=self.dropouts)


class ImageDiscriminator(nn.Module):
    """s4GAN's: four 4x4 convolutions of stride 2 with dropout, global average pooling, one linear layer.

    Its input is a segmentation map and its image, side by side. The authors' code drops channels after the first
    three convolutions, their text after all four (`dropouts=4`).
    """

    def __init__(self, channels: int, *, width: int = 64, dropout: float = 0.5, dropouts: int = 3) -> None:
        super().__init__()
        if not 0 <= dropouts <= 4:
            raise BadInput(f"dropouts counts convolutions that dropout follows, 0 to 4; found {dropouts}; correct it")
        self.body = _strided((channels, width, 2 * width, 4 * width, 8 * width), dropout=dropout, dropouts=dropouts)
        self.score = nn.Linear(8 * width, 1)

    def forward(self, maps_and_images: Tensor) -> ImageVerdict:
        """(N, C + 3, H, W) of any size from 16 pixels on."""
        _require_size(maps_and_images, 16)
        features = self.body(maps_and_images).mean(dim=(2, 3))
        return ImageVerdict(self.score(features).squeeze(1), features)


def _strided(widths: tuple[int, ...], *, dropout: float = 0.0, dropouts: int = 0) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(len(widths) - 1):
        layers += [nn.Conv2d(widths[i], widths[i + 1], 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        if i < dropouts:
            layers.append(nn.Dropout2d(dropout))
    return nn.Sequential(*layers)


def _require_size(maps: Tensor, least: int) -> None:
    if min(maps.shape[-2:]) < least:
        raise BadInput(
            f"a discriminator needs maps of {least}x{least} pixels or more; found {tuple(maps.shape[-2:])}; use larger "
            f"crops, or logits at the size of the image"
        )
