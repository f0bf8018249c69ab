"""The yardsticks of every frontier: what plain supervised training makes of the same budget.

`fine`, `coarse`, `fine+coarse` buy masks; `synthetic` buys nothing; `oracle` has every target label. Where a recipe
gives `steps` of each training, `fine` and `coarse` with `trainings` are the controls for methods that train so often.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from segfrontier.errors import BadInput
from segfrontier.lab import LATER, Fine, Lab, Model, Part, Recipe
from segfrontier_methods.supervised.objective import CrossEntropy


@dataclass(frozen=True, kw_only=True)
class FineOnly:
    """Spend all of the budget on fine masks, train on them, as long as `trainings` trainings take."""

    trainings: int = field(default=1, metadata=LATER)

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        recipe = recipe.together(self.trainings)
        return fit(lab, recipe, Part(images=lab.pool, labels=lab.buy_masks("fine", spend=lab.budget)))


@dataclass(frozen=True, kw_only=True)
class CoarseOnly:
    """Spend all of the budget on coarse masks, train on them, as long as `trainings` trainings take."""

    trainings: int = field(default=1, metadata=LATER)

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        recipe = recipe.together(self.trainings)
        return fit(lab, recipe, Part(images=lab.pool, labels=lab.buy_masks("coarse", spend=lab.budget)))


@dataclass(frozen=True, kw_only=True)
class FineAfterCoarse:
    """Pre-train on coarse masks, fine-tune on fine ones. `split` is the share of the budget that buys fine masks."""

    split: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.split < 1:
            raise BadInput(
                f"fine+coarse needs a split between 0 and 1, the share spent on fine masks; found {self.split}"
            )

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Each training has the recipe's steps, or half of its `total_steps`."""
        fine = lab.buy_masks("fine", spend=round(self.split * lab.budget))
        coarse = lab.buy_masks("coarse", spend=lab.budget)
        start = fit(lab, recipe.share(0, of=2), Part(images=lab.pool, labels=coarse))
        return fit(lab, recipe.share(1, of=2), Part(images=lab.pool, labels=fine), start=start)


@dataclass(frozen=True, kw_only=True)
class SyntheticOnly:
    """Buy nothing: train on the free synthetic scenes."""

    budget: ClassVar[str] = "none"  # one cell a study, not one a budget

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Train."""
        if lab.synthetic is None:
            raise BadInput("synthetic needs a world with source scenes; this one has none: name one as `source`")
        return fit(lab, recipe, lab.synthetic)


@dataclass(frozen=True, kw_only=True)
class Oracle:
    """Every target label: the upper bound, at its full price (open the lab with hours='all')."""

    budget: ClassVar[str] = "all"

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy everything, train."""
        return fit(lab, recipe, Part(images=lab.pool, labels=lab.buy(Fine(lab.sold("fine")))))


def fit(lab: Lab, recipe: Recipe, part: Part, *, start: Model | None = None) -> Model:
    """Supervised training on one part with the recipe's network and plan."""
    objective = CrossEntropy(network=recipe.network(len(lab.classes)))
    begin = {} if start is None else {"segmenter": start}
    return lab.train(objective, {"labelled": recipe.stream(part)}, recipe.plan(), start=begin)
