"""LocalLab: every stage in this process. A debugger works, and neither Ray nor MLflow is imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from segfrontier.lab import training
from segfrontier.lab.crew import Crew
from segfrontier.lab.handles import Model
from segfrontier.lab.lab import Lab
from segfrontier.lab.labelling import Labelled, Rule, label_scene
from segfrontier.lab.leftout import sift
from segfrontier.lab.looking import Looking
from segfrontier.lab.measuring import Gauge, Measured, measure_scene, write_measures
from segfrontier.lab.pictures import Album
from segfrontier.lab.predict import Predictor, spread
from segfrontier.lab.scoring import Scored, Scores, Sums, score_scene
from segfrontier.lab.sealed import unseal
from segfrontier.lab.streams import Part
from segfrontier.lab.training import Job
from segfrontier.scenes.labels import LabelSet, write_labels


class LocalLab(Lab):
    """The lab in one process."""

    def _train(self, job: Job, work: Path, out: Path) -> None:
        crew = Crew(device=self.bench.torch_device())
        with self._heeding() as stop:
            training.run(job, crew, self.bench, work=work, out=out, watch=self._watching(job, work), stop=stop)

    def _label(self, model: Model, part: Part, rule: Rule, out: Path) -> tuple[LabelSet, list[str]]:
        predictor, names, faults = self._predictor(model), part.names(), list[str]()

        def results() -> Iterator[Labelled]:
            for done, scene in enumerate(names, start=1):
                yield label_scene(predictor, rule, part, scene)
                self._told(done, len(names))

        rows = sift(results(), faults, total=len(names))
        return write_labels(out, kind="pseudo", classes=model.classes, rows=rows), faults

    def _measure(self, model: Model, part: Part, gauge: Gauge, out: Path) -> None:
        predictor, names, faults = self._predictor(model), part.names(), list[str]()

        def results() -> Iterator[Measured]:
            for done, scene in enumerate(names, start=1):
                yield measure_scene(predictor, gauge, part, scene)
                self._told(done, len(names))

        rows = sift(results(), faults, total=len(names), done="measured")
        write_measures(out, shapes=gauge.shapes(len(model.classes)), rows=rows, faults=faults)

    def _score(self, model: Model, split: str, looking: Looking, pictures: int, out: Path) -> Scores:
        places, predictor = unseal(self._places), self._predictor(model)
        pool, truth = places.world.pool(split=split), places.truth(split)
        sums, album, names = Sums.zero(len(model.classes)), Album(model.classes), pool.scenes()
        shown, faults = set(spread(names, pictures)), list[str]()

        def results() -> Iterator[Scored]:
            for done, scene in enumerate(names, start=1):
                yield score_scene(predictor, pool, truth, scene, looking=looking)
                self._told(done, len(names))

        for seen in sift(results(), faults, total=len(names), done="scored"):
            sums = sums + seen.sums
            if seen.scene in shown:
                album.add(seen.scene, seen.image, seen.truth, seen.prediction)
        album.write(out / "pictures.png")
        return Scores.of(sums, model.classes, scenes=len(names) - len(faults), left_out=faults)

    def _predictor(self, model: Model) -> Predictor:
        if self.bench.threads:
            torch.set_num_threads(self.bench.threads)
        return Predictor(model, device=self.bench.torch_device())
