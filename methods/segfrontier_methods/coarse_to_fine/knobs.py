"""The knobs of coarse_to_fine, with what each may be. FACTS 0a and 0b are the gaps and misprints that they turn on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from segfrontier.errors import BadInput
from segfrontier.lab import LATER
from segfrontier.maths import Border, MeanOf, Selection

Mix = Literal["coarse<-synthetic", "coarse<-fine", "fine<-synthetic", "fine<-fine"]
"""Whose pixels are pasted onto whose images: the pairs of Fig. 4 (left)."""


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """What a study file may set. The defaults are the paper's numbers, or our readings of what it leaves open."""

    split_kinds: ClassVar[tuple[str, str]] = ("fine", "coarse")
    demo: ClassVar[Mapping[str, object]] = {"iterations": 1, "note_iterations": False}

    iterations: int = 2  # rounds of pseudo-labels and re-training after iteration 0
    start: Literal["encoder", "last"] = "encoder"  # what re-training starts from
    pseudo_labels: bool = field(default=True, metadata=LATER)  # False: a control, re-trained on the masks as bought
    split: float = 0.0  # share of the budget for fine masks: fine-tuned on at the end, or what `mix` makes of them

    mix: Mix = "coarse<-synthetic"
    mixing: float = 0.5  # chance that a real sample is pasted onto
    selection: Selection = "bernoulli"  # which classes of the partner are pasted
    mixed: Literal["instead", "beside"] = "instead"  # does a mixed sample stand in for its original, or join it?

    synthetic_share: float = 0.5  # of the recipe's batch
    synthetic_images: int | None = None  # how many of the synthetic scenes to use; default: all

    boundary: float = 1.0  # weight of the boundary loss
    boundary_noise: bool = True  # Gumbel noise in the soft prediction
    boundary_temperature: float = 0.5
    boundary_border: Border = "replicate"
    boundary_epsilon: float = 0.0
    boundary_normalise: bool = False
    boundary_threshold: float = 1e-8
    boundary_weights: tuple[float, float] = (0.5, 0.5)  # lambda1: on the truth's boundary; lambda2: the prediction's

    above: float = 0.9  # confidence of an accepted pseudo-label
    inclusive: bool = False  # also take pixels that are exactly as sure
    mean_of: MeanOf = "logits"
    scales: tuple[float, ...] = (0.5, 1.0, 2.0)  # of the labelling views
    flips: bool = True

    sampling: Literal["model", "uniform"] = "model"
    first: int = 1000  # images of the first, random set
    present_above: float = 0.001  # an image shows a class that takes a larger share of its predicted pixels

    note_iterations: bool = True  # score every iteration on the way
    multi_scale: bool = False  # the model that leaves is looked at through `scales`, as the paper evaluates

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_pair()

    def _check_numbers(self) -> None:
        _require(self.iterations >= 0, "iterations >= 0", self.iterations)
        _require(0 <= self.mixing <= 1, "a chance `mixing` in [0, 1]", self.mixing)
        _require(0 <= self.synthetic_share < 1, "a `synthetic_share` of the batch in [0, 1)", self.synthetic_share)
        images = self.synthetic_images
        _require(images is None or images >= 1, "synthetic_images >= 1, or none given for all", images)
        _require(self.boundary >= 0, "a weight `boundary` >= 0", self.boundary)
        _require(self.boundary_temperature > 0, "a boundary_temperature above 0", self.boundary_temperature)
        small = (self.boundary_epsilon, self.boundary_threshold, *self.boundary_weights)
        _require(min(small) >= 0, "boundary_epsilon, boundary_threshold and boundary_weights >= 0", small)
        _require(0 < self.above < 1, "a confidence threshold `above` in (0, 1)", self.above)
        _require(bool(self.scales) and min(self.scales) > 0, "one or more `scales` above 0", self.scales)
        _require(self.first >= 1, "a `first` set of at least 1 image", self.first)
        _require(0 <= self.present_above < 1, "a share `present_above` in [0, 1)", self.present_above)
        _require(
            not (self.boundary and not self.synthetic_share),
            "synthetic images in the batch where the boundary loss has a weight (else set boundary: 0)",
            f"synthetic_share {self.synthetic_share} with boundary {self.boundary}",
        )

    def _check_pair(self) -> None:
        """Fine masks that are bought are used, and those that are used are bought."""
        onto, _, pasted = self.mix.partition("<-")
        found = f"mix {self.mix} with split {self.split}"
        if onto == "fine":
            _require(self.split == 1, "split 1 (fine masks alone are bought) where fine images are pasted onto", found)
            _require(self.iterations == 0, "iterations 0 where no coarse masks leave pixels to fill", self.iterations)
        elif pasted == "fine":
            _require(0 < self.split < 1, "a split in (0, 1) where fine images are pasted onto coarse ones", found)
        else:
            _require(0 <= self.split < 1, "a split in [0, 1), the share spent on fine masks", found)

    @property
    def tunes(self) -> bool:
        """Does it end with a training on the fine masks alone?"""
        return self.split > 0 and self.mix == "coarse<-synthetic"

    @property
    def trainings(self) -> int:
        """How often it trains once everything is bought."""
        return 1 + self.iterations + self.tunes

    @property
    def needs_synthetic(self) -> bool:
        """Is any part of the training synthetic?"""
        return self.synthetic_share > 0 or (self.mixing > 0 and self.mix.endswith("synthetic"))


def _require(holds: bool, what: str, found: object) -> None:
    if not holds:
        raise BadInput(f"coarse_to_fine needs {what}; found {found}; change it")
