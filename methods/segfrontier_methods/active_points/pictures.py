"""What a scene went through: its entropy with the chosen patches and points, its prediction before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from segfrontier.lab import Part, Predictors, Sketch
from segfrontier.maths import grid_boxes
from segfrontier_methods.active_points.acquisition import Draw, entropy_map
from segfrontier_methods.active_points.labels import answers_of

_WHITE, _CYAN = (255, 255, 255), (0, 200, 255)


@dataclass(frozen=True, kw_only=True)
class Story(Sketch):
    """Like the paper's Fig. 4: brighter is less certain, white patches were chosen, at cyan points a person told."""

    note: ClassVar[str] = (
        "Entropy: the brighter, the less certain. White frames are the patches that were chosen, cyan dots the bought "
        "points."
    )

    draw: Draw

    def panels(self, models: Predictors, part: Part, scene: str) -> Sequence[tuple[str, NDArray[np.uint8]]]:
        """See `Sketch.panels`."""
        image, answers = part.images.image(scene), answers_of(part, scene)
        heat = hot(entropy_map(models["before"].look(image)))
        mark(heat, answers[:, :2], self.draw)
        seen = {
            f"{when}: prediction": predictor.classes.palette[predictor.look(image).confidence()[1][0].cpu().numpy()]
            for when, predictor in models.items()
        }
        return [(scene, image), (f"before: entropy, {len(answers)} points", heat), *seen.items()]


def hot(values_HW: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3): from 0 to 1 through black, red, yellow to white."""
    return np.asarray(np.clip(3 * values_HW[..., None] - np.arange(3), 0, 1) * 255, np.uint8)


def mark(picture: NDArray[np.uint8], xy: NDArray[np.integer], draw: Draw) -> None:
    """Draw the patches that the points lie in, and the points, into the picture."""
    height, width = picture.shape[:2]
    line, dot = max(1, width // 400), width // 300
    boxes = grid_boxes(height, width, rows=draw.rows, columns=draw.columns)
    for x0, y0, x1, y1 in boxes[np.unique(draw.patches(xy, (height, width)))]:
        picture[y0 : y0 + line, x0:x1] = picture[y1 - line : y1, x0:x1] = _WHITE
        picture[y0:y1, x0 : x0 + line] = picture[y0:y1, x1 - line : x1] = _WHITE
    for x, y in xy:
        picture[max(0, y - dot) : y + dot + 1, max(0, x - dot) : x + dot + 1] = _CYAN
