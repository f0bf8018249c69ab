"""What is learned from next: the first masks and seeds as one, then a segmenter's answers, cleaned by boxes and tags.

    ways = {"things": lab.classes.things, "num_classes": len(lab.classes), "cleaning": PUBLISHED}
    weak = {"boxes": boxes, "tags": tags, "first": masks}
    labels = lab.label(None, Part(images=lab.pool, labels=weak | {"seeds": seeds}), FirstLabels(**ways))
    for number in range(1, rounds + 1):
        segmenter = lab.train(...)                                # on labels
        labels = lab.label(segmenter, Part(images=lab.pool, labels=weak), NextLabels(**ways, number=number))

The semantic maps have void wherever a step has doubts; instances are the boxes', by the published rule. A scene that
one of the sets lacks was not asked about: the steps that would go by it are passed by.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.lab import PAPER_002, Known, Predictors, Rule, SceneLabels, Tiling
from segfrontier.maths import (
    DEEPLAB,
    Cleaning,
    DenseCRF,
    Evidence,
    cleaned_labels,
    first_labels,
    instances_by_boxes,
    mean_field,
)
from segfrontier_methods.weak_panoptic.tags import BOXES, TAGS, ThingTags, tile_tags

FIRST, SEEDS = "first", "seeds"
ScoresOf = Literal["network", "crf"]
_NEEDS = {"tags": TAGS, "merge": FIRST, "prior": BOXES, "fill": BOXES}
"""The label set that a step goes by."""


@dataclass(frozen=True, kw_only=True)
class WeakLabels(Rule):
    """What the rules below share: how strictly they clean, and how the bought label sets are read."""

    things: tuple[int, ...]
    num_classes: int
    cleaning: Cleaning = field(default_factory=Cleaning)
    tiling: Tiling = PAPER_002
    thing_tags: ThingTags = "boxes"

    @abstractmethod
    def needs(self) -> set[str]:
        """The names of the label sets that the part must have."""

    def read(self, known: Known) -> tuple[dict[str, SceneLabels], Evidence]:
        """The label sets by name, and what they say of a scene."""
        sets = dict(known) if isinstance(known, Mapping) else {}
        missing = sorted(self.needs() - sets.keys())
        if missing:
            raise BadInput(
                f"labels are cleaned by label sets named {', '.join(sorted(self.needs()))}; found "
                f"{', '.join(sets) or 'none of these names'}. Add {', '.join(missing)} to the part, or leave out the "
                f"steps that go by it."
            )
        first = sets[FIRST].semantic if FIRST in sets else None
        boxes = sets[BOXES].boxes if BOXES in sets else None
        tiles_T4, present_TK = self._tags(sets)
        return sets, Evidence(
            things=self.things, boxes_B6=boxes, tiles_T4=tiles_T4, present_TK=present_TK, first_HW=first
        )  # fmt: skip

    def _tags(self, sets: Mapping[str, SceneLabels]) -> tuple[NDArray[np.int64] | None, NDArray[np.bool_] | None]:
        """The tiles and what they may show; nothing of a scene that was not tagged."""
        tags = sets.get(TAGS)
        if tags is None or tags.tags is None:
            return None, None
        tiles_T4 = self.tiling.crops(*tags.size)
        found_TK = tile_tags(
            tags, sets.get(BOXES, tags), tiles_T4, things=self.things, num_classes=self.num_classes, by=self.thing_tags
        )  # fmt: skip
        return tiles_T4, found_TK != 0  # what nobody spoke of may be there

    def made(self, semantic: NDArray[np.uint8], known: Evidence) -> SceneLabels:
        """The labels, with the boxes' instances where there are boxes."""
        instance = None if known.boxes_B6 is None else instances_by_boxes(semantic, known.boxes_B6, stuff=())
        return SceneLabels(size=(semantic.shape[0], semantic.shape[1]), semantic=semantic, instance=instance)


@dataclass(frozen=True, kw_only=True)
class FirstLabels(WeakLabels):
    """No model: the label set `seeds` has stuff, `first` the masks of things; they are united and cleaned."""

    def needs(self) -> set[str]:
        """See `WeakLabels.needs`. Seeds and masks are united whatever the steps are."""
        return {SEEDS, FIRST} | {_NEEDS[step] for step in self.cleaning.steps if step in _NEEDS}

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:  # noqa: ARG002
        """See `Rule.label`."""
        sets, evidence = self.read(known)
        return self.made(first_labels(sets[SEEDS].map(), evidence, self.cleaning), evidence)


@dataclass(frozen=True, kw_only=True)
class NextLabels(WeakLabels):
    """A segmenter's answer through the CRF, cleaned; `number` is that of the training that it comes of, from 1.

    A pixel's score is the probability that the network gave its label; with `scores_of` crf, that of the CRF, which is
    sure of nearly everything after ten rounds.
    """

    number: int
    crf: DenseCRF | None = DEEPLAB
    scores_of: ScoresOf = "network"

    def __post_init__(self) -> None:
        if self.number < 1 or (self.scores_of == "crf" and self.crf is None):
            raise BadInput(
                f"rounds are numbered from 1, and the CRF's scores need a CRF; found number {self.number} and scores "
                f"of the {self.scores_of}. Correct them."
            )

    def needs(self) -> set[str]:
        """See `WeakLabels.needs`. The first masks play no part once their rounds are over."""
        steps = [step for step in self.cleaning.steps if step in _NEEDS]
        return {_NEEDS[step] for step in steps if step != "merge" or self.number <= self.cleaning.merge_rounds}

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:
        """See `Rule.label`; one model, looked at in its own way."""
        _, evidence = self.read(known)
        model = models.only
        with torch.inference_mode():
            scores_KHW = logits_KHW = model.look(image).scores_NKHW[0].float()
            if self.crf is not None:
                pixels = torch.from_numpy(image).to(model.device).permute(2, 0, 1).float()
                scores_KHW = mean_field(logits_KHW, pixels, self.crf)
            labels_HW = scores_KHW.argmax(0)
            of_KHW = logits_KHW if self.scores_of == "network" else scores_KHW
            sure_HW = of_KHW.softmax(0).gather(0, labels_HW[None])[0]
        semantic = labels_HW.to(torch.uint8).cpu().numpy()
        return self.made(
            cleaned_labels(semantic, sure_HW.cpu().numpy(), evidence, self.cleaning, number=self.number), evidence
        )  # fmt: skip
