"""Pictures of predictions: input, truth, prediction and error side by side, for a fixed set of scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.preview import colourise, colourise_objects, sheet

_RIGHT, _WRONG, _UNJUDGED = (225, 232, 240), (200, 30, 30), (0, 0, 0)
_ERROR = "Error: pale where right, red where wrong, black where the truth is void."
_OBJECTS = (
    "Instances: each has a colour of its own, dark lines part those that touch; what cannot be counted is pale in its "
    "class's colour, void white."
)


def error_map(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 3): pale where right, red where wrong, black where the truth is void."""
    picture = np.empty((*truth.shape, 3), np.uint8)
    picture[truth == prediction] = _RIGHT
    picture[truth != prediction] = _WRONG
    picture[truth == VOID] = _UNJUDGED
    return picture


class Album:
    """Collects one row a scene and writes the sheet."""

    def __init__(self, classes: ClassTable, *, width: int = 320) -> None:
        self.classes, self.width = classes, width
        self.rows: list[tuple[str, list[tuple[str, NDArray[np.uint8]]]]] = []

    def add(self, scene: str, image: NDArray[np.uint8], known: SceneLabels, found: SceneLabels) -> None:
        """One scene: its semantic map, and instances where both have them."""
        truth, prediction = known.semantic, found.semantic
        assert truth is not None and prediction is not None, "what is shown has a map"
        judged = truth != VOID
        right = float((truth == prediction)[judged].mean()) if judged.any() else float("nan")
        panels = [
            (scene, image),
            ("truth", colourise(truth, self.classes)),
            ("prediction", colourise(prediction, self.classes)),
            (f"error ({1 - right:.0%} of pixels)", error_map(truth, prediction)),
        ]
        if known.instance is not None and found.instance is not None:
            for name, labels, ids in (("true", truth, known.instance), ("found", prediction, found.instance)):
                shown = colourise_objects(labels, ids, self.classes)
                panels.append((f"{name} instances ({len(np.unique(ids[ids > 0]))})", shown))
        self.rows.append((scene, panels))

    def write(self, path: Path) -> None:
        """The sheet as PNG; nothing if no scene was added."""
        if self.rows:
            note = (
                f"{_ERROR} {_OBJECTS}"
                if any("instances" in name for _, row in self.rows for name, _ in row)
                else _ERROR
            )
            Image.fromarray(sheet(self.rows, self.classes, width=self.width, note=note)).save(path)
