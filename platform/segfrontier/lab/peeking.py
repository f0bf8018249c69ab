"""Scores of a training that still runs: of the weights that it lays out on the way. For early stopping alone.

The files lie in the training's work folder, beside the snapshots that are part of its result, and go once they are
scored: no key and no result depends on whether anybody looks.

They are made outside of the training loop, in the process that runs the lab, because no training code may see the truth
of the validation split.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from segfrontier.lab.handles import built
from segfrontier.lab.passes.inference import Predictor, Predictors
from segfrontier.lab.passes.rules import Argmax
from segfrontier.lab.passes.scores import counted
from segfrontier.lab.passes.tasks import ABSENT, Semantic
from segfrontier.lab.places import Places
from segfrontier.lab.training.loop import PEEKS, Job
from segfrontier.maths import Confusion, semantic_scores
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.known import SceneLabels


class Peek:
    """Looks at the weights that appear among a training's peeks."""

    def __init__(self, job: Job, work: Path, places: Places, classes: ClassTable, device: torch.device) -> None:
        self._job, self._work, self._places = job, work, places
        self._classes, self._device = classes, device

    def fresh(self) -> Iterator[tuple[float, float]]:
        """(epochs, mean IoU) of the weights that were laid out since the last call."""
        for file in sorted((self._work / PEEKS).glob("weights-*.pt")):
            score = self._miou(file)
            file.unlink(missing_ok=True)
            yield int(file.stem[8:]) / self._job.steps_an_epoch, score

    def _miou(self, file: Path) -> float:
        name, network = next(iter(self._job.objective.networks().items()))
        module = built(network.blueprint, file, name, self._device)
        models = Predictors({name: Predictor.of(module, self._classes, device=self._device, looking=self._job.looking)})
        pool, truth = self._places.world.pool(split="val"), self._places.truth("val")
        self._places.note_free("validation", detail="target/val, early stopping", count=len(truth))
        total = Confusion.zero(num_classes=len(self._classes))
        for scene in pool.scenes():
            try:
                found = Argmax().label(models, pool.image(scene), None)
            except Undecodable:  # left out here as in the evaluator's own scores, which name it
                continue
            known = SceneLabels(size=found.size, semantic=truth.semantic(scene))
            total = total + counted((Semantic(),), known, found, self._classes).confusion
        return float(semantic_scores(total, absent=ABSENT)[f"miou_{ABSENT}"])
