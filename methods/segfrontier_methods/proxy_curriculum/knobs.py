"""The knobs of `proxy_curriculum`. Defaults are the paper's numbers, or our readings of what it leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from segfrontier.errors import BadInput
from segfrontier.maths import Averaging, Dropping, Normalisation, Similarity

PAPERS_CLASSES = ("wall", "fence", "pole", "light", "sign", "rider")
"""The classes whose loss the paper doubles. It chose them by validation scores on the target."""


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """What a study file may set. FACTS 3a and 3b are the gaps and misprints that they turn on."""

    budget: ClassVar[str] = "none"  # no target label is bought: one cell a study, not one a budget
    demo: ClassVar[Mapping[str, object]] = {"looks": 0, "pictures": 0, "weighting": "rare"}
    """The named classes are Cityscapes', of which the demo's world knows groups alone."""

    branches: int = 2
    """Decoders on the one encoder; the recipe says of which kind (the paper's is `pspnet`)."""
    average: Averaging = "logits"
    """What is averaged over the branches to make a proxy label."""
    easy_up_to: float = 0.0
    """The largest variation ratio of an easy pixel. 0: all branches agree, which is all that two of them can."""

    epochs: int = 20
    """The curriculum counts the training, however many steps it has, as so many equally long epochs."""
    counted_from: Literal[0, 1] = 0
    """The number of the first epoch: 0 as the text reads, 1 as the code counts, which then never uses the start."""
    gamma: float = 0.9
    """The chance that a step's batch is of the source, at the start of training."""
    gamma_end: float = 0.1
    gamma_over: int = 10
    """Epochs after which it has come to its end in a straight line."""
    masked: float = 0.0
    """r, the share of the source's easy pixels that are left out, at the start: source hard mining."""
    masked_end: float = 1.0
    """With `masked` it makes what source hard mining is; both 0: no mining."""
    masked_over: int = 10

    source_size: tuple[int, int] | None = None
    """(height, width) that source scenes are brought to first (paper: a height of 720 for BDD100K as the target)."""
    target: Literal["proxy", "batch_norm", "unused"] = "proxy"
    """`batch_norm`, `unused`: controls that train on the source alone; the first then lets target images pass through
    the batch norms, which estimate their statistics anew."""
    target_pixels: Literal["easy", "all"] = "easy"
    """Target easy mining, or `all`: naive self-training."""
    target_weight: float = 1.0
    """Of a target batch's loss. 0: a control in which its images pass through the batch norms and teach nothing."""

    hard: Literal["agreement", "correctness"] = "agreement"
    """Which source pixels are hard: where branches disagree, or also where they agree on what is wrong."""
    dropping: Dropping = "exact"
    """`exact`: of each image that share of its easy pixels; `bernoulli`: each pixel with that chance."""
    normalisation: Normalisation = "mean"
    """Of each cross-entropy: over the pixels that are kept, over all `pixels`, or a `sum` as in Eq. 4."""

    weighting: Literal["named", "rare", "none"] = "named"
    """Which classes weigh more: those that are `weighted`, those that are rare in the source's labels, or none."""
    weighted: tuple[str, ...] = PAPERS_CLASSES
    """Also the classes over which `miou_minority` is noted."""
    weight: float = 2.0
    rare_below: float = 0.01
    """`rare`: classes with a smaller share of the source's labelled pixels. No target label decides."""

    beta: float = 0.01
    """Weight of the similarity penalty."""
    similarity: Similarity = "cosine"
    """`cosine` as the text says, its `absolute` value, the `dot` product of Eq. 4, or the `product` of the code."""
    similar: Literal["decoder", "last"] = "decoder"
    """The filters that are compared: of the whole decoder, or of its last layer."""
    decay: Literal["step", "epoch"] = "step"
    """How often the recipe's learning rate falls; the paper's every epoch of the source."""

    looks: int = 4
    """Moments of the training, evenly spaced and the last at its end, at which agreement is looked at."""
    look_scenes: int = 16
    """Target scenes in which `easy_share` and `hard_share` are measured then."""
    look_noted: Literal["last", "first"] = "last"
    """The look whose shares are noted under these names; those of every look have its number."""
    pictures: int = 4
    """Target scenes to draw: prediction and agreement at every look."""

    def __post_init__(self) -> None:
        for name, (holds, rule) in self._rules().items():
            if not holds:
                raise BadInput(f"proxy_curriculum needs {rule}; found {name}: {getattr(self, name)}; correct it")

    def _rules(self) -> Mapping[str, tuple[bool, str]]:
        within = f"to end within the {self.epochs} epochs of the training"
        return {
            "branches": (self.branches >= 2, "2 branches or more, to tell easy pixels from hard ones"),
            "easy_up_to": (0 <= self.easy_up_to < 1, "an easy_up_to in [0, 1)"),
            "epochs": (self.epochs >= 1, "at least one epoch"),
            **{name: (0 <= getattr(self, name) <= 1, f"a chance {name} in [0, 1]") for name in ("gamma", "gamma_end")},
            **{name: (0 <= getattr(self, name) <= 1, f"a share {name} in [0, 1]") for name in ("masked", "masked_end")},
            **{name: (0 <= getattr(self, name) <= self.epochs, f"{name.removesuffix('_over')} {within}")
               for name in ("gamma_over", "masked_over")},
            "source_size": (min(self.source_size or (1,)) >= 1, "a source_size of (height, width) or null"),
            "target_weight": (self.target_weight >= 0, "a target_weight that is not negative"),
            "weighted": (
                self.weighting != "named" or 1 <= len(set(self.weighted)) == len(self.weighted),
                "one or more different `weighted` classes, or weighting: none",
            ),
            "weight": (self.weight > 0, "a positive weight"),
            "rare_below": (0 < self.rare_below < 1, "a rare_below between 0 and 1"),
            "beta": (self.beta >= 0, "a beta that is not negative"),
            "similar": (
                self.similarity != "product" or self.similar == "last",
                "similar: last where similarity is `product`, which is of one layer's filters",
            ),
            "looks": (self.looks >= 0, "looks >= 0"),
            "look_scenes": (self.look_scenes >= 1, "at least one of its look_scenes"),
            "pictures": (self.pictures >= 0 and (self.looks > 0 or not self.pictures), "0 pictures without looks"),
        }  # fmt: skip

    def require_classes(self, known: Iterable[str]) -> None:
        """BadInput where the set of heavier classes names one that the world lacks."""
        names = list(known)
        unknown = [name for name in self.weighted if name not in names]
        if self.weighting == "named" and unknown:
            raise BadInput(
                f"proxy_curriculum weighs classes of the world, which are {', '.join(names)}; found "
                f"{', '.join(unknown)} in `weighted`. Name others, or set weighting: rare or none."
            )
