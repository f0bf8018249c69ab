"""A pass: something that is done with one scene after another, with none, one or several models.

It is a pure function of the models, the scene's image and what is known of it, and it travels. Labs differ only in
where they run it: one loops, another sends it to actors, a dry run does neither.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

from segfrontier.errors import BadInput
from segfrontier.lab.handles import Model
from segfrontier.lab.passes.inference import Predictors
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.world import Pool

R = TypeVar("R")


class Outcome(NamedTuple):
    """What came of one scene: a row, or what went wrong with its image."""

    scene: str
    row: Any
    fault: str


@dataclass(frozen=True, kw_only=True)
class Pass(ABC, Generic[R]):
    """Subclasses are frozen dataclasses that can be pickled; `R` is the row of a scene, which travels back."""

    done: ClassVar[str]
    """The participle for sentences: scenes are `labelled`, `scored`."""
    forgives: ClassVar[tuple[type[Exception], ...]] = (BadInput, ValueError, OSError)
    """What is a fault of the one scene, besides an image that does not decode; all else ends the pass."""

    models: Mapping[str, Model]
    classes: ClassTable

    @property
    @abstractmethod
    def images(self) -> Pool:
        """The images that are looked at."""

    @property
    @abstractmethod
    def task(self) -> object:
        """What is done with a scene, apart from the models and the images."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The scenes, in order."""

    def light(self) -> Self:
        """The pass without its scenes, which travel on their own."""
        return self

    @abstractmethod
    def look(self, models: Predictors, scene: str) -> R:
        """The row of one scene."""

    @abstractmethod
    def write(self, out: Path, rows: Iterator[R], faults: Sequence[str]) -> None:
        """Store the rows as they come; `faults` is complete when they have ended."""

    def outcome(self, models: Predictors, scene: str) -> Outcome:
        """Look at one scene; a fault of this image becomes its status and stays there."""
        try:
            return Outcome(scene, self.look(models, scene), "")
        except Undecodable as error:
            return Outcome(scene, None, str(error))  # which names the scene
        except self.forgives as error:
            return Outcome(scene, None, f"{scene}: {error}")
