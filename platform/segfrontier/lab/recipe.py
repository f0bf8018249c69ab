"""The training facets that every method of a comparison shares: network, image size, steps, optimiser.

A method may add to them what its paper needs; points of different recipes are never joined on one frontier.

How long is trained is said in one of two words: `total_steps` of all of a cell's trainings together, so that a method
that trains three times has no more compute than one that trains once, or `steps` of each. Where neither is said, it is
400 in all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any, Literal

from segfrontier.errors import BadInput
from segfrontier.lab.augment import Augment
from segfrontier.lab.objective import Ema, Network
from segfrontier.lab.optimisers import Adam, Schedule, Sgd
from segfrontier.lab.streams import Part, Stream
from segfrontier.lab.training.loop import Plan
from segfrontier.models.model import ModelSpec
from segfrontier.models.weights import pinned
from segfrontier.store.keys import LATER

_LONGEST, _LARGEST = 1000, 65_536
"""Characters of a name, pixels of a side."""
_OPTIMISERS, _PRECISIONS = ("sgd", "adamw"), ("fp32", "bf16", "fp16")
USUAL_STEPS, _MOST_STEPS = 400, 10**7
_WHOLE = (
    ("batch", 1, 65_536), ("steps", 1, _MOST_STEPS), ("accumulate", 1, 65_536), ("snapshots", 0, 10_000),
    ("warmup", 0, _MOST_STEPS),
)  # fmt: skip
_REAL = (
    ("lr", 0, math.inf, "a finite number, 0 or more"),
    ("weight_decay", 0, math.inf, "a finite number, 0 or more"),
    ("head_lr", 0, math.inf, "a finite number, 0 or more"),
    ("power", 0, math.inf, "a finite number, 0 or more"),
    ("blur", 0, 1000, "a number of pixels from 0 to 1000"),
    ("momentum", 0, 1, "a number from 0 to 1"),
    ("colour", 0, 0.999999, "a number from 0 up to, but below, 1"),
)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Defaults train a small network on small scenes within minutes on a CPU. Facets out of range are BadInput."""

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
    steps: int | None = None  # of each training; with `total_steps`, those of a training that is the only one
    total_steps: int | None = field(default=None, metadata=LATER)  # of all trainings of a cell; in place of `steps`
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

    def __post_init__(self) -> None:
        self._settle_steps()
        wrong = [f"recipe.{name} must be {rule}; found {str(value)[:80]!r}" for name, rule, value in _broken(self)]
        if wrong:
            raise BadInput(". ".join([*wrong[:3], "Correct the recipe."]))
        self.model(classes=2)  # a model's own rules: norm, dropout, output_stride

    def _settle_steps(self) -> None:
        """With `total_steps`, one training has all of them: `steps` says so, and methods of several share them out.

        So the number of steps of a training is known, whichever of the two was given, or neither.
        """
        total, each = self.total_steps, self.steps
        if total is None and each is not None:
            return
        if total is None:
            total = USUAL_STEPS
        if not _whole(total, 1, _MOST_STEPS) or each not in (None, total):
            beside = "" if each is None else f" beside steps {str(each)[:80]}"
            raise BadInput(
                f"recipe.total_steps must be a whole number from 1 to {_MOST_STEPS}, in place of recipe.steps; "
                f"found {str(total)[:80]!r}{beside}. Give one of the two."
            )
        object.__setattr__(self, "steps", total)
        object.__setattr__(self, "total_steps", total)

    @property
    def training_words(self) -> str:
        """ "300 steps in all", or "300 steps a training"."""
        return f"{self.steps} steps a training" if self.total_steps is None else f"{self.total_steps} steps in all"

    def share(self, number: int, *, of: int) -> Recipe:
        """The recipe of one of a cell's `of` trainings, the first being number 0: its share of `total_steps`.

        The shares are equal but for the first ones, which have a step more where the steps do not divide; their sum is
        exact. Where the recipe gives `steps` instead, every training has these. A method that trains more than once
        calls this for each training, whichever of the two a study gives; the lab refuses trainings beyond the sum.
        """
        if not 0 <= number < of:
            raise ValueError(f"a training is numbered from 0 and below their count; found {number} of {of}")
        if self.total_steps is None:
            return self
        each, more = divmod(self.total_steps, of)
        if each == 0:
            raise BadInput(
                f"recipe.total_steps must give each of a cell's {of} trainings a step; found {self.total_steps}. "
                f"Raise it."
            )
        return replace(self, steps=each + (number < more), total_steps=None)

    def together(self, trainings: int) -> Recipe:
        """The recipe of one training with the steps of so many: the control for a method that trains so often."""
        if trainings == 1:
            return self
        if self.total_steps is not None or trainings < 1:
            raise BadInput(
                f"trainings must be 1 with recipe.total_steps, which all methods train in all, and 1 or more with "
                f"recipe.steps; found trainings {trainings} with {self.training_words}. Leave it out."
            )
        return replace(self, steps=self.plan().steps * trainings)

    def model(self, classes: int, **changes: Any) -> ModelSpec:
        """The segmentation network for so many classes; `changes` are fields of `ModelSpec`."""
        settings: dict[str, Any] = {
            "encoder": self.encoder, "head": self.head, "head_knobs": self.head_knobs, "pretrained": self.pretrained,
            "output_stride": self.output_stride, "norm": self.norm, "dropout": self.dropout, "num_classes": classes,
        }  # fmt: skip
        return ModelSpec(**(settings | changes))

    def network(self, classes: int, *, ema: Ema | None = None, **changes: Any) -> Network:
        """The segmentation network and how it learns."""
        weights = pinned(self.encoder, self.pretrained)  # decided here: the key and every worker mean the same
        return Network(
            blueprint=self.model(classes, **({"pretrained": weights} | changes)), optimiser=self.make_optimiser(),
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

    def plan(self, *, draw: int = 0, **changes: Any) -> Plan:
        """The training plan; `changes` are fields of `Plan`.

        `draw` is the number of a training that is repeated, round after round: initial heads, order, crops and mixing
        are drawn anew for each; those of draw 0 are the same in all trainings of a cell.
        """
        settings: dict[str, Any] = {
            "steps": self.steps, "precision": self.precision, "accumulate": self.accumulate, "snapshots": self.snapshots
        }  # fmt: skip
        return Plan(**(settings | {"seed": draw} | changes))


def _broken(recipe: Recipe) -> Iterator[tuple[str, str, object]]:
    """Each facet that breaks its rule: its name, the rule, what was found."""
    for name, low, high in _WHOLE:
        value = getattr(recipe, name)
        if not _whole(value, low, high):
            yield name, f"a whole number from {low} to {high}", value
    for name, low_, high_, rule in _REAL:
        value = getattr(recipe, name)
        if not _real(value, low_, high_):
            yield name, rule, value
    for name in ("encoder", "head", "pretrained"):
        value = getattr(recipe, name)
        if not (isinstance(value, str) and 1 <= len(value) <= _LONGEST and value.isprintable()):
            yield name, f"a name or path of 1 to {_LONGEST} printable characters", value
    for name, options in (("optimiser", _OPTIMISERS), ("precision", _PRECISIONS)):
        value = getattr(recipe, name)
        if value not in options:
            yield name, f"one of {', '.join(options)}", value
    crop, scale = recipe.crop, recipe.scale
    if crop is not None and not (_pair(crop) and all(_whole(side, 1, _LARGEST) for side in crop)):
        yield "crop", f"[height, width] in pixels, each from 1 to {_LARGEST}", crop
    if not (_pair(scale) and all(_real(side, 0.001, 100) for side in scale) and scale[0] <= scale[1]):
        yield "scale", "[low, high] with 0.001 <= low <= high <= 100", scale
    if recipe.clip is not None and not (_real(recipe.clip, 0, math.inf) and recipe.clip > 0):
        yield "clip", "a finite number above 0, or left out", recipe.clip


def _whole(value: object, low: int, high: int) -> bool:
    return not isinstance(value, bool) and isinstance(value, Integral) and low <= int(value) <= high


def _real(value: object, low: float, high: float) -> bool:
    """Whether this is a finite number within bounds."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    return math.isfinite(float(value)) and low <= float(value) <= high


def _pair(value: object) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2
