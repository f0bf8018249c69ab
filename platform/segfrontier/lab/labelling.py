"""Labelling: a model and a rule make labels for images. The rules here are the plain ones; methods bring their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.lab.predict import Looking, Predictor, as_labels
from segfrontier.lab.streams import Part
from segfrontier.scenes.classes import VOID
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.labels import LabelRow


class Rule(ABC):
    """How a model's view of one image becomes labels. Subclasses are frozen dataclasses; all fields enter the key."""

    @abstractmethod
    def label(
        self, predictor: Predictor, image: NDArray[np.uint8], known: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        """(H, W) labels, 255 where the rule abstains. `known` holds labels that exist already (255: none)."""

    def at(self, part: Part, scene: str) -> Rule:  # noqa: ARG002
        """The rule for one scene. Override where it takes more than an image: the scene's name, what was asked."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Argmax(Rule):
    """The likeliest class, where its probability is above a threshold; labels that exist are never touched."""

    above: float = 0.0
    looking: Looking = field(default_factory=Looking)

    def __post_init__(self) -> None:
        if not 0 <= self.above < 1:
            raise BadInput(f"a confidence threshold lies in [0, 1); found {self.above}")

    def label(
        self, predictor: Predictor, image: NDArray[np.uint8], known: NDArray[np.uint8] | None
    ) -> NDArray[np.uint8]:
        """See `Rule.label`."""
        confidence, labels = predictor.look(image, self.looking).confidence()
        sure = torch.where(confidence > self.above, labels, torch.full_like(labels, VOID))
        return keep_known(as_labels(sure), known)


def keep_known(labels: NDArray[np.uint8], known: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """`labels`, with every label that was known before put back."""
    return labels if known is None else np.where(known == VOID, labels, known)


class Labelled(NamedTuple):
    """The outcome for one image: its labels, or what went wrong with it."""

    scene: str
    row: LabelRow | None
    fault: str


def label_scene(predictor: Predictor, rule: Rule, part: Part, scene: str) -> Labelled:
    """Label one image; a fault of this image becomes its status and stays there."""
    try:
        image = part.images.image(scene)
        known = part.pixels(scene).map() if part.labels is not None else None
        labels = rule.at(part, scene).label(predictor, image, known)
        return Labelled(scene, LabelRow(scene, image.shape[0], image.shape[1], map=labels), "")
    except Undecodable as error:
        return Labelled(scene, None, str(error))  # which names the scene
    except (BadInput, ValueError, OSError) as error:
        return Labelled(scene, None, f"{scene}: {error}")
