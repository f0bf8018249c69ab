"""Optimisers and learning-rate schedules as plain settings: comparable, storable, and part of a stage's key."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch

from segfrontier.errors import BadInput
from segfrontier.maths import schedules

Groups = list[dict[str, Any]]
"""Parameter groups as `segfrontier.models.parameter_groups` makes them, each with its own rate and decay.

A group's `times` says how often SGD updates it in a step; none: once.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sgd:
    """Stochastic gradient descent."""

    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _require_finite("SGD", lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)

    def build(self, groups: Groups, *, fused: bool = False) -> torch.optim.Optimizer:
        """The optimiser over parameter groups; `fused`: all weights in one go, where none is updated several times."""
        if any("times" in group for group in groups):
            return RepeatedSgd(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov)
        return torch.optim.SGD(
            groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, fused=fused or None
        )  # fmt: skip


class RepeatedSgd(torch.optim.SGD):
    """SGD that updates a group `times` times a step, one after another, with the same gradient.

    It is what a list with duplicates makes of SGD, with each parameter listed once: torch warns of duplicates and will
    refuse them, and loss scaling and clipping would meet a gradient several times.
    """

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every group as often as it says."""
        assert closure is None, "the training loop computes gradients itself"
        groups = self.param_groups
        try:
            for turn in range(max(group.get("times", 1) for group in groups)):
                self.param_groups = [group for group in groups if group.get("times", 1) > turn]
                super().step()
        finally:
            self.param_groups = groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam:
    """Adam; `decoupled` makes it AdamW."""

    lr: float
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    decoupled: bool = False

    def __post_init__(self) -> None:
        _require_finite("Adam", lr=self.lr, weight_decay=self.weight_decay)

    def build(self, groups: Groups, *, fused: bool = False) -> torch.optim.Optimizer:
        """The optimiser over parameter groups; `fused`: all weights in one go."""
        if any("times" in group for group in groups):
            raise BadInput(
                "only SGD updates a group several times a step, as the list of AdvEnt's code makes it do; found Adam. "
                "Set encoder_repeats to false."
            )
        kind = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        return kind(groups, lr=self.lr, betas=self.betas, fused=fused or None)


def _require_finite(optimiser: str, **settings: float) -> None:
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise BadInput(f"{name} of {optimiser} must be a finite number, 0 or more; found {value!r}. Correct it.")


Optimiser = Sgd | Adam


Shape = Literal["poly", "cosine", "constant"]
Per = Literal["step", "epoch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the learning rate falls, as a factor on each group's own rate.

    `over` lets a poly schedule be written for more steps than are run (paper 001 plans 250k and stops at 120k).
    """

    shape: Shape = "poly"
    power: float = 0.9
    floor: float = 0.0
    warmup: int = 0
    per: Per = "step"
    over: int | None = None

    def __post_init__(self) -> None:
        for name, literal in (("shape", Shape), ("per", Per)):
            if getattr(self, name) not in get_args(literal):
                words = " | ".join(get_args(literal))
                raise BadInput(
                    f"a schedule's {name} must be {words}; found {getattr(self, name)!r}; choose one of them"
                )
        if not (self.power >= 0 and self.floor >= 0 and self.warmup >= 0 and (self.over is None or self.over >= 1)):
            raise BadInput(
                f"a schedule's power, floor and warmup must be at least 0, and `over` at least 1; found {self}"
            )

    def factor(self, *, step: int, steps: int, steps_an_epoch: int) -> float:
        """The factor in force at `step` (0-based) of `steps`."""
        an_epoch = steps_an_epoch if self.per == "epoch" else 1
        total = self.over or -(-steps // an_epoch)
        shape: schedules.Schedule = schedules.constant
        if self.shape == "poly":
            shape = partial(schedules.poly, total=total, power=self.power)
        elif self.shape == "cosine":
            shape = partial(schedules.cosine, total=total, floor=self.floor)
        shape = partial(schedules.per_epoch, steps_per_epoch=an_epoch, then=shape)
        if not self.warmup:
            return shape(step)
        return schedules.warm_up(step, steps=self.warmup, then=shape, start=1 / self.warmup)
