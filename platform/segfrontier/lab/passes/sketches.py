"""Drawing: what a method wants to show of single scenes, panel by panel, beside the evaluator's own pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.streams import Part
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.preview import sheet

PICTURES = "pictures.png"


class Sketch(ABC):
    """What is drawn of a scene. Subclasses are frozen dataclasses; all fields enter the stage's key."""

    note: ClassVar[str] = ""
    """Stands below the sheet: what its colours mean beside those of the classes."""
    width: ClassVar[int] = 320
    """Of a panel of the sheet."""

    @abstractmethod
    def panels(self, models: Predictors, part: Part, scene: str) -> Sequence[tuple[str, NDArray[np.uint8]]]:
        """Captioned (H, W, 3) pictures, the scene's image first."""


Panels = tuple[str, list[tuple[str, NDArray[np.uint8]]]]
"""A caption and the pictures of one scene."""


def write_sheet(rows: Sequence[Panels], classes: ClassTable, file: Path, *, width: int, note: str = "") -> None:
    """A PNG with a row of panels for each scene; `width` is that of a panel."""
    Image.fromarray(sheet(rows, classes, width=width, note=note)).save(file)


def panels_of(sketch: Sketch, models: Predictors, part: Part, scene: str) -> Panels:
    """What is drawn of a scene."""
    try:
        return scene, list(sketch.panels(models, part, scene))
    except Undecodable:  # pictures are no reason to end a stage
        return f"{scene} does not decode", [("image", np.full((9, 16, 3), 128, np.uint8))]
