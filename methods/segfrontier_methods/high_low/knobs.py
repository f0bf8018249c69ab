"""Every constant of paper 004 by name, and every gap of its text as a choice. Defaults are the paper's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from segfrontier.errors import BadInput
from segfrontier.lab import LATER
from segfrontier.maths import AllMasked, Consistency, MatchingNorm, Ramp
from segfrontier_methods.high_low.s4gan import CriticImage, Pull, TruthMap


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The knobs of `high_low`."""

    split_kinds: ClassVar[tuple[str, str]] = ("tag", "fine")
    demo: ClassVar[Mapping[str, object]] = {"high": "none", "lr": None, "critic_width": 8, "critic_lr": 0.003}
    """All steps for the segmenter: half of a demo's sixty teach it too little to be fused."""

    low: Literal["s4gan", "supervised"] = "s4gan"
    """How the segmenter is trained."""
    high: Literal["mlmt", "cnn", "threshold", "class_thresholds", "none"] = "mlmt"
    """What silences classes: a mean teacher, a supervised classifier, being small (one threshold, or one a class)."""

    labelled: float | None = None
    """The share of the pool that has masks, 1/50 to 1; they must fit the budget. None: as many as the budget pays."""
    draw: int | None = None
    """Which nested series of labelled images; None: that of the cell's seed."""
    split: float = 0.0
    """The share of the budget for image-level tags of further images (Table 7), which the classifier learns from."""

    pull: Pull = "matching"
    """Feature matching, or the standard loss of a generator (Table 6, whose weight is not printed)."""
    pull_weight: float = 0.1
    matching_norm: MatchingNorm = "l1"
    self_training: float = 1.0
    """Weight of the segmenter's own labels. With both weights 0, unlabelled images reach batch norms alone."""
    gamma: float = 0.6
    """The discriminator's score from which on an image trains the segmenter (Cityscapes: 0.7)."""
    gamma_strict: bool = False
    """Only above gamma, as the code has it."""
    self_training_from: int = 0
    """The first step that selects; 1 in the code."""
    score_dropout: bool = True
    """Whether scores are those of a discriminator with dropout, as in the code. False: one pass more."""
    truth_map: TruthMap = "one_hot"
    """`smooth`: nine tenths of a real pixel's mass are its class's, so that hardness alone gives no map away."""
    critic_image: CriticImage = "image"
    """What scales the image that the discriminator sees: its own range, that of its `batch`, or nothing (`plain`)."""
    critic_dropout: float = 0.5
    critic_dropouts: Literal[0, 1, 2, 3, 4] = 4
    """Convolutions that dropout follows: all four in the text, three in the code."""
    critic_lr: float = 1e-4
    """1e-5 for Cityscapes."""
    critic_betas: tuple[float, float] = (0.9, 0.99)
    critic_width: int = 64

    lr: float | None = 2.5e-4
    """Of the segmenter's SGD. None: the recipe's own optimiser and schedule."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    head_lr: float = 10.0
    """Multiplies the learning rate of all but the encoder."""
    encoder_lr: float = 1.0
    """Multiplies that of the encoder; 3 comes close to the code, which lists most weights three times."""
    schedule_share: float = 1.0
    """The share of the poly schedule that is run; the code plans 40,000 steps and reports 30,000."""
    renorm: bool = False
    """Afterwards the segmenter's batch norms are estimated anew on the whole pool: the control of what adapts."""

    tau: float = 0.2
    """A class whose score is not above it is silenced."""
    tau_inclusive: bool = False
    """A class exactly at tau stays, as in the code."""
    all_masked: AllMasked = "unmasked"
    """Of an image without any likely class: its map stays as it is, or is the `first` class's, as zeros would give."""

    consistency: float = 1.0
    consistency_form: Consistency = "mse"
    consistency_on_labelled: bool = True
    """On all images, as equation 6 has it; the code takes the unlabelled ones."""
    ramp: Ramp = "linear"
    ema_decay: float = 0.999
    teacher_norm: Literal["student", "own"] = "student"
    """Whose batch-norm statistics the teacher has; `own`, gathered in training mode, is the code's."""
    classifier_encoder: str | None = None
    """None: the recipe's."""
    classifier_pretrained: str | None = field(default=None, metadata=LATER)
    """What it starts from, in the words of `recipe.pretrained`; None: what the recipe does."""
    tag_lr: float | None = 0.03
    """Of the classifier's SGD with Nesterov momentum, falling along a cosine. None: the recipe's."""
    tag_weight_decay: float = 1e-5
    tag_batch: int | None = None
    """Labelled images of a classifier's step; None: the recipe's batch (the code: 16)."""
    tag_unlabelled: int = 5
    """So many unlabelled images for each of them."""
    tag_size: tuple[int, int] | None = None
    """(height, width) of the whole images that the classifier sees (the code: 320x320); None: as they are."""
    colour: float = 0.4
    """Of the student's view; the teacher's is only flipped."""
    blur: float = 2.0

    thresholds: tuple[float, ...] = tuple(round(n / 187.5, 5) for n in range(1, 13))
    """Shares of the image to choose from where small classes are silenced: 1K to 12K of VOC's 187,500 pixels."""
    note_tags: bool = True
    """Score the classifier by itself, noted as `tag_map`."""

    def __post_init__(self) -> None:
        for name, (holds, rule) in self._rules().items():
            if not holds:
                raise BadInput(f"high_low needs {rule}; found {name}: {getattr(self, name)}; correct it")
        for name, value in endless(self).items():
            raise BadInput(f"high_low needs finite numbers; found {name}: {value}; correct it")

    def _rules(self) -> Mapping[str, tuple[bool, str]]:
        weights = ("pull_weight", "self_training", "consistency", "weight_decay", "tag_weight_decay")
        sizes = (self.tag_size or (1, 1)), self.thresholds
        return {
            "labelled": (self.labelled is None or 0 < self.labelled <= 1, "a labelled share above 0 and up to 1"),
            "split": (
                0 <= self.split < 1 and (self.split == 0 or self.tagging),
                "a share `split` for tags in [0, 1), and 0 where no classifier learns from them (high: mlmt or cnn)",
            ),
            "gamma": (0 <= self.gamma <= 1, "a gamma in [0, 1], the range of scores"),
            "tau": (0 <= self.tau <= 1, "a tau in [0, 1], the range of scores"),
            "self_training_from": (self.self_training_from >= 0, "self_training_from >= 0"),
            "critic_dropout": (0 <= self.critic_dropout < 1, "a critic_dropout in [0, 1)"),
            "critic_betas": (all(0 <= beta < 1 for beta in self.critic_betas), "critic_betas in [0, 1)"),
            "critic_lr": (self.critic_lr > 0, "a positive critic_lr"),
            "critic_width": (self.critic_width >= 1, "a critic_width of at least 1"),
            "lr": (self.lr is None or self.lr > 0, "a positive lr, or null for the recipe's"),
            "tag_lr": (self.tag_lr is None or self.tag_lr > 0, "a positive tag_lr, or null for the recipe's"),
            "momentum": (0 <= self.momentum < 1, "a momentum in [0, 1)"),
            "head_lr": (self.head_lr > 0, "a positive head_lr"),
            "encoder_lr": (self.encoder_lr > 0, "a positive encoder_lr"),
            "schedule_share": (0 < self.schedule_share <= 1, "a schedule_share above 0 and up to 1"),
            "ema_decay": (0 <= self.ema_decay < 1, "an ema_decay in [0, 1)"),
            "tag_batch": (
                self.tag_batch is None or self.tag_batch >= 1, "a tag_batch of at least 1, or null for the recipe's"
            ),
            "tag_unlabelled": (self.tag_unlabelled >= 1, "a tag_unlabelled of at least 1"),
            "tag_size": (min(sizes[0]) >= 1, "a tag_size of (height, width), or null"),
            "colour": (0 <= self.colour < 1, "a colour in [0, 1)"),
            "blur": (0 <= self.blur < 1000, "a blur of 0 or more pixels"),
            "thresholds": (
                len(sizes[1]) > 0 and all(0 <= share <= 1 for share in sizes[1]), "thresholds that are shares in [0, 1]"
            ),
            **{name: (getattr(self, name) >= 0, f"a {name} that is not negative") for name in weights},
        }  # fmt: skip

    @property
    def tagging(self) -> bool:
        """Is a classifier trained?"""
        return self.high in ("mlmt", "cnn")

    @property
    def trainings(self) -> int:
        """How often it trains; they share the recipe's `total_steps`, if it has any."""
        return 1 + self.tagging


def endless(knobs: object) -> dict[str, float]:
    """The numbers among a method's knobs that are not finite."""
    numbers = {name: value for name, value in vars(knobs).items() if isinstance(value, float)}
    return {name: value for name, value in numbers.items() if not math.isfinite(value)}
