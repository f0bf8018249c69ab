"""A lab that does not work: methods run in it as ever, and it notes what they would compute.

Buying is simulated to the last act, with a throw-away ledger. Stages get their real keys. What the home has stored is
handed out as it is, for the rest there are stand-ins. Labels that a model has still to make have the key of their stage
for an identity: the stages after them get other keys than they will have, but the same cells share them.

A method that decides by what models make cannot be followed exactly: what it buys after it was given a stand-in counts
as shared only with cells that were given the same.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segfrontier.lab import Gauge, Lab, Looking, Model, Part, Rule, Scores
from segfrontier.lab.drawing import PICTURES, Sketch
from segfrontier.lab.measuring import Row, write_measures
from segfrontier.lab.scoring import Sums
from segfrontier.lab.sealed import unseal
from segfrontier.lab.training import Job
from segfrontier.market import Request
from segfrontier.maths import boundary_counts, calibration_counts, confusion_counts
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.imagined import stripes, write_alike
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Pool
from segfrontier.store import Entry, Store
from segfrontier.store.keys import text_digest


@dataclass(frozen=True)
class Training:
    """A training stage to come."""

    job: Job


@dataclass(frozen=True)
class Looks:
    """A stage to come in which a model looks at images, one by one: to label, measure or score them."""

    model: Model
    images: Pool
    scenes: tuple[str, ...]
    task: Rule | Gauge | Looking
    known: LabelSet | Mapping[str, LabelSet] | None = None


Work = Training | Looks
_TELLING = ("label", "measure", "score")
"""Stages whose results a method may look at and decide by."""


class Shadow(Store):
    """A scratch store in front of a home's: what is stored there is found and read, and nothing is written there."""

    def __init__(self, scratch: Path, home: Store) -> None:
        super().__init__(scratch)
        self._home = home
        self.stored = {row.key: row for row in home.ls() if row.state == "stored"}

    def get(self, key: str, *, verify: bool = False) -> Entry | None:
        """See `Store.get`. Weights are left where they are: they are large, and nobody here looks at them."""
        if key in self.stored and self.stored[key].kind != "train":
            return self.at_home(key)
        return super().get(key, verify=verify)

    def at_home(self, key: str) -> Entry | None:
        """The home's own entry, if there is one that is intact."""
        entry = self._home.get(key) if key in self.stored else None
        if entry is None:
            self.stored.pop(key, None)
        return entry


@dataclass
class StandIns:
    """Label maps for images that no model has labelled; and what every stage would have computed."""

    folder: Path
    work: dict[str, Work] = field(default_factory=dict)
    _made: dict[tuple[str, ...], LabelSet] = field(default_factory=dict)

    def labels(self, part: Part, classes: ClassTable) -> LabelSet:
        """Maps that show all classes, for all images of a part; made once."""
        names = part.names()
        identity = (part.images.digest, classes.digest, *names)
        if identity not in self._made:
            sizes = {scene: part.images.size(scene) for scene in names}
            told = " ".join(identity)
            self._made[identity] = write_alike(self.folder, kind="pseudo", classes=classes, sizes=sizes, identity=told)
        return self._made[identity]


class RehearsalLab(Lab):
    """The lab of a rehearsal. `stages` are those that the method asked for, by key, in order of their first use."""

    _store: Shadow

    def __init__(self, *, stand_ins: StandIns, **lab: Any) -> None:
        super().__init__(**lab)
        self.stages: dict[str, str] = {}
        self.purchases: list[str] = []
        self.guesses: set[str] = set()  # stages whose stand-ins the method has seen
        self.guided = False  # whether it has gone on from there
        self._stand_ins, self._key = stand_ins, ""

    def buy(self, request: Request, *, at_most: int | None = None) -> LabelSet:
        """See `Lab.buy`."""
        labels = super().buy(request, at_most=at_most)
        if self.guesses:
            labels = dataclasses.replace(labels, digest=text_digest(" ".join([labels.digest, *sorted(self.guesses)])))
        self.purchases.append(labels.digest)
        return labels

    def history(self, model: Model) -> list[dict[str, float]]:
        """See `Lab.history`; of a training to come, the last step is all that is known."""
        entry = self._store.at_home(model.key)
        if entry is None:
            self.guesses.add(model.key)
            return super().history(model)
        return [json.loads(line) for line in entry.local("log.jsonl").read_text().splitlines()]

    def _stage(self, kind: str, key: str, compute: Callable[[Path], None], *, inputs: Mapping[str, str]) -> Entry:
        self._key = key
        self.guided |= bool(self.guesses) and kind not in ("score", "draw")
        self.stages.setdefault(key, kind)
        entry = super()._stage(kind, key, compute, inputs=inputs)
        if kind in _TELLING and key not in self._store.stored:
            self.guesses.add(key)
        return entry

    def _train(self, job: Job, work: Path, out: Path) -> None:  # noqa: ARG002
        self._stand_ins.work[self._key] = Training(job)
        kept = [f"weights-{step:09d}.pt" for step in job.plan.snapshot_steps() if step < job.plan.steps]
        for name in ("weights.pt", *kept):
            (out / name).touch()
        (out / "log.jsonl").write_text(json.dumps({"step": job.plan.steps}) + "\n")

    def _label(self, model: Model, part: Part, rule: Rule, out: Path) -> tuple[LabelSet, list[str]]:
        self._stand_ins.work[self._key] = Looks(model, part.images, part.names(), rule, part.labels)
        labels = self._stand_ins.labels(part, model.classes)
        path = shutil.copyfile(labels.path, out / "pseudo.arrow")
        return dataclasses.replace(labels, path=str(path), digest=text_digest(f"labels of {self._key}")), []

    def _measure(self, model: Model, part: Part, gauge: Gauge, out: Path) -> None:
        self._stand_ins.work[self._key] = Looks(model, part.images, part.names(), gauge, part.labels)
        shapes = gauge.shapes(len(model.classes))
        rng, size = np.random.default_rng(int(self._key, 16)), sum(math.prod(shape) for shape in shapes.values())
        rows: Iterator[Row] = (Row(name, rng.random(size, np.float32).tobytes()) for name in part.names())
        write_measures(out, shapes=shapes, rows=rows, faults=[])

    def _quality(self, labels: LabelSet, part: Part) -> dict[str, float]:  # noqa: ARG002
        return {}  # stand-ins are not looked at

    def _score(self, model: Model, split: str, looking: Looking, pictures: int, out: Path) -> Scores:  # noqa: ARG002
        pool = unseal(self._places).world.pool(split=split)
        self._stand_ins.work[self._key] = Looks(model, pool, tuple(pool.scenes()), looking)
        truth = stripes(8, 8 * len(model.classes), len(model.classes))
        said, sure = np.roll(truth, 4, axis=1), np.full(truth.shape, 0.5, np.float32)
        sums = Sums(
            confusion_counts(truth, said, num_classes=len(model.classes)),
            boundary_counts(truth, said, num_classes=len(model.classes)),
            calibration_counts(sure, said, truth, num_bins=15),
        )
        return Scores.of(sums, model.classes, scenes=len(pool))

    def _draw(self, sketch: Sketch, models: Mapping[str, Model], part: Part, scenes: Sequence[str], out: Path) -> None:  # noqa: ARG002
        (out / PICTURES).touch()
