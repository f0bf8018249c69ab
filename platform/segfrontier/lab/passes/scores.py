"""Scoring: the one evaluator. Sums over images that merge; no score is ever an average of scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segfrontier.errors import Diverged
from segfrontier.lab.passes.tasks import ABSENT, SEMANTIC, Task
from segfrontier.maths import Confusion, iou_per_class
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.known import SceneLabels


@dataclass(frozen=True)
class Sums:
    """What images add up to, by task."""

    parts: Mapping[str, Any]

    @classmethod
    def zero(cls, tasks: Sequence[Task], classes: ClassTable) -> Sums:
        """Nothing seen yet."""
        return cls({task.name: task.zero(classes) for task in tasks})

    @property
    def confusion(self) -> Confusion:
        """Of the semantic maps."""
        found: Confusion = self.parts["confusion"]
        return found

    def __add__(self, other: Sums) -> Sums:
        return Sums({name: part + other.parts[name] for name, part in self.parts.items()})

    def to_plain(self) -> dict[str, Any]:
        """JSON form."""
        return {name: part.to_plain() for name, part in self.parts.items()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], tasks: Sequence[Task], classes: ClassTable) -> Sums:
        """The sums that `to_plain` wrote."""
        return cls({task.name: task.restored(plain[task.name], classes) for task in tasks})


def counted(
    tasks: Sequence[Task], truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int = 0
) -> Sums:
    """What one image adds to the sums of all tasks."""
    if found.confidence is not None and not bool(np.isfinite(found.confidence).all()):
        raise Diverged(
            "a model's outputs must be finite numbers to be scored; found NaN or infinity: its training has diverged. "
            "Lower the learning rate, raise the batch, or clip gradients (recipe.lr, recipe.batch, recipe.clip)."
        )
    return Sums({task.name: task.counts(truth, found, classes, place=place) for task in tasks})


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What a model scores on one split. `values` by metric name; per-class IoU is NaN where a class never occurs."""

    values: dict[str, float]
    iou: dict[str, float]
    scenes: int
    sums: Sums = field(repr=False)
    folder: str = ""  # where pictures lie
    left_out: tuple[str, ...] = ()  # scenes whose image does not decode: in no sum, and not among `scenes`

    @property
    def miou(self) -> float:
        """The headline: mean IoU over the classes present."""
        return self.values[f"miou_{ABSENT}"]

    @classmethod
    def of(
        cls, tasks: Sequence[Task], sums: Sums, classes: ClassTable, *, scenes: int, left_out: Sequence[str] = ()
    ) -> Scores:
        """Read the scores off the sums."""
        values: dict[str, float] = {}
        for task in tasks:
            values |= task.scores(sums.parts[task.name], classes)
        iou = {}
        if "confusion" in sums.parts:
            iou = dict(zip(classes.names, iou_per_class(sums.confusion).tolist(), strict=True))
        return cls(values=values, iou=iou, scenes=scenes, sums=sums, left_out=tuple(left_out))

    def write(self, folder: Path) -> None:
        """Store as JSON."""
        plain = {"values": self.values, "iou": self.iou, "scenes": self.scenes, "sums": self.sums.to_plain()}
        if self.left_out:  # an intact world's file stays what it was
            plain["left_out"] = list(self.left_out)
        (folder / "scores.json").write_text(json.dumps(plain))

    @classmethod
    def read(cls, folder: Path, classes: ClassTable, tasks: Sequence[Task] = SEMANTIC) -> Scores:
        """The scores that `write` stored."""
        plain = json.loads((folder / "scores.json").read_text())
        return cls(
            values=plain["values"], iou=plain["iou"], scenes=plain["scenes"],
            sums=Sums.from_plain(plain["sums"], tasks, classes), folder=str(folder),
            left_out=tuple(plain.get("left_out", ())),
        )  # fmt: skip
