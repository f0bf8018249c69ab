"""A pass: something that is done with one scene after another, with none, one or several models.

It is a pure function of the models, the scene's image and what is known of it, and it travels. Labs differ only in
where they run it: one loops, another sends it to actors, a dry run does neither.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput, Diverged
from segfrontier.lab.handles import Model
from segfrontier.lab.passes.inference import Predictors
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.world import Pool

R = TypeVar("R")
Picture = NDArray[np.uint8]


class Outcome(NamedTuple):
    """What came of one scene: a row, or what went wrong with its image."""

    scene: str
    row: Any
    fault: str


Outcomes = Generator[Outcome, None, None]
"""To be closed by whoever leaves early: images are read ahead."""


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

    def read(self, scene: str) -> Picture:
        """The image of a scene; it may be read ahead, in another thread."""
        return self.images.image(scene)

    @abstractmethod
    def look(self, models: Predictors, scene: str, image: Picture) -> R:
        """The row of one scene."""

    @abstractmethod
    def write(self, out: Path, rows: Iterator[R], faults: Sequence[str]) -> None:
        """Store the rows as they come; `faults` is complete when they have ended."""

    def outcomes(self, models: Predictors, names: Sequence[str], *, together: int = 1) -> Outcomes:
        """What comes of each scene, in order; models look at so many images `together` (see `Predictor.foresee`).

        A fault of an image becomes the status of its scene and stays there. Images are read while models look.
        """
        with reading(self.read, names, ahead=2 * together) as images:
            while batch := list(islice(images, together)):
                if together > 1:
                    models.foresee([image.result() for _, image in batch if image.exception() is None])
                for scene, image in batch:
                    yield self._outcome(models, scene, image)

    def _outcome(self, models: Predictors, scene: str, image: Future[Picture]) -> Outcome:
        try:
            return Outcome(scene, self.look(models, scene, image.result()), "")
        except Undecodable as error:
            return Outcome(scene, None, str(error))  # which names the scene
        except Diverged as error:
            raise Diverged(f"{scene}: {error}") from error
        except self.forgives as error:
            return Outcome(scene, None, f"{scene}: {error}")


@contextmanager
def reading(
    read: Callable[[str], Picture], names: Sequence[str], *, ahead: int
) -> Iterator[Iterator[tuple[str, Future[Picture]]]]:
    """Names with their images to come, of which a thread reads `ahead` of whoever takes them, and no further."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read ahead")
    left = iter(names)

    def taken() -> Iterator[tuple[str, Future[Picture]]]:
        waiting = deque((name, thread.submit(read, name)) for name in islice(left, ahead))
        while waiting:
            yield waiting.popleft()
            waiting.extend((name, thread.submit(read, name)) for name in islice(left, 1))

    try:
        yield taken()
    finally:
        thread.shutdown(cancel_futures=True)
