"""The training facets that every method of a comparison shares: network, image size, steps, optimiser.

A method may add to them what its paper needs; points of different recipes are never joined on one frontier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segfrontier.lab.augment import Augment
from segfrontier.lab.objective import Ema, Network
from segfrontier.lab.optimisers import Adam, Schedule, Sgd
from segfrontier.lab.streams import Part, Stream
from segfrontier.lab.training import Plan
from segfrontier.models.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Defaults train a small network on small scenes within minutes on a CPU."""

    encoder: str = "mobilenetv3_small_100"
    head: str = "fpn"
    head_knobs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    pretrained: str = "auto"
    output_stride: int | None = None
    norm: Literal["batch", "frozen", "frozen_affine", "sync"] = "batch"
    dropout: float | None = None

    crop: tuple[int, int] | None = None  # default: the size of the images
    scale: tuple[float, float] = (0.75, 1.5)
    flip: bool = True
    colour: float = 0.0
    blur: float = 0.0

    batch: int = 8
    steps: int = 400
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.02
    momentum: float = 0.9
    weight_decay: float = 1e-4
    head_lr: float = 1.0
    power: float = 0.9
    warmup: int = 0
    clip: float | None = None
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    accumulate: int = 1
    snapshots: int = 0

    def model(self, classes: int, **changes: Any) -> ModelSpec:
        """The segmentation network for so many classes; `changes` are fields of `ModelSpec`."""
        settings: dict[str, Any] = {
            "encoder": self.encoder, "head": self.head, "head_knobs": self.head_knobs, "pretrained": self.pretrained,
            "output_stride": self.output_stride, "norm": self.norm, "dropout": self.dropout, "num_classes": classes,
        }  # fmt: skip
        return ModelSpec(**(settings | changes))

    def network(self, classes: int, *, ema: Ema | None = None, **changes: Any) -> Network:
        """The segmentation network and how it learns."""
        return Network(
            blueprint=self.model(classes, **changes), optimiser=self.make_optimiser(),
            schedule=Schedule(shape="poly", power=self.power, warmup=self.warmup),
            head_lr=self.head_lr, clip=self.clip, ema=ema,
        )  # fmt: skip

    def make_optimiser(self) -> Sgd | Adam:
        """The optimiser of the segmentation network."""
        if self.optimiser == "adamw":
            return Adam(lr=self.lr, weight_decay=self.weight_decay, decoupled=True)
        return Sgd(lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def augment(self, size: tuple[int, int]) -> Augment:
        """The augmentation of training samples from images of `size`, which is also the crop where none is set."""
        return Augment(crop=self.crop or size, scale=self.scale, flip=self.flip, colour=self.colour, blur=self.blur)

    def stream(self, *parts: Part, shares: tuple[float, ...] | None = None, batch: int | None = None) -> Stream:
        """A stream of these parts with this recipe's batch and augmentation."""
        pool = parts[0].images
        augment = self.augment(pool.size(parts[0].names()[0]))
        return Stream(parts=parts, shares=shares, batch=batch or self.batch, augment=augment)

    def plan(self, **changes: Any) -> Plan:
        """The training plan; `changes` are fields of `Plan`."""
        settings: dict[str, Any] = {
            "steps": self.steps, "precision": self.precision, "accumulate": self.accumulate, "snapshots": self.snapshots
        }  # fmt: skip
        return Plan(**(settings | changes))
