"""Drawing as a pass: a sketch makes the panels of one scene; where the models are, not where the method runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from segfrontier.lab.passes.base import Pass, Picture
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.passes.sketches import PICTURES, Panels, Sketch, panels_of, write_sheet
from segfrontier.lab.streams import Part
from segfrontier.scenes.world import Pool


@dataclass(frozen=True, kw_only=True)
class DrawPass(Pass[Panels]):
    """A handful of scenes; whatever goes wrong but an image that does not decode ends the pass."""

    done: ClassVar[str] = "drawn"
    forgives: ClassVar[tuple[type[Exception], ...]] = ()

    part: Part
    sketch: Sketch
    scenes: tuple[str, ...]

    @property
    def images(self) -> Pool:
        """See `Pass.images`."""
        return self.part.images

    @property
    def task(self) -> object:
        """See `Pass.task`."""
        return self.sketch

    def names(self) -> Sequence[str]:
        """See `Pass.names`."""
        return self.scenes

    def read(self, scene: str) -> Picture:  # noqa: ARG002
        """See `Pass.read`. A sketch reads what it shows."""
        return np.empty((0, 0, 3), np.uint8)

    def look(self, models: Predictors, scene: str, image: Picture) -> Panels:  # noqa: ARG002
        """See `Pass.look`."""
        return panels_of(self.sketch, models, self.part, scene)

    def write(self, out: Path, rows: Iterator[Panels], faults: Sequence[str]) -> None:  # noqa: ARG002
        """See `Pass.write`."""
        write_sheet(list(rows), self.classes, out / PICTURES, width=self.sketch.width, note=self.sketch.note)
