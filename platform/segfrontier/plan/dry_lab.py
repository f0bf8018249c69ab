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
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segfrontier.basics.atomic import write_json
from segfrontier.lab import Lab, Model, Part, Rule
from segfrontier.lab.backend import Backend
from segfrontier.lab.doors import Models
from segfrontier.lab.joining import Joining
from segfrontier.lab.passes.base import Outcome, Pass
from segfrontier.lab.passes.gauges import GaugeRow
from segfrontier.lab.passes.label import ABOUT, LabelPass
from segfrontier.lab.passes.measure import MeasurePass
from segfrontier.lab.passes.score import Scored, ScorePass
from segfrontier.lab.passes.scores import counted
from segfrontier.lab.places import Places
from segfrontier.lab.training.history import Watch
from segfrontier.lab.training.loop import Job
from segfrontier.lab.watching import Watcher
from segfrontier.market import Request
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.imagined import stripes, write_alike
from segfrontier.scenes.known import Detections, SceneLabels
from segfrontier.scenes.labels import LabelSet
from segfrontier.store import Entry, Store
from segfrontier.store.keys import dumps, plain, text_digest


@dataclass(frozen=True)
class Training:
    """A training stage to come."""

    job: Job


Work = Training | Pass[Any]
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
        if key in self.stored and self.stored[key].kind not in ("train", "renorm", "join"):
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
    """What every stage would have computed; and the scores that stand in, alike wherever they count alike."""

    work: dict[str, Work] = field(default_factory=dict)
    scores: dict[str, Entry] = field(default_factory=dict)  # by how they count


class Script(Watcher):
    """Hears what a method asks for: `stages` by key, in order of their first use; the one that is computed `now`."""

    def __init__(self, shadow: Shadow) -> None:
        self.stages: dict[str, str] = {}
        self.now = ""
        self.guesses: set[str] = set()  # stages whose stand-ins the method has seen
        self.guided = False  # whether it has gone on from there
        self._shadow = shadow

    def begin(self, kind: str, key: str) -> None:
        """See `Watcher.begin`."""
        self.now, self.guided = key, self.guided or (bool(self.guesses) and kind not in ("score", "draw"))
        self.stages.setdefault(key, kind)
        if kind in _TELLING and key not in self._shadow.stored:
            self.guesses.add(key)

    found = begin  # what is stored already is asked for all the same


class RehearsalLab(Lab):
    """The lab of a rehearsal; its `script` is what the method asked for."""

    def __init__(self, *, stand_ins: StandIns, store: Shadow, **lab: Any) -> None:
        self.script, self.shadow = Script(store), store
        backend = RehearsalBackend(self.script, store, stand_ins)
        super().__init__(backend=backend, store=store, **lab | {"watcher": self.script})
        self.purchases: list[str] = []

    def buy(self, request: Request, *, at_most: int | None = None) -> LabelSet:
        """See `Lab.buy`."""
        labels = super().buy(request, at_most=at_most)
        if guesses := self.script.guesses:
            labels = dataclasses.replace(labels, digest=text_digest(" ".join([labels.digest, *sorted(guesses)])))
        self.purchases.append(labels.digest)
        return labels

    def history(self, model: Model) -> list[dict[str, float]]:
        """See `Lab.history`; of a training to come, the last step is all that is known."""
        entry = self.shadow.at_home(model.key)
        if entry is None:
            self.script.guesses.add(model.key)
            return super().history(model)
        return [json.loads(line) for line in entry.local("log.jsonl").read_text().splitlines()]

    def label(self, models: Models, part: Part, rule: Rule) -> LabelSet:
        """See `Lab.label`; labels to come have the key of their stage for an identity."""
        labels = super().label(models, part, rule)
        if self.script.now in self.shadow.stored:
            return labels
        return dataclasses.replace(labels, digest=text_digest(f"labels of {self.script.now}"))


@dataclass(frozen=True)
class RehearsalBackend(Backend):
    """Nobody works: what would be computed is noted, and stands in."""

    script: Script
    shadow: Shadow
    stand_ins: StandIns

    def power(self, kind: str) -> tuple[int, bool]:  # noqa: ARG002
        """See `Backend.power`."""
        return 1, False

    def train(self, job: Job, *, work: Path, out: Path, watch: Watch, stop: Callable[[], bool]) -> None:  # noqa: ARG002
        """See `Backend.train`."""
        self.stand_ins.work[self.script.now] = Training(job)
        kept = [f"weights-{step:09d}.pt" for step in job.plan.snapshot_steps() if step < job.plan.steps]
        for name in ("weights.pt", *kept):
            (out / name).touch()
        (out / "log.jsonl").write_text(json.dumps({"step": job.plan.steps}) + "\n")

    def join(self, work: Joining, out: Path, classes: ClassTable, *, world: str) -> None:  # noqa: ARG002
        """See `Backend.join`."""
        (out / "weights.pt").touch()
        (out / "log.jsonl").write_text(json.dumps({"step": 0}) + "\n")

    def pass_stage(self, kind: str, key: str, work: Pass[Any], stage: Callable[[], Entry]) -> Entry:
        """Scores that stand in are one entry for all: a table of a paper scores sixty snapshots of each cell."""
        if not isinstance(work, ScorePass) or key in self.shadow.stored:
            return stage()
        counts = dumps(plain([work.tasks, work.classes.digest, len(work.names())]))
        entry = self.stand_ins.scores.get(counts)
        if entry is None:
            entry = self.stand_ins.scores[counts] = stage()
        self.script.found(kind, key)
        self.stand_ins.work[key] = work
        return entry

    def outcomes(self, work: Pass[Any]) -> Generator[Outcome, None, None]:
        """See `Backend.outcomes`: rows that stand in for what would be found."""
        row = _stand_in(work, np.random.default_rng(int(self.script.now, 16)))
        for scene in work.names():
            yield Outcome(scene, row(scene), "")

    def write(self, work: Pass[Any], out: Path, rows: Iterator[Any], faults: Sequence[str]) -> None:
        """See `Backend.write`. Maps that stand in for labels are alike: one is written for all images of a size."""
        self.stand_ins.work[self.script.now] = work
        if not isinstance(work, LabelPass):
            work.write(out, rows, faults)
            return
        sizes = {scene: work.images.size(scene) for scene in work.names()}
        made = write_alike(out, kind="pseudo", classes=work.classes, sizes=sizes, identity=self.script.now)
        about = {"path": Path(made.path).name, "kind": made.kind, "digest": made.digest, "count": made.count}
        write_json(out / ABOUT, about | {"faults": []}, sync=False)

    def quality(self, labels: LabelSet, part: Part, places: Places) -> dict[str, float]:  # noqa: ARG002
        """Stand-ins are not looked at."""
        return {}


def _stand_in(work: Pass[Any], rng: np.random.Generator) -> Callable[[str], object]:
    """The row of each scene: random numbers, middling scores, an empty picture."""
    count = len(work.classes)
    if isinstance(work, MeasurePass):
        size = sum(math.prod(shape) for shape in work.gauge.shapes(count).values())
        return lambda scene: GaugeRow(scene, rng.random(size, np.float32).tobytes())
    if isinstance(work, ScorePass):
        sums = counted(work.tasks, middling(8, 8 * count, count), middling(8, 8 * count, count, by=4), work.classes)
        return lambda scene: Scored(scene, sums, None)
    return lambda scene: (scene, [("image", np.full((9, 16, 3), 128, np.uint8))])


def middling(height: int, width: int, classes: int, *, by: int = 0) -> SceneLabels:
    """Stripes of all classes, shifted: what a model that is neither good nor bad may say."""
    semantic = np.roll(stripes(height, width, classes), by, axis=1)
    return SceneLabels(
        size=(height, width),
        semantic=semantic,
        instance=np.zeros((height, width), np.uint16),
        detections=Detections(
            label=np.zeros(0, np.uint8), score=np.zeros(0, np.float32), mask=np.zeros((0, height, width), np.bool_)
        ),
        confidence=np.full((height, width), 0.5, np.float32),
        tag_scores=np.full(classes, 0.5, np.float32),
    )
