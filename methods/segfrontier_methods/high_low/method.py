"""Semi-supervised segmentation with high- and low-level consistency (Mittal, Tatarchenko, Brox).

Buy a few masks. A low branch learns maps from them and from unlabelled images, judged by a discriminator; a high branch
learns which classes an image shows, and silences the others in the low branch's maps.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from segfrontier.lab import Lab, Model, MultiLabel, Recipe
from segfrontier.models.classifier import ClassifierSpec
from segfrontier_methods.high_low.balance import note_balance
from segfrontier_methods.high_low.data import Data, bought
from segfrontier_methods.high_low.fusion import LargeOnlySpec, Tagging, TwoBranchSpec
from segfrontier_methods.high_low.knobs import Knobs
from segfrontier_methods.high_low.mlmt import TagTeacher
from segfrontier_methods.high_low.networks import (
    classifier_of,
    critic_of,
    map_streams,
    require_networks,
    segmenter_of,
    tag_streams,
)
from segfrontier_methods.high_low.s4gan import S4Gan
from segfrontier_methods.high_low.thresholds import chosen
from segfrontier_methods.supervised.objective import CrossEntropy


@dataclass(frozen=True, kw_only=True)
class HighLow(Knobs):
    """s4GAN and the multi-label mean teacher, apart or together; see `Knobs` for the rows of the paper's tables."""

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """The branches train one after the other and know nothing of each other until they are fused."""
        require_networks(self, recipe, len(lab.classes))
        data = bought(lab, labelled=self.labelled, split=self.split, draw=self.draw)
        first, *second = (recipe.share(i, of=self.trainings) for i in range(self.trainings))
        segmenter = trained = self._low(lab, first, data)
        if self.renorm:
            segmenter = lab.renorm(segmenter, recipe.stream(data.unlabelled, data.masked))
        model = self._fused(lab, segmenter, data, self._high(lab, second[0], data) if second else None)
        if self.low == "s4gan":
            note_balance(lab, trained, selecting=self.self_training > 0)
        return model

    def _low(self, lab: Lab, recipe: Recipe, data: Data) -> Model:
        """Section 3.1: the segmenter."""
        classes = len(lab.classes)
        network, streams = segmenter_of(self, recipe, classes), map_streams(recipe, data)
        if self.low == "supervised":
            return lab.train(CrossEntropy(network=network), {"labelled": streams["labelled"]}, recipe.plan())
        critic = critic_of(self, network, classes)
        objective = S4Gan(segmenter=network, critic=critic, num_classes=classes, **self._fields_of(S4Gan))
        return lab.train(objective, streams, recipe.plan())

    def _high(self, lab: Lab, recipe: Recipe, data: Data) -> Model:
        """Section 3.2: the classifier; of a mean teacher, the teacher."""
        network = classifier_of(self, recipe, len(lab.classes))
        settings = self._fields_of(TagTeacher) | ({} if self.high == "mlmt" else {"consistency": 0.0})
        objective = TagTeacher(classifier=network, num_classes=len(lab.classes), **settings)
        model = lab.train(objective, tag_streams(self, recipe, data), recipe.plan())
        return model.teacher() if self.high == "mlmt" else model

    def _fused(self, lab: Lab, segmenter: Model, data: Data, classifier: Model | None) -> Model:
        """Section 3.3 and the rows of Table 5."""
        blueprint: Any = segmenter.blueprints[segmenter.network]
        if classifier is not None:
            parts, second = {"segmenter": segmenter, "classifier": classifier}, classifier.blueprints["classifier"]
            assert isinstance(second, ClassifierSpec)
            spec = TwoBranchSpec(
                segmenter=blueprint, classifier=second, size=self.tag_size,
                tau=self.tau, tau_inclusive=self.tau_inclusive, all_masked=self.all_masked,
            )  # fmt: skip
            model = lab.join(spec, parts)
            if self.note_tags:
                scores = lab.score(classifier, rule=Tagging(size=self.tag_size), tasks=(MultiLabel(),), pictures=0)
                lab.note("tag_map", scores.values["tag_map"])
            return model
        if self.high == "none":
            return segmenter
        least = chosen(
            lab, segmenter, data.masked, thresholds=self.thresholds, each=self.high == "class_thresholds",
            all_masked=self.all_masked,
        )  # fmt: skip
        return lab.join(
            LargeOnlySpec(segmenter=blueprint, least=least, all_masked=self.all_masked), {"segmenter": segmenter}
        )

    def _fields_of(self, cls: type[Any]) -> dict[str, Any]:
        """The knobs that an objective has by the same name."""
        return {f.name: getattr(self, f.name) for f in fields(cls) if hasattr(self, f.name)}
