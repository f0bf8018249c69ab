"""Paper 001: adapt a model to the target without labels, ask about points where it is unsure, adapt again with them."""

from __future__ import annotations

from dataclasses import dataclass

from segfrontier.lab import Lab, LabelSet, Measures, Model, Part, Recipe
from segfrontier.models.model import needs_batch_norm
from segfrontier_methods.active_points.acquisition import Choice, Draw, PatchEntropy, steps_of_asking
from segfrontier_methods.active_points.adaptation import adapted, source_of, trained
from segfrontier_methods.active_points.class_sets import CLASS_SETS, miou_over, require
from segfrontier_methods.active_points.knobs import Knobs
from segfrontier_methods.active_points.labels import PointLabels
from segfrontier_methods.active_points.pictures import Story


@dataclass(frozen=True, kw_only=True)
class ActivePoints(Knobs):
    """Labeling where adapting fails: point supervision via active selection (Pan, Rameau, Kim, Kweon)."""

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """A: adapt without labels. B: score patches, buy points. C: adapt with them. B and C once a round."""
        source, draw = source_of(lab), Draw.of(self, lab.seed)
        totals = self._check(lab, draw, recipe)
        count = self.adaptations + len(totals)  # trainings, which share the recipe's `total_steps`, if it has any
        model = adapted(self, lab, [recipe.share(i, of=count) for i in range(self.adaptations)])  # A: G1, D1
        bought: list[LabelSet] = []
        for number, total in enumerate(totals, start=1):
            before, measures = model, self._measured(lab, model, draw, total)  # B: equation 5
            bought = Choice(knobs=self, draw=draw, lab=lab, measures=measures, before=bought).buy(total)
            target = self._labelled(lab, before, draw, bought, measures)  # equation 6
            shared = recipe.share(self.adaptations + number - 1, of=count)
            model = trained(self, lab, shared, source=source, target=target, draw=number)  # C: G2, D2
            self._note(lab, number, before, model)
            if self.pictures and number == len(totals):
                story = Story(draw=draw)
                asked = Part(images=lab.pool, labels=bought[0])
                lab.draw(story, {"before": before, "after": model}, asked, scenes=self.pictures)
        for name in self.class_sets:
            lab.note(f"miou_{name}", miou_over(lab.score(model), CLASS_SETS[name], lab.classes.names))
        return model

    def _measured(self, lab: Lab, model: Model, draw: Draw, total: int) -> Measures | None:
        """Entropies, where the choice goes by them, and in the same pass all that equation 6 needs of the model."""
        if self.selector != "active" or not total:
            return None
        gauge = PatchEntropy.of(self, draw if self.reading == "sparse" else None)
        return lab.measure(model, Part(images=lab.pool, scenes=tuple(lab.sold("point"))), gauge)

    def _labelled(
        self, lab: Lab, model: Model, draw: Draw, bought: list[LabelSet], measures: Measures | None
    ) -> list[Part]:
        """The target with a person's labels where one was asked, and the model's elsewhere."""
        known = measures if self.reading == "sparse" else None
        rule, looks = PointLabels(draw=draw, reading=self.reading), None if known else model
        asked = [Part(images=lab.pool, labels=labels, measures=known) for labels in bought]
        return [Part(images=lab.pool, labels=lab.label(looks, part, rule)) for part in asked]

    def _check(self, lab: Lab, draw: Draw, recipe: Recipe) -> list[int]:
        """Refuse what cannot work before anything is trained; returns how much is asked by the end of each round."""
        require(self.class_sets, lab)
        if self.rebn:
            needs_batch_norm(recipe.model(len(lab.classes), aux=self.levels == 2), "the knob rebn")
        if self.selector == "none":
            return []
        draw.check(lab.pool.size(lab.pool.scenes()[0]))
        return steps_of_asking(self, lab)

    def _note(self, lab: Lab, number: int, before: Model, after: Model) -> None:
        if number == 1:
            lab.note("round_0/miou", lab.score(before).miou)
        lab.note(f"round_{number}/miou", lab.score(after).miou)
