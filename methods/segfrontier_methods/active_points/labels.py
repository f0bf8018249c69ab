"""Equation 6: a target image's labels are a person's where one was asked, and the model's elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.lab import Known, Part, Predictors, Rule, SceneLabels
from segfrontier.maths import grid_boxes
from segfrontier_methods.active_points.acquisition import Draw, guessed_labels

_VOID = 255


@dataclass(frozen=True, kw_only=True)
class PointLabels(Rule):
    """Points that were asked about get the answer, void ones none; the rest of such a patch stays void.

    Patches that were not asked about get the model's labels: at their own points (`sparse`) or all over (`dense`).
    """

    draw: Draw
    reading: Literal["sparse", "dense"]
    points: NDArray[np.int64] | None = field(default=None, compare=False)
    """(P, n, 2) all points of the scene; `at` puts them and the answers here."""
    guesses: NDArray[np.int32] | None = field(default=None, compare=False)
    """(P, n) the model's labels there, where they were measured."""
    answers: NDArray[np.int32] | None = field(default=None, compare=False)
    """(m, 3) x, y and label, void ones included."""

    def at(self, part: Part, scene: str) -> PointLabels:
        """See `Rule.at`."""
        points = self.draw.all(scene, part.images.size(scene))
        guesses = None if part.measures is None else part.measures.row("guesses", scene).astype(np.int32)
        return replace(self, points=points, guesses=guesses, answers=answers_of(part, scene))

    def label(
        self,
        models: Predictors,
        image: NDArray[np.uint8],
        known: Known,  # noqa: ARG002
    ) -> SceneLabels:
        """See `Rule.label`."""
        assert self.points is not None and self.answers is not None, "the lab binds a rule to its scene by `at`"
        size = (image.shape[0], image.shape[1])
        asked = np.zeros(len(self.points), np.bool_)
        asked[self.draw.patches(self.answers[:, :2], size)] = True
        answers = self.answers[self.answers[:, 2] != _VOID]
        if self.reading == "sparse":
            x, y = self.points[~asked].reshape(-1, 2).T
            guessed = self._guesses(models, image)[~asked].ravel()
            own = np.column_stack([x, y, guessed]).astype(np.int32)
            return SceneLabels(size=size, points=np.concatenate([own, answers]))
        labels = guessed_labels(models.look(image, lean=True)).copy()
        for x0, y0, x1, y1 in grid_boxes(*size, rows=self.draw.rows, columns=self.draw.columns)[asked]:
            labels[y0:y1, x0:x1] = _VOID
        return SceneLabels(size=size, semantic=labels, points=answers)

    def _guesses(self, models: Predictors, image: NDArray[np.uint8]) -> NDArray[np.integer]:
        if self.guesses is not None:
            return self.guesses
        assert self.points is not None
        return guessed_labels(models.look(image, lean=True))[self.points[..., 1], self.points[..., 0]]


def answers_of(part: Part, scene: str) -> NDArray[np.int32]:
    """(m, 3) x, y and label of the points that were bought in a scene, if only none."""
    known = part.known(scene)
    assert isinstance(known, SceneLabels) and known.points is not None, "the part holds the points that were bought"
    return known.points
