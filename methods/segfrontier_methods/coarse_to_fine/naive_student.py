"""The semi-supervised yardstick of Fig. 4 (right): fine masks, and the other images without any labels.

Naive-Student (Chen et al., ECCV 2020): a teacher labels the unlabelled images through several views, a student learns
from both, and becomes the next teacher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from segfrontier.errors import BadInput
from segfrontier.lab import Argmax, Lab, Looking, Model, Part, Recipe
from segfrontier.maths import make_views
from segfrontier_methods.supervised.choices import Sampled
from segfrontier_methods.supervised.method import fit
from segfrontier_methods.supervised.objective import CrossEntropy


@dataclass(frozen=True, kw_only=True)
class NaiveStudent(Sampled):
    """Spend all of the budget on fine masks; label up to `unlabelled` other images (default: all) by the model."""

    demo: ClassVar[None] = None  # a rival of coarse_to_fine, which the demo shows

    iterations: int = 1
    unlabelled: int | None = None
    above: float = 0.0  # hard labels everywhere, as published; higher drops unsure pixels
    scales: tuple[float, ...] = (0.5, 1.0, 2.0)
    flips: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.iterations < 1 or (self.unlabelled is not None and self.unlabelled < 1):
            raise BadInput(
                f"naive_student needs iterations >= 1 and unlabelled >= 1; found {self.iterations} and "
                f"{self.unlabelled}; without them it is the method fine"
            )
        if not 0 <= self.above < 1 or not self.scales or min(self.scales) <= 0:
            raise BadInput(
                f"naive_student needs a threshold in [0, 1) and scales above 0; found {self.above} and {self.scales}"
            )

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Every training has the recipe's steps, or an equal share of its `total_steps`, and the encoder's weights."""
        order, chooser = self.order(lab, "fine", lambda part: fit(lab, recipe.share(0, of=2 + self.iterations), part))
        fine = Part(images=lab.pool, labels=lab.buy_masks("fine", spend=lab.budget, scenes=order))
        paid = set(fine.names())
        rest = tuple(scene for scene in lab.shuffled() if scene not in paid)[: self.unlabelled]
        if not rest:
            return self.looked(fit(lab, recipe, fine))  # every image has its mask, and no model chose
        trained = int(chooser is not None)
        shares = (recipe.share(trained + i, of=trained + 1 + self.iterations) for i in range(1 + self.iterations))
        first, *later = shares
        model = fit(lab, first, fine)
        views = make_views(scales=self.scales, flips=(False, True) if self.flips else (False,))
        looking, rule = Looking(views=views), Argmax(above=self.above)
        for iteration, shared in enumerate(later, start=1):
            guessed = lab.label(model.looked(looking), Part(images=lab.pool, scenes=rest), rule)
            objective = CrossEntropy(network=shared.network(len(lab.classes)))
            both = shared.stream(fine, Part(images=lab.pool, labels=guessed))
            model = lab.train(objective, {"labelled": both}, shared.plan(draw=iteration))
        return self.looked(model)
