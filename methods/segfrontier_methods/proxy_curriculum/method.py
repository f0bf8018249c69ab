"""Paper 003: learn from a labelled source and from one's own labels of the target, the easy ones first."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from segfrontier.errors import BadInput
from segfrontier.lab import Lab, Model, Part, Recipe, Stream
from segfrontier.maths import mean_iou
from segfrontier_methods.proxy_curriculum.agreement import EasyShare, Growing
from segfrontier_methods.proxy_curriculum.classes import LEAK, class_weights, leaks
from segfrontier_methods.proxy_curriculum.knobs import Knobs
from segfrontier_methods.proxy_curriculum.objective import Curriculum
from segfrontier_methods.proxy_curriculum.starvation import vanished


@dataclass(frozen=True, kw_only=True)
class ProxyCurriculum(Knobs):
    """Adaptive segmentation with a strategic curriculum of proxy labels (Chitta, Feng, Hebert)."""

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """One training; no target label is bought."""
        self.require_classes(lab.classes.names)
        source, target = self._source(lab), self._target(lab, recipe)
        streams = {"source": self._shown(recipe, source)} | ({"target": target} if self.target == "proxy" else {})
        plan = recipe.plan(snapshots=recipe.snapshots or max(0, self.looks - 1))
        trained = model = lab.train(self._objective(lab, recipe, source), streams, plan)
        if self.target == "batch_norm":
            model = lab.renorm(trained, target)
        self._look(lab, [*self._kept(lab, trained), model])
        self._note(lab, trained, model)
        return model

    def _objective(self, lab: Lab, recipe: Recipe, source: Part) -> Curriculum:
        network = recipe.network(len(lab.classes), decoders=self.branches)
        network = replace(network, schedule=replace(network.schedule, per=self.decay))
        own = {f.name: getattr(self, f.name) for f in fields(Curriculum) if hasattr(self, f.name)}
        return Curriculum(
            segmenter=network, classes=lab.classes.names, class_weights=class_weights(self, lab, source), **own
        )

    def _source(self, lab: Lab) -> Part:
        if lab.synthetic is None:
            raise BadInput(
                "proxy_curriculum learns from labelled source scenes; this world has none: name one as `source` in "
                "the study"
            )
        return lab.synthetic

    def _shown(self, recipe: Recipe, source: Part) -> Stream:
        """Source samples, brought to the size that the knob asks for; whole ones where the recipe has no crop."""
        stream = recipe.stream(source)
        if self.source_size is None:
            return stream
        crop = recipe.crop or self.source_size
        return replace(stream, augment=replace(stream.augment, resize=self.source_size, crop=crop))

    def _target(self, lab: Lab, recipe: Recipe) -> Stream:
        """Target images, never shown smaller than their crop: what pads one has no class, and would get a label."""
        stream = recipe.stream(Part(images=lab.pool))
        size, crop = lab.pool.size(lab.pool.scenes()[0]), stream.augment.crop
        least = max(side / whole for side, whole in zip(crop or size, size, strict=True))
        low, high = stream.augment.scale
        return replace(stream, augment=replace(stream.augment, scale=(max(low, least), max(high, least))))

    def _kept(self, lab: Lab, trained: Model) -> list[Model]:
        """The weights at all looks but the last, of those that were kept on the way."""
        kept = list(lab.snapshots(trained).values())
        numbers = {round(i * (len(kept) + 1) / self.looks) for i in range(1, self.looks)}
        return [kept[number - 1] for number in sorted(numbers) if 1 <= number <= len(kept)]

    def _look(self, lab: Lab, models: list[Model]) -> None:
        """How many pixels are easy at each look, and pictures of a few scenes."""
        if not self.looks:
            return
        looks = {f"look {i}": model for i, model in enumerate(models, start=1)}
        names = lab.pool.scenes()
        shown = np.unique(np.linspace(0, len(names) - 1, min(self.look_scenes, len(names))).round().astype(int))
        part = Part(images=lab.pool, scenes=tuple(names[i] for i in shown))
        gauge = EasyShare(looks=tuple(looks), easy_up_to=self.easy_up_to)
        easy = lab.measure(looks, part, gauge).column("easy").mean(axis=0)
        for number, share in enumerate(easy, start=1):
            lab.note(f"easy_share/look_{number}", float(share))
        noted = float(easy[0 if self.look_noted == "first" else -1])
        lab.note("easy_share", noted)
        lab.note("hard_share", 1 - noted)
        if self.pictures:
            lab.draw(Growing(easy_up_to=self.easy_up_to), looks, Part(images=lab.pool), scenes=self.pictures)

    def _note(self, lab: Lab, trained: Model, model: Model) -> None:
        """What a reader must know: minority classes, classes that starved, and how the heavier ones were chosen."""
        if leaks(self):
            lab.note(LEAK, 1.0)
        minority = [lab.classes.index(name) for name in self.weighted if name in lab.classes.names]
        if minority:
            score = lab.score(model)
            lab.note("miou_minority", mean_iou(score.sums.confusion, absent="in_truth", classes=minority))
        for name, step in vanished(lab.classes.names, lab.history(trained)).items():
            lab.note(name, step)
