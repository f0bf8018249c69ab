"""LocalLab: every stage in this process. A debugger works, and neither Ray nor MLflow is imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from segfrontier.lab import training
from segfrontier.lab.crew import Crew
from segfrontier.lab.handles import Model
from segfrontier.lab.lab import Lab
from segfrontier.lab.labelling import Labelled, Rule, label_scene, sift
from segfrontier.lab.measuring import Gauge, Measured, measure_scene, write_measures
from segfrontier.lab.pictures import Album
from segfrontier.lab.predict import Looking, Predictor, spread
from segfrontier.lab.scoring import Scores, Sums, score_image
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
        shown = set(spread(names, pictures))
        for done, scene in enumerate(names, start=1):
            image, answer = pool.image(scene), truth.semantic(scene)
            one, prediction = score_image(predictor, image, answer, looking=looking)
            sums = sums + one
            if scene in shown:
                album.add(scene, image, answer, prediction)
            self._told(done, len(names))
        album.write(out / "pictures.png")
        return Scores.of(sums, model.classes, scenes=len(names))

    def _predictor(self, model: Model) -> Predictor:
        if self.bench.threads:
            torch.set_num_threads(self.bench.threads)
        return Predictor(model, device=self.bench.torch_device())
