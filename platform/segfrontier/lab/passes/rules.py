"""Rules: how models' views of an image, and what is known of it, become labels. Methods bring their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.lab.passes.inference import Predictors, as_labels
from segfrontier.lab.streams import Known, Part
from segfrontier.scenes.classes import VOID
from segfrontier.scenes.known import SceneLabels


class Rule(ABC):
    """How one image becomes labels. Subclasses are frozen dataclasses; all fields enter the key."""

    @abstractmethod
    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:
        """What is made of the image; a semantic map is 255 where the rule abstains.

        Of a single model, `models` looks as it does; of several, each has its name. `known` is what the part's labels
        say of the scene: of a single set, or of several by name. None where a model is scored.
        """

    def at(self, part: Part, scene: str) -> Rule:  # noqa: ARG002
        """The rule for one scene. Override where it takes more than an image: the scene's name, what was asked."""
        return self

    def origins(self) -> Mapping[str, str]:
        """Where weights come from that the rule brings itself, by what they are for: free lines of the bill."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Argmax(Rule):
    """The likeliest class, where its probability is above a threshold; labels that exist are never touched."""

    above: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.above < 1:
            raise BadInput(f"a confidence threshold lies in [0, 1); found {self.above}")

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:
        """See `Rule.label`."""
        confidence, labels = models.look(image).confidence()
        sure = torch.where(confidence > self.above, labels, torch.full_like(labels, VOID))
        return SceneLabels(
            size=(image.shape[0], image.shape[1]),
            semantic=keep_known(as_labels(sure), known_map(known)),
            confidence=confidence[0].cpu().numpy(),
        )


def known_map(known: Known) -> NDArray[np.uint8] | None:
    """(H, W) labels that are known already, 255 where none is; None where there are no labels at all."""
    if known is None or isinstance(known, SceneLabels):
        return None if known is None else known.map()
    raise BadInput(
        f"this rule reads one label set; the part has {', '.join(known)}. Give it one, or a rule that reads several."
    )


def keep_known(labels: NDArray[np.uint8], known: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """`labels`, with every label that was known before put back."""
    return labels if known is None else np.where(known == VOID, labels, known)
