"""Any timm encoder as a pyramid of features, from the shallowest level to the deepest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segfrontier.models.checkpoints import load_encoder, read_state
from segfrontier.models.pyramid import EncoderPlan, Level, open_body
from segfrontier.models.spec import EncoderSpec
from segfrontier.models.weights import Weights


class Encoder(nn.Module):
    """timm's feature extractor with one face: NCHW features of every level, for images of any size."""

    levels: tuple[Level, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    _mean: Tensor
    _std: Tensor

    def __init__(self, name: str, plan: EncoderPlan) -> None:
        super().__init__()
        body = open_body(name, plan.options)
        self.body: nn.Module = body
        self.levels = plan.levels
        self._multiple = plan.multiple
        self._channels_last = plan.channels_last
        self.mean, self.std = _normalisation(body.pretrained_cfg, plan.options["in_chans"])
        # Part of the network and not of its weights: a caller always hands in plain images in [0, 1].
        self.register_buffer("_mean", torch.tensor(self.mean)[:, None, None], persistent=False)
        self.register_buffer("_std", torch.tensor(self.std)[:, None, None], persistent=False)

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """The size of image that the features of a `height` x `width` image cover."""
        return height + -height % self._multiple, width + -width % self._multiple

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Features of images (N, C, H, W) in [0, 1], padded right and below with the mean colour if need be."""
        images = (images - self._mean) / self._std
        height, width = images.shape[-2:]
        rows, columns = self.padded_size(height, width)
        if (rows, columns) != (height, width):
            images = functional.pad(images, (0, columns - width, 0, rows - height))
        features = self.body(images)
        return tuple(f.permute(0, 3, 1, 2) if self._channels_last else f for f in features)


def build_encoder(spec: EncoderSpec, plan: EncoderPlan, weights: Weights) -> Encoder:
    """The encoder with its weights: drawn from the current random state first, then loaded if there is a file."""
    encoder = Encoder(spec.encoder, plan)
    if weights.file is not None:
        with torch.no_grad():
            load_encoder(
                encoder.body,
                read_state(weights.file),
                name=spec.encoder,
                options=plan.options,
                source=f"{weights.origin} for {spec.encoder}",
                in_order=weights.in_order,
            )
    return encoder


def _normalisation(cfg: dict[str, Any], channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = tuple(map(float, cfg["mean"])), tuple(map(float, cfg["std"]))
    if len(mean) == channels:
        return mean, std
    # timm repeats or sums the colour filters for other inputs: no channel is red any more.
    return (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels
