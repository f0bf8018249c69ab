"""The yardsticks of every frontier: what plain supervised training makes of the same budget.

`fine`, `coarse`, `fine+coarse` buy masks; `synthetic` buys nothing; `oracle` has every target label. Where a recipe
gives `steps` of each training, `fine` and `coarse` with `trainings` are the controls for methods that train so often.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from segfrontier.errors import BadInput
from segfrontier.lab import LATER, Fine, Lab, Model, Part, Recipe
from segfrontier_methods.supervised.choices import Evaluated, Sampled
from segfrontier_methods.supervised.objective import CrossEntropy
from segfrontier_methods.supervised.sampler import Kind, order_by_content, random_order


@dataclass(frozen=True, kw_only=True)
class FineOnly(Sampled):
    """Spend all of the budget on fine masks, train on them, as long as `trainings` trainings take."""

    trainings: int = field(default=1, metadata=LATER)

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        return self.looked(_fit_masks(lab, recipe, self, "fine"))


@dataclass(frozen=True, kw_only=True)
class CoarseOnly(Sampled):
    """Spend all of the budget on coarse masks, train on them, as long as `trainings` trainings take."""

    trainings: int = field(default=1, metadata=LATER)

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        return self.looked(_fit_masks(lab, recipe, self, "coarse"))


@dataclass(frozen=True, kw_only=True)
class FineAfterCoarse(Sampled):
    """Pre-train on coarse masks, fine-tune on fine ones. `split` is the share of the budget that buys fine masks."""

    demo: ClassVar[None] = None  # half of a demo's steps are too few for either of its trainings

    split: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.split < 1:
            raise BadInput(
                f"fine+coarse needs a split between 0 and 1, the share spent on fine masks; found {self.split}"
            )

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Each training has the recipe's steps, or an equal share of its `total_steps`."""
        share = round(self.split * lab.budget)
        fine_order, coarse_order, trained = self._orders(lab, recipe, share)
        fine = lab.buy_masks("fine", spend=share, scenes=fine_order)
        coarse = lab.buy_masks("coarse", spend=lab.budget, scenes=coarse_order)
        first, second = (recipe.share(trained + i, of=trained + 2) for i in range(2))
        start = fit(lab, first, Part(images=lab.pool, labels=coarse))
        return self.looked(fit(lab, second, Part(images=lab.pool, labels=fine), start=start))

    def _orders(self, lab: Lab, recipe: Recipe, share: int) -> tuple[list[str], list[str], int]:
        """In which orders fine and coarse masks are bought; 1 if a model that learned from the first coarse ones chose.

        One model chooses both; the fine ones anew, from all images: the first coarse ones are random.
        """
        fine, coarse = random_order(lab, "fine"), random_order(lab, "coarse")
        for_coarse, price = lab.budget - share, lab.price("coarse")
        all_fine, all_coarse = share >= lab.price("fine") * len(fine), for_coarse >= price * len(coarse)
        if self.sampling == "uniform" or for_coarse < price * self.first or (all_fine and all_coarse):
            return fine, coarse, 0
        begun = lab.buy_masks("coarse", spend=for_coarse, scenes=coarse[: self.first])
        model = fit(lab, recipe.share(0, of=3), Part(images=lab.pool, labels=begun))
        for_coarse, above = lab.budget - share, self.present_above
        wanted = [int(spend / lab.price(kind)) + 1 for spend, kind in ((share, "fine"), (for_coarse, "coarse"))]
        return (
            order_by_content(lab, model, fine, first=0, present_above=above, wanted=wanted[0]),
            order_by_content(lab, model, coarse, first=self.first, present_above=above, wanted=wanted[1]),
            1,
        )


@dataclass(frozen=True, kw_only=True)
class SyntheticOnly(Evaluated):
    """Buy nothing: train on the free synthetic scenes."""

    budget: ClassVar[str] = "none"  # one cell a study, not one a budget

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Train."""
        if lab.synthetic is None:
            raise BadInput("synthetic needs a world with source scenes; this one has none: name one as `source`")
        return self.looked(fit(lab, recipe, lab.synthetic))


@dataclass(frozen=True, kw_only=True)
class Oracle(Evaluated):
    """Every target label: the upper bound, at its full price (open the lab with hours='all')."""

    budget: ClassVar[str] = "all"

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy everything, train."""
        return self.looked(fit(lab, recipe, Part(images=lab.pool, labels=lab.buy(Fine(lab.sold("fine"))))))


def fit(lab: Lab, recipe: Recipe, part: Part, *, start: Model | None = None) -> Model:
    """Supervised training on one part with the recipe's network and plan."""
    objective = CrossEntropy(network=recipe.network(len(lab.classes)))
    begin = {} if start is None else {"segmenter": start}
    return lab.train(objective, {"labelled": recipe.stream(part)}, recipe.plan(), start=begin)


def _fit_masks(lab: Lab, recipe: Recipe, method: FineOnly | CoarseOnly, kind: Kind) -> Model:
    """Masks with all of the budget, and training on them; a model that chose has half of `total_steps`."""
    whole = recipe.together(method.trainings)
    order, chooser = method.order(lab, kind, lambda part: fit(lab, recipe.share(0, of=2), part))
    labels = lab.buy_masks(kind, spend=lab.budget, scenes=order)
    return fit(lab, whole if chooser is None else whole.share(1, of=2), Part(images=lab.pool, labels=labels))
