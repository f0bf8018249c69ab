"""The market of a rehearsal: it sells as ever, but remembers what was delivered, for many cells ask the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from segfrontier.errors import BadWorld
from segfrontier.market import Coarse, Market, Noise, Points, Request, Tags
from segfrontier.market.annotator import Annotator
from segfrontier.scenes.imagined import ImaginedTruth, write_alike
from segfrontier.scenes.labels import LabelSet

_CACHED_BYTES = 2**28


class Untold(BadWorld):
    """A price that nobody can tell before the images are here."""


class Drawer:
    """An annotator that draws each scene once."""

    known = True

    def __init__(self, annotator: Annotator, *, pixels: int) -> None:
        self.acts = annotator.acts
        self.row = lru_cache(max(1, _CACHED_BYTES // pixels))(annotator.row)


@dataclass
class Memory:
    """Whole deliveries, and the annotators of coarse maps, which take longest to draw."""

    labels: Path
    deliveries: dict[tuple[Any, ...], LabelSet] = field(default_factory=dict)
    drawers: dict[tuple[str, str], Drawer] = field(default_factory=dict)


class RememberingMarket(Market):
    """A `Market` whose labels lie in the folder of a memory that all cells of a rehearsal share."""

    def __init__(self, *terms: Any, memory: Memory, **annotators: Any) -> None:
        super().__init__(*terms, **annotators)
        self._memory, self._folder = memory, memory.labels
        # Without noise an answer depends on the truth alone, not on the seed.
        self._who = (self._terms.truth, "" if self._noise == Noise() else self._terms.annotators)

    def _annotator(self, request: Request) -> Annotator:
        annotator = super()._annotator(request)
        if isinstance(self._truth, ImaginedTruth) and not annotator.known:
            raise Untold(
                f"what {request.kind} labels of {self._truth.world} cost only its images tell, and it is not here; "
                f"import it, then plan again"
            )
        if not isinstance(request, Coarse) or not request.scenes:
            return annotator
        height, width = self._truth.size(request.scenes[0])
        return self._memory.drawers.setdefault(self._who, Drawer(annotator, pixels=height * width))

    def _write(self, request: Request, annotator: Annotator, scenes: list[str], folder: Path) -> LabelSet:  # noqa: ARG002
        identity = (*self._who, request.kind, _question(request), *scenes)
        if identity not in self._memory.deliveries:
            self._memory.deliveries[identity] = self._deliver(request, annotator, scenes, " ".join(identity))
        return self._memory.deliveries[identity]

    def _deliver(self, request: Request, annotator: Annotator, scenes: list[str], identity: str) -> LabelSet:
        if not isinstance(self._truth, ImaginedTruth) or isinstance(request, Points):
            return super()._write(request, annotator, scenes, self._folder)
        sizes = {scene: self._truth.size(scene) for scene in scenes}
        classes = self._truth.classes
        return write_alike(self._folder, kind=request.labels, classes=classes, sizes=sizes, identity=identity)


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
