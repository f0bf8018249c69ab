"""Coarse-to-fine self-training (Das et al., "Urban Scene Semantic Segmentation with Low-Cost Coarse Annotation").

Buy coarse masks, add free synthetic scenes, and let the model fill in what people left blank, round after round.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from segfrontier.lab import Lab, Looking, Model, Part, Recipe
from segfrontier.maths import make_views
from segfrontier_methods.coarse_to_fine.knobs import Knobs
from segfrontier_methods.coarse_to_fine.objective import HybridSupervision
from segfrontier_methods.coarse_to_fine.rule import AgreeAndConfident
from segfrontier_methods.coarse_to_fine.streams import check_parts, streams_of
from segfrontier_methods.supervised.method import fit
from segfrontier_methods.supervised.sampler import sampled_order


@dataclass(frozen=True, kw_only=True)
class CoarseToFine(Knobs):
    """Algorithm 1 of paper 000; with a `split`, its use as pre-training before fine masks."""

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Every training has the recipe's steps, or an equal share of its `total_steps`."""
        check_parts(self, lab, recipe)
        fine, real, trained = self._buy(lab, recipe)
        first, *later = (recipe.share(trained + i, of=trained + self.trainings) for i in range(self.trainings))
        model = self._train(lab, first, real, fine)  # Step 1
        self._note(lab, 0, model)
        rule = AgreeAndConfident(**self._fields_of(AgreeAndConfident))
        for iteration in range(1, self.iterations + 1):
            known = real
            if self.pseudo_labels:
                filled = lab.label(model, real, rule)  # Step 2: fills the blanks of the masks as they were bought
                known = Part(images=lab.pool, labels=filled)
            start = model if self.start == "last" else None
            model = self._train(lab, later[iteration - 1], known, fine, start=start, draw=iteration)  # Step 3
            self._note(lab, iteration, model)
        if fine is not None and self.tunes:
            model = fit(lab, later[-1], fine, start=model)
        return self._looked(model)

    def _looked(self, model: Model) -> Model:
        """The model, as every score of it is to look at it."""
        if not self.multi_scale:
            return model
        return model.looked(Looking(views=make_views(scales=self.scales, flips=(False,))))

    def _train(
        self, lab: Lab, recipe: Recipe, real: Part, fine: Part | None, *, start: Model | None = None, draw: int = 0
    ) -> Model:
        """On real images, synthetic ones and mixtures of the two; each iteration has draws of its own."""
        objective = HybridSupervision(
            network=recipe.network(len(lab.classes)), num_classes=len(lab.classes), **self._fields_of(HybridSupervision)
        )
        begin = {} if start is None else {"segmenter": start}
        return lab.train(objective, streams_of(self, lab, recipe, real, fine), recipe.plan(draw=draw), start=begin)

    def _buy(self, lab: Lab, recipe: Recipe) -> tuple[Part | None, Part, int]:
        """Fine masks with their share of the budget, if any; the real images; how many trainings chose these."""
        fine = None
        if self.split:
            fine = Part(images=lab.pool, labels=lab.buy_masks("fine", spend=round(self.split * lab.budget)))
            if self.mix.startswith("fine<-"):
                return fine, fine, 0
        coarse, trained = self._buy_coarse(lab, recipe, fine)
        return fine, coarse, trained

    def _buy_coarse(self, lab: Lab, recipe: Recipe, fine: Part | None) -> tuple[Part, int]:
        """Coarse masks with all of the budget that is left (section 3.3); 1 if a model was trained to choose them."""

        def train(part: Part) -> Model:
            return self._train(lab, recipe.share(0, of=1 + self.trainings), part, fine)

        order, model = lab.shuffled(), None
        if self.sampling == "model":
            order, model = sampled_order(lab, "coarse", train, first=self.first, present_above=self.present_above)
        labels = lab.buy_masks("coarse", spend=lab.budget, scenes=order)
        return Part(images=lab.pool, labels=labels), int(model is not None)

    def _note(self, lab: Lab, iteration: int, model: Model) -> None:
        if self.note_iterations:
            lab.note(f"iteration_{iteration}/miou", lab.score(self._looked(model)).miou)

    def _fields_of(self, cls: type[Any]) -> dict[str, Any]:
        """The knobs that a rule or an objective has by the same name."""
        return {f.name: getattr(self, f.name) for f in fields(cls) if hasattr(self, f.name)}
