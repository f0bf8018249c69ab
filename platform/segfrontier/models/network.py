"""What every network on a timm encoder has in common, and the one way in which such networks are built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from functools import lru_cache
from typing import Self, TypeVar

import torch
from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.models.encoder import Encoder, build_encoder
from segfrontier.models.norms import allow_single_values, batch_norms, freeze_affine, require_sync, synchronise
from segfrontier.models.pyramid import EncoderPlan, plan_encoder
from segfrontier.models.seeding import init_seed
from segfrontier.models.spec import EncoderSpec
from segfrontier.models.weights import Weights, find_weights

DRY_IMAGES = (2, 193, 129)
"""Batch, height and width of a run without numbers."""


class EncoderNetwork(nn.Module, ABC):
    """An encoder with something on top; constructed as `kind(spec, encoder)` under the seed of its heads."""

    weights_origin = "random"
    """Where the encoder's weights came from: see `Weights.origin`."""

    def __init__(self, spec: EncoderSpec, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self._frozen = spec.norm == "frozen"
        if spec.norm in ("frozen", "frozen_affine"):
            freeze_affine(encoder)

    @abstractmethod
    def supervised(self, images: Tensor) -> list[Tensor]:
        """All outputs for images (N, C, H, W) in [0, 1] that a loss may read."""

    @property
    def mean(self) -> tuple[float, ...]:
        """What the encoder subtracts from images in [0, 1], per channel: its pretraining decides."""
        return self.encoder.mean

    @property
    def std(self) -> tuple[float, ...]:
        """What it divides by after that."""
        return self.encoder.std

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation; frozen batch norms stay in evaluation."""
        super().train(mode)
        if self._frozen:
            for norm in batch_norms(self.encoder):
                norm.eval()
        return self


N = TypeVar("N", bound=EncoderNetwork)


def build_network(kind: type[N], spec: EncoderSpec, *, seed: int) -> N:
    """A network on the CPU, in training mode.

    Random weights depend on the seed alone, and the caller's random state is left alone. All that cannot work is a
    BadInput before any weight is fetched.
    """
    idle = check_network(kind, spec)
    weights = find_weights(spec.encoder, spec.pretrained)
    network = _assemble(kind, spec, plan_encoder(spec), weights, seed)
    network.weights_origin = weights.origin
    for name, parameter in network.named_parameters():
        if name in idle:
            parameter.requires_grad_(False)
    allow_single_values(network)
    if spec.norm == "sync":
        synchronise(network)
    return network.train()


def check_network(
    kind: type[EncoderNetwork], spec: EncoderSpec, *, workers: int = 1, gpu: bool = False
) -> frozenset[str]:
    """BadInput if the network cannot be trained on so many workers; costs no memory and tenths of a second.

    Returns the weights that no output depends on (HRNet has some when only its deepest level is read). They are made
    constant when the network is built: data-parallel training would wait for their gradients.
    """
    if spec.norm == "sync":
        require_sync(workers=workers, gpu=gpu)
    return _rehearse(kind, replace(spec, pretrained="never"))  # where weights come from does not matter here


@lru_cache(maxsize=64)
def _rehearse(kind: type[EncoderNetwork], spec: EncoderSpec) -> frozenset[str]:
    """Build, run and differentiate the network on the meta device: everything but numbers."""
    plan = plan_encoder(spec)
    batch, height, width = DRY_IMAGES
    try:
        with torch.device("meta"):
            network = _assemble(kind, spec, plan, Weights(origin="none"), seed=0)
            outputs = network.supervised(torch.empty(batch, spec.in_channels, height, width))
        torch.stack([output.float().mean() for output in outputs]).sum().backward()
    except BadInput:
        raise
    except (TypeError, ValueError, RuntimeError) as error:  # whatever torch says about sizes and settings
        raise BadInput(
            f"a model must run forward and backward on {height}x{width} pixels; {spec} does not: "
            f"{type(error).__name__}: {error}. Correct its settings, or choose another encoder or head"
        ) from error
    return frozenset(name for name, p in network.named_parameters() if p.requires_grad and p.grad is None)


def has_batch_norm(kind: type[EncoderNetwork], spec: EncoderSpec) -> bool:
    """Whether any batch norm is in the network; built on the meta device, in tenths of a second."""
    bare = replace(spec, pretrained="never")
    with torch.device("meta"):
        return bool(batch_norms(_assemble(kind, bare, plan_encoder(bare), Weights(origin="none"), seed=0)))


def _assemble(kind: type[N], spec: EncoderSpec, plan: EncoderPlan, weights: Weights, seed: int) -> N:
    with init_seed(seed, "encoder"):
        encoder = build_encoder(spec, plan, weights)
    with init_seed(seed, "heads"):
        return kind(spec, encoder)
