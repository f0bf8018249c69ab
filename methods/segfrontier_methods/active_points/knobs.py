"""Every constant of paper 001 by name, and every gap of its text as a choice. Defaults are the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from segfrontier.errors import BadInput
from segfrontier.lab import Looking
from segfrontier.maths import Normalisation

ClassSet = Literal["synthia16", "synthia13"]


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The knobs of `active_points`."""

    demo: ClassVar[Mapping[str, object]] = {"patches": None, "critic_width": 8, "lr": None, "pictures": 0}

    uda: Literal["source", "images", "minent", "advent", "intrada"] = "advent"
    """How the first model is adapted without labels. `source`: not at all; `minent`: by minimising entropy.

    `images` is the control of the others: target images pass through the network, whose batch norm sees them, and
    nothing pulls. It is what `advent` comes to with both weights of its pull at 0.
    """
    selector: Literal["active", "random", "full", "none"] = "active"
    """Which patches are asked about: the most uncertain, random ones, all. `none`: the first model is the result."""

    patches: int | None = 10
    """K, patches asked about per image. 0: self-training. None: as many as the budget pays for."""
    points: int = 5
    """n, distinct random points a patch."""
    columns: int = 16
    rows: int = 8
    """The grid over each image."""
    allocate: Literal["image", "pool"] = "image"
    """`image`: K patches in every image. `pool`: the pool's top K x images, so K an image on average."""
    rounds: int = 1
    """K is reached in so many equal steps of score, buy, train; each round scores with the model before it."""
    reading: Literal["sparse", "dense"] = "sparse"
    """Equation 6. `sparse`: the points of patches not asked about get pseudo labels. `dense`: all of their pixels."""

    normalisation: Normalisation = "mean"
    """Of the target's cross-entropy: over its labelled pixels, over all `pixels`, or a `sum` as in equation 7."""
    label_weight: float = 1.0
    """Of that loss against the source's (equation 7 gives none)."""
    levels: Literal[1, 2] = 2
    """Outputs that learn and are aligned: the deepest level alone, or the one before it (conv4) too."""
    aux_weight: float = 0.1
    """Of the cross-entropy of the second output."""
    target_weight: float = 1e-3
    """Of the adversarial term, or of the entropy of `minent`."""
    aux_target_weight: float = 2e-4
    easy: float = 0.67
    """Share of target images that IntraDA takes for easy."""

    lr: float | None = 2.5e-4
    """Of G's SGD. None: the recipe's own optimiser and schedule, for studies that compare methods under one recipe."""
    momentum: float = 0.9
    weight_decay: float = 1e-4
    head_lr: float = 10.0
    """Multiplies the learning rate of all but the encoder."""
    encoder_lr: float = 1.0
    """Multiplies that of the encoder. 3 comes near to the published code after many steps, not in the first ones."""
    encoder_repeats: bool = False
    """The encoder is updated as the published code's list has it, in which most convolutions stand three times."""
    schedule_share: float = 0.48
    """The share of the poly schedule that is run: 120,000 of 250,000 steps."""
    critic_lr: float = 1e-4
    critic_betas: tuple[float, float] = (0.9, 0.99)
    critic_width: int = 64

    rebn: bool = False
    """Every model predicts with batch-norm statistics estimated anew on the target's images, which costs nothing.

    Otherwise with those of its training: of the source alone, or of both domains.
    """
    source_size: tuple[int, int] | None = None
    target_size: tuple[int, int] | None = None
    """(height, width) that whole images are brought to (paper: 720x1280 for GTA5, 760x1280 for SYNTHIA, 512x1024)."""
    class_sets: tuple[ClassSet, ...] = ()
    """Also score over just these classes; noted as `miou_synthia16`, `miou_synthia13`."""
    pictures: int = 4
    """Scenes to draw: entropy, chosen patches and points, predictions before and after."""

    def __post_init__(self) -> None:
        for name, (holds, rule) in self._rules().items():
            if not holds:
                raise BadInput(f"active_points needs {rule}; found {name}: {getattr(self, name)}; correct it")

    def _rules(self) -> Mapping[str, tuple[bool, str]]:
        asked, grid, whole = self.patches, self.rows * self.columns, self.asks and self.patches != 0
        weights = ("label_weight", "aux_weight", "target_weight", "aux_target_weight", "weight_decay")
        rates = ("head_lr", "encoder_lr", "critic_lr")
        return {
            "rows": (self.rows >= 1, "at least one row in its grid"),
            "columns": (self.columns >= 1, "at least one column in its grid"),
            "points": (self.points >= 1, "at least one point a patch"),
            "patches": (asked is None or 0 <= asked <= grid, f"0 to {grid} patches an image, those of its grid"),
            "rounds": (
                self.rounds == 1 or (whole and 1 < self.rounds <= (asked or self.rounds)),
                "1 <= rounds <= patches, and one round where nothing is chosen (patches 0, selector full or none)",
            ),
            "easy": (0 < self.easy < 1, "a share of easy images between 0 and 1"),
            "schedule_share": (0 < self.schedule_share <= 1, "a schedule_share above 0 and up to 1"),
            "lr": (self.lr is None or self.lr > 0, "a positive lr, or null for the recipe's"),
            "encoder_repeats": (self.lr is not None or not self.encoder_repeats, "an lr beside encoder_repeats"),
            "momentum": (0 <= self.momentum < 1, "a momentum in [0, 1)"),
            "critic_width": (self.critic_width >= 1, "a critic_width of at least 1"),
            "critic_betas": (all(0 <= beta < 1 for beta in self.critic_betas), "critic_betas in [0, 1)"),
            "pictures": (self.pictures >= 0, "pictures >= 0"),
            **{name: (getattr(self, name) >= 0, f"a {name} that is not negative") for name in weights},
            **{name: (getattr(self, name) > 0, f"a positive {name}") for name in rates},
            **{name: (min(getattr(self, name) or (1,)) >= 1, f"a {name} of (height, width) or null")
               for name in ("source_size", "target_size")},
        }  # fmt: skip

    @property
    def asks(self) -> bool:
        """Whether some patches are asked about and others are not."""
        return self.selector in ("active", "random")

    @property
    def adaptations(self) -> int:
        """How often it trains before anything is asked: IntraDA adapts what AdvEnt has adapted."""
        return 2 if self.uda == "intrada" else 1

    @property
    def grid(self) -> int:
        """Patches of an image."""
        return self.rows * self.columns

    @property
    def looking(self) -> Looking:
        """How the models of this method are looked at, whatever is made, measured or scored with them."""
        return Looking(resize=self.target_size)
