"""What the market of a rehearsal is answered: as ever, but remembered, for many cells ask the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from segfrontier.errors import BadWorld
from segfrontier.market import Coarse, Noise, Points, Request, Tags
from segfrontier.market.annotator import Annotator
from segfrontier.market.answers import Answers
from segfrontier.scenes.imagined import ImaginedTruth, write_alike
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Truth

_CACHED_BYTES = 2**28


class Untold(BadWorld):
    """A price that nobody can tell before the images are here."""


class Drawer:
    """An annotator that draws each scene once."""

    known = True

    def __init__(self, annotator: Annotator, *, pixels: int) -> None:
        self.acts = annotator.acts
        self.row = lru_cache(max(1, _CACHED_BYTES // pixels))(annotator.row)


class Absent:
    """Who would have to look at images that are not here."""

    known = False

    def __init__(self, kind: str, world: str) -> None:
        self._what = f"what {kind} labels of {world} cost only its images tell, and it is not here"

    def acts(self, scene: str, /) -> NoReturn:  # noqa: ARG002
        """Nobody can tell."""
        raise Untold(f"{self._what}; import it, then plan again")

    row = acts


@dataclass
class Memory:
    """Whole deliveries, and the annotators of coarse maps, which take longest to draw."""

    labels: Path
    deliveries: dict[tuple[Any, ...], LabelSet] = field(default_factory=dict)
    drawers: dict[tuple[str, str], Drawer] = field(default_factory=dict)

    def answers(self, truth: Truth, noise: Noise, seed: int) -> RememberedAnswers:
        """Those of a market that shares this memory."""
        return RememberedAnswers(truth, noise, seed, memory=self)


@dataclass(frozen=True)
class RememberedAnswers(Answers):
    """Answers whose labels lie in the folder of a memory that all cells of a rehearsal share."""

    memory: Memory

    def annotator(self, request: Request) -> Annotator:
        """See `Answers.annotator`."""
        annotator = super().annotator(request)
        if isinstance(self.truth, ImaginedTruth) and not annotator.known:
            return Absent(request.kind, self.truth.world)
        if not isinstance(request, Coarse) or not request.scenes:
            return annotator
        height, width = self.truth.size(request.scenes[0])
        return self.memory.drawers.setdefault(self._who, Drawer(annotator, pixels=height * width))

    def write(self, request: Request, annotator: Annotator, scenes: Sequence[str], folder: Path) -> LabelSet:  # noqa: ARG002
        """See `Answers.write`; what was delivered once is there."""
        identity = (*self._who, request.kind, _question(request), *scenes)
        if identity not in self.memory.deliveries:
            self.memory.deliveries[identity] = self._deliver(request, annotator, scenes, " ".join(identity))
        return self.memory.deliveries[identity]

    @property
    def _who(self) -> tuple[str, str]:
        """Without noise an answer depends on the truth alone, not on the seed."""
        return self.about, "" if self.noise == Noise() else self.annotators

    def _deliver(self, request: Request, annotator: Annotator, scenes: Sequence[str], identity: str) -> LabelSet:
        if not isinstance(self.truth, ImaginedTruth) or isinstance(request, Points):
            return super().write(request, annotator, scenes, self.memory.labels)
        sizes = {scene: self.truth.size(scene) for scene in scenes}
        classes = self.truth.classes
        return write_alike(self.memory.labels, kind=request.labels, classes=classes, sizes=sizes, identity=identity)


def _question(request: Request) -> str:
    """What is asked beside the scenes."""
    if isinstance(request, Tags):
        return f"{request.tiling} {request.things}"
    if not isinstance(request, Points):
        return ""
    state = hashlib.blake2b(digest_size=16)
    for scene in request.scenes:
        pixels = request.pixels(scene)
        state.update(len(pixels).to_bytes(8, "little") + pixels.tobytes())
    return state.hexdigest()
