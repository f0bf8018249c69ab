"""What the yardsticks leave to choose, so that they can stand beside any method on its own terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from segfrontier.errors import BadInput
from segfrontier.lab import LATER, Lab, Looking, Model, Part
from segfrontier.maths import make_views
from segfrontier_methods.supervised.sampler import Kind, random_order, sampled_order


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """How the model that leaves is looked at."""

    multi_scale: bool = field(default=False, metadata=LATER)
    """Through the scales 0.5, 1 and 2, as paper 000 evaluates; the headline is scored so."""

    def looked(self, model: Model) -> Model:
        """The model, as every score and picture of it is to look at it."""
        if not self.multi_scale:
            return model
        return model.looked(Looking(views=make_views(scales=(0.5, 1.0, 2.0), flips=(False,))))


@dataclass(frozen=True, kw_only=True)
class Sampled(Evaluated):
    """Which images are labelled: random ones, or those that a model trained on the first of them asks for."""

    sampling: Literal["model", "uniform"] = field(default="uniform", metadata=LATER)
    first: int = field(default=50, metadata=LATER)
    """Images of the first, random set; the paper's smallest set of fine masks."""
    present_above: float = field(default=0.001, metadata=LATER)
    """An image shows a class that takes a larger share of its predicted pixels."""

    def __post_init__(self) -> None:
        if self.first < 1 or not 0 <= self.present_above < 1:
            raise BadInput(
                f"sampling needs a `first` set of at least 1 image and a share `present_above` in [0, 1); found "
                f"{self.first} and {self.present_above}; change them"
            )

    def order(self, lab: Lab, kind: Kind, train: Callable[[Part], Model]) -> tuple[list[str], Model | None]:
        """See `sampled_order`: the order to buy in, and the model that made it, if any."""
        if self.sampling == "uniform":
            return random_order(lab, kind), None
        return sampled_order(lab, kind, train, first=self.first, present_above=self.present_above)
