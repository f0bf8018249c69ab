"""The plain mean teacher (Tarvainen and Valpola), for maps: the yardstick without a discriminator or a classifier."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from segfrontier.errors import BadInput
from segfrontier.lab import (
    Augment,
    Batch,
    Ema,
    Lab,
    Loss,
    Model,
    Moment,
    Nets,
    Network,
    Objective,
    Part,
    Recipe,
    Stream,
)
from segfrontier.maths import Ramp, cross_entropy, ramp_up, softmax_mse
from segfrontier_methods.high_low.data import bought
from segfrontier_methods.high_low.mlmt import STRONG


@dataclass(frozen=True, kw_only=True)
class MapTeacher(Objective):
    """Cross-entropy on the labels; everywhere, the student's strong view against the teacher's weak one."""

    segmenter: Network
    consistency: float
    ramp: Ramp

    def networks(self) -> Mapping[str, Network]:
        """One segmenter with its teacher."""
        return {"segmenter": self.segmenter}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Both streams at once, so that they share one look at each network."""
        labelled = batch["labelled"]
        student = nets["segmenter"](torch.cat([each.views[STRONG] for each in batch.values()])).mean_logits
        with torch.no_grad():
            teacher = nets.teacher("segmenter")(torch.cat([each.image for each in batch.values()])).mean_logits
        known = cross_entropy(student[: len(labelled.image)], labelled.label, over=at)
        apart, weight = softmax_mse(student, teacher), self.consistency * ramp_up(at.progress, ramp=self.ramp)
        at.log(labelled=known.detach(), consistency=apart.detach(), consistency_weight=weight)
        yield Loss("labels_and_consistency", known + weight * apart)


@dataclass(frozen=True, kw_only=True)
class MeanTeacher:
    """Spend the budget on fine masks; a teacher makes the other images count. The result is the teacher."""

    demo: ClassVar[None] = None  # a rival of high_low, which the demo shows

    labelled: float | None = None  # as in high_low, whose series of labelled images this shares
    draw: int | None = None
    consistency: float = 10.0  # no published number for maps; the loss is a mean over classes as well
    ramp: Ramp = "sigmoid"
    ema_decay: float = 0.999
    colour: float = 0.4
    blur: float = 2.0

    def __post_init__(self) -> None:
        labelled = self.labelled is None or 0 < self.labelled <= 1
        if not (0 <= self.consistency < math.inf and 0 <= self.ema_decay < 1 and labelled):
            raise BadInput(
                "mean_teacher needs a finite consistency >= 0, an ema_decay in [0, 1) and a labelled share above 0 and "
                f"up to 1; found {self.consistency}, {self.ema_decay} and {self.labelled}. Correct them."
            )
        Augment(colour=self.colour, blur=self.blur)  # its own rules

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        data = bought(lab, labelled=self.labelled, split=0.0, draw=self.draw)
        network = recipe.network(len(lab.classes), ema=Ema(decay=self.ema_decay))
        objective = MapTeacher(segmenter=network, consistency=self.consistency, ramp=self.ramp)
        streams = {name: self._seen(recipe, part) for name, part in
                   (("labelled", data.masked), ("unlabelled", data.unlabelled))}  # fmt: skip
        return lab.train(objective, streams, recipe.plan()).teacher()

    def _seen(self, recipe: Recipe, part: Part) -> Stream:
        """A strong view in other colours: pixels correspond."""
        return replace(recipe.stream(part), views={STRONG: Augment(colour=self.colour, blur=self.blur)})
