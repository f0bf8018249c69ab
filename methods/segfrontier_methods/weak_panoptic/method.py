"""Weakly- and semi-supervised panoptic segmentation (Li, Arnab, Torr).

Buy boxes around things and tags of stuff, make masks of them, train on these and on one's own cleaned predictions; then
unite the segmenter with a detector that learned from the same boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from segfrontier.lab import Instances, Judged, Lab, LabelSet, Model, Panoptic, Part, Recipe
from segfrontier.maths import CITYSCAPES_THRESHOLDS, DEEPLAB, DIN, VOC_THRESHOLDS, mean_iou
from segfrontier_methods.supervised.objective import CrossEntropy
from segfrontier_methods.weak_panoptic.box_masks import BoxMasks, MaskQuality, mask_quality
from segfrontier_methods.weak_panoptic.cleaning import FIRST, SEEDS, FirstLabels, NextLabels
from segfrontier_methods.weak_panoptic.data import Data, background_of, bought
from segfrontier_methods.weak_panoptic.detector import BoxesOfMasks, Detecting
from segfrontier_methods.weak_panoptic.heat import Heat
from segfrontier_methods.weak_panoptic.instances import Panoptically, join_panoptic
from segfrontier_methods.weak_panoptic.knobs import Knobs
from segfrontier_methods.weak_panoptic.matched import DETECTIONS, PANOPTIC, MatchedInstances
from segfrontier_methods.weak_panoptic.networks import classifier_of, detector_of, panoptic_of, segmenter_of
from segfrontier_methods.weak_panoptic.pictures import FromBoxes
from segfrontier_methods.weak_panoptic.ready import require_ready
from segfrontier_methods.weak_panoptic.tags import BOXES, CLASSIFIER, LearnTags, StuffSeeds, tag_stream


@dataclass(frozen=True, kw_only=True)
class WeakPanoptic(Knobs):
    """From boxes and tags to instances and stuff; see `Knobs` for the paper's gaps."""

    def run(self, lab: Lab, recipe: Recipe) -> Model | Judged:
        """Classifier, segmenter with its rounds, detector, all end to end: those that there are share the steps."""
        require_ready(lab, recipe, self)
        data = bought(lab, self)
        count = (data.tags is not None) + 1 + (self.rounds if data.boxes is not None else 0)
        count += {"none": 0, "piecewise": 1, "end_to_end": 2}[self.instances]
        recipes = (recipe.share(number, of=count) for number in range(count))
        labels, model = self._semantic(lab, recipes, data)
        if self.instances != "none":
            model = self._united(lab, recipes, data, labels, model)
        self._note(lab, model)
        if self.instances == "none":
            return model
        thresholds = VOC_THRESHOLDS if self.ap == "voc" else CITYSCAPES_THRESHOLDS
        ap = Instances(convention="din", thresholds=thresholds, rankings=("score", "oracle"), stuff=True)
        rule = Panoptically(detect=self.detect(), rank=self.rank)
        return Judged(model=model, rule=rule, tasks=(Panoptic(), ap))

    def _semantic(self, lab: Lab, recipes: Iterator[Recipe], data: Data) -> tuple[LabelSet | None, Model]:
        """Sections 3.2 and 3.3: the last labels of the boxed images, and the segmenter that learned from them."""
        if data.boxes is None:
            return None, self._segmenter(lab, next(recipes), data, None)
        rule = self.sources(background_of(self, lab), classes=len(lab.classes))
        masks = lab.label(None, Part(images=lab.pool, labels=data.boxes), rule)
        seeds = masks if data.tags is None else self._seeds(lab, next(recipes), data)
        labels = [lab.label(None, data.boxed(**{FIRST: masks, SEEDS: seeds}), FirstLabels(**self._ways(lab, data)))]
        model = self._segmenter(lab, next(recipes), data, labels[0])
        for number in range(1, self.rounds + 1):
            crf = self.crf_of(DEEPLAB) if self.crf else None
            next_labels = NextLabels(**self._ways(lab, data), number=number, crf=crf, scores_of=self.scores_of)
            labels.append(lab.label(model, data.boxed(**{FIRST: masks}), next_labels))
            model = self._segmenter(lab, next(recipes), data, labels[-1], number=number, start=model)
        if self.pictures:
            rounds = {f"round {number}": made for number, made in enumerate(labels)}
            shown = Part(images=lab.pool, labels={BOXES: data.boxes, SEEDS: seeds, **rounds})
            lab.draw(FromBoxes(rule=self.sources()), {}, shown, scenes=self.pictures)
        return labels[-1], model

    def _seeds(self, lab: Lab, recipe: Recipe, data: Data) -> LabelSet:
        """Where tagged stuff is, by what a classifier looks at."""
        network = classifier_of(self, recipe, len(lab.classes))
        objective = LearnTags(
            classifier=network, things=lab.classes.things, tiling=data.tiling, thing_tags=self.thing_tags,
            zoom=self.tag_zoom,
        )  # fmt: skip
        classifier = lab.train(objective, {"tags": tag_stream(data.tagged(), recipe.batch)}, recipe.plan())
        rule = StuffSeeds(share=self.cam_share, tiling=data.tiling, zoom=self.tag_zoom)
        if self.pictures:
            lab.draw(Heat(rule=rule), {CLASSIFIER: classifier}, data.tagged(), scenes=self.pictures)
        return lab.label(classifier, data.boxed(), rule)

    def _segmenter(
        self, lab: Lab, recipe: Recipe, data: Data, labels: LabelSet | None, *, number: int = 0,
        start: Model | None = None,
    ) -> Model:  # fmt: skip
        """One training on the boxed images as they are labelled now, beside those with masks."""
        objective = CrossEntropy(network=segmenter_of(self, recipe, len(lab.classes), number=number))
        stream = recipe.stream(*data.masked(labels))
        begin = {} if start is None else {"segmenter": start}
        return lab.train(objective, {"labelled": stream}, recipe.plan(draw=number), start=begin)

    def _united(
        self, lab: Lab, recipes: Iterator[Recipe], data: Data, labels: LabelSet | None, segmenter: Model
    ) -> Model:
        """Sections 3.1 and 3.4: a detector beside the segmenter, and both through the instance CRF."""
        first = next(recipes)
        finding = Detecting(detector=detector_of(self, first, lab.classes.things))
        detector = lab.train(finding, {"boxes": first.stream(*data.masked(labels))}, first.plan())
        model = join_panoptic(
            lab, segmenter, detector, crf=self.crf_of(DIN) if self.pairwise else None, filtering=self.filtering,
            box_term=self.box_term, global_term=self.global_term, score=self.detection_score,
            boxed_stuff=self.boxed_stuff, eps=self.eps, weights_lr=self.weights_lr, learns=self.learns,
        )  # fmt: skip
        if self.instances == "piecewise":
            return model
        second, scenes = next(recipes), [scene for part in data.masked(labels) for scene in part.names()]
        found = lab.label(detector, Part(images=lab.pool, scenes=tuple(scenes)), self.detect())
        objective = MatchedInstances(
            panoptic=panoptic_of(self, second, model.blueprints[PANOPTIC]), semantic=self.beside
        )
        stream = second.stream(*data.masked(labels, **{DETECTIONS: found}))
        return lab.train(objective, {"masks": stream}, second.plan(), start={PANOPTIC: model})

    def _ways(self, lab: Lab, data: Data) -> dict[str, Any]:
        """How labels are cleaned; by tags where there are any."""
        cleaning = self.cleaning(background_of(self, lab), tags=data.tags is not None)
        return {
            "things": lab.classes.things, "num_classes": len(lab.classes), "cleaning": cleaning,
            "thing_tags": self.thing_tags, "tiling": data.tiling,
        }  # fmt: skip

    def _note(self, lab: Lab, model: Model) -> None:
        """How much things are ahead of stuff, and how good masks and proposals are where objects are known for free."""
        groups = {"things": lab.classes.things, "stuff": lab.classes.stuff}
        confusion = lab.score(model).sums.confusion
        found = {name: mean_iou(confusion, absent="in_truth", classes=group) for name, group in groups.items() if group}
        for name, value in found.items():
            lab.note(f"miou_{name}", value)
        if len(found) == len(groups):
            lab.note("things_ahead", found["things"] - found["stuff"])
        self._note_masks(lab, self.sources())

    def _note_masks(self, lab: Lab, rule: BoxMasks) -> None:
        free = lab.synthetic
        if not self.judged_scenes or free is None or not isinstance(free.labels, LabelSet):
            return
        scenes = tuple(s for s in free.names()[: self.judged_scenes] if free.labels.instance(s) is not None)
        if scenes:
            known = Part(images=free.images, labels=free.labels, scenes=scenes)
            boxes = lab.label(None, known, BoxesOfMasks(things=lab.classes.things))
            part = Part(images=free.images, labels={BOXES: boxes, "masks": free.labels}, scenes=scenes)
            for name, value in mask_quality(lab.measure({}, part, MaskQuality(rule=rule))).items():
                lab.note(name, value)
