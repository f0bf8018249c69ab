"""Stage B: how unsure a model is of each patch, which patches are asked about, and the points that are bought in them.

Everything is a function of the scene, the seed and stored results: no random state needs to survive a kill, and the
same question, put again, is free. A pool passes in chunks of scenes; a point costs bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.lab import Gauge, Known, Lab, LabelSet, Measures, Part, Points, Predictors, stable_seed
from segfrontier.maths import (
    TopOfPool,
    ViewMean,
    draw_points,
    grid_boxes,
    normalised_entropy,
    patch_means,
    patch_of,
    top_in_each,
)
from segfrontier_methods.active_points.knobs import Knobs

CHUNK = 8192
"""Scenes that are chosen for and bought in one purchase."""


@dataclass(frozen=True, kw_only=True)
class PatchEntropy(Gauge):
    """The mean entropy of every patch, and of the whole image; with a draw, the model's labels at its points, too.

    So what a model says of a pool is looked for once: equation 6 needs no pass of its own.
    """

    rows: int
    columns: int
    draw: Draw | None = None
    points: NDArray[np.int64] | None = field(default=None, compare=False)
    """(P, n, 2) all points of the scene; `at` puts them here."""

    @classmethod
    def of(cls, knobs: Knobs, draw: Draw | None = None) -> Self:
        """The gauge of a method."""
        return cls(rows=knobs.rows, columns=knobs.columns, draw=draw)

    def shapes(self, classes: int) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """See `Gauge.shapes`."""
        grid = self.rows * self.columns
        guesses = {} if self.draw is None else {"guesses": (grid, self.draw.points)}
        return {"patches": (grid,), "mean": (), **guesses}

    def at(self, part: Part, scene: str) -> PatchEntropy:
        """See `Gauge.at`."""
        return self if self.draw is None else replace(self, points=self.draw.all(scene, part.images.size(scene)))

    def measure(
        self,
        models: Predictors,
        image: NDArray[np.uint8],
        known: Known,  # noqa: ARG002
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Gauge.measure`."""
        seen = models.look(image, lean=True)
        entropy_HW = entropy_map(seen)
        patches = patch_means(entropy_HW, rows=self.rows, columns=self.columns)
        found = {"patches": patches.ravel().astype(np.float32), "mean": np.asarray(entropy_HW.mean(), np.float32)}
        if self.points is not None:
            x, y = self.points[..., 0], self.points[..., 1]
            found["guesses"] = guessed_labels(seen)[y, x].astype(np.float32)
        return found


def guessed_labels(seen: ViewMean) -> NDArray[np.uint8]:
    """(H, W) the model's labels."""
    labels: NDArray[np.uint8] = seen.confidence()[1][0].byte().cpu().numpy()
    return labels


def entropy_map(seen: ViewMean) -> NDArray[np.float32]:
    """(H, W) normalised entropy of a model's answer."""
    entropy_HW = normalised_entropy(seen.scores_NKHW.softmax(1))[0]
    found: NDArray[np.float32] = entropy_HW.cpu().numpy()
    return found


@lru_cache(maxsize=64)
def _boxes(size: tuple[int, int], rows: int, columns: int) -> NDArray[np.int64]:
    """The grid of images of a size, of which a pool has few; not to be written to."""
    boxes = grid_boxes(*size, rows=rows, columns=columns)
    boxes.flags.writeable = False
    return boxes


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The random points of every patch of a scene, drawn once and for all: whatever is asked later, it is these."""

    seed: int
    rows: int
    columns: int
    points: int

    @classmethod
    def of(cls, knobs: Knobs, seed: int) -> Self:
        """The draw of a method in a lab of that seed."""
        return cls(seed=seed, rows=knobs.rows, columns=knobs.columns, points=knobs.points)

    def all(self, scene: str, size: tuple[int, int]) -> NDArray[np.int64]:
        """(P, n, 2) x and y."""
        return _drawn(self, scene, size)

    def patches(self, xy: NDArray[np.integer], size: tuple[int, int]) -> NDArray[np.int64]:
        """The patches that pixels lie in."""
        return patch_of(xy, *size, rows=self.rows, columns=self.columns)

    def check(self, size: tuple[int, int]) -> None:
        """BadInput where images of that size cannot be asked about."""
        try:
            self.all("", size)
        except ValueError as error:
            height, width = size
            raise BadInput(
                f"active_points cannot ask for {self.points} points in each of {self.columns} x {self.rows} patches of "
                f"images of {width} x {height} pixels: {error}"
            ) from error


@lru_cache(maxsize=CHUNK)
def _drawn(draw: Draw, scene: str, size: tuple[int, int]) -> NDArray[np.int64]:
    """Remembered, for rounds and cells ask about the same scenes in turn; not to be written to."""
    boxes = _boxes(size, draw.rows, draw.columns)
    points = draw_points(np.random.default_rng(stable_seed(draw.seed, scene, "points")), boxes, points=draw.points)
    points.flags.writeable = False
    return points


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Which patches of which scenes are asked about, up to a number that grows from round to round."""

    knobs: Knobs
    draw: Draw
    lab: Lab
    measures: Measures | None
    """What was measured, where the choice goes by it."""
    before: Sequence[LabelSet]
    """What was bought in earlier rounds: it stays chosen."""

    def buy(self, total: int) -> list[LabelSet]:
        """Ask about so many patches of all images with answers; what was asked before comes again at no price."""
        top = TopOfPool(lambda: (scores for _, scores in self._chunks()), total) if self._over_pool else None
        an_image = total // len(self.lab.sold("point"))
        bought = []
        for scenes, scores in self._chunks():
            chosen = top_in_each(scores, an_image) if top is None else top.choose(scores)
            drawn = (self.draw.all(scene, self.lab.pool.size(scene)) for scene in scenes)
            xy = [points[patches].reshape(-1, 2) for points, patches in zip(drawn, chosen, strict=True)]
            bought.append(self.lab.buy(Points(scenes, xy)))
        return bought

    @property
    def _over_pool(self) -> bool:
        return self.knobs.allocate == "pool" and self.knobs.asks

    def _chunks(self) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Scenes with the scores of their patches."""
        names = self.lab.sold("point") if self.measures is None else self.measures.scenes()
        for at in range(0, len(names), CHUNK):
            scenes = names[at : at + CHUNK]
            if self.measures is None:
                scores = self._dice(scenes)
            else:
                scores = np.array(self.measures.column("patches")[at : at + CHUNK])
            for row, scene in zip(scores, scenes, strict=True):
                row[self._asked(scene)] = np.inf
            yield scenes, scores

    def _dice(self, scenes: Sequence[str]) -> NDArray[np.float32]:
        dice = (np.random.default_rng(stable_seed(self.draw.seed, scene, "patches")) for scene in scenes)
        return np.stack([rng.random(self.knobs.grid, np.float32) for rng in dice])

    @cached_property
    def _held(self) -> dict[str, LabelSet]:
        """Where each scene's points of earlier rounds lie: looked for once, not set by set for each scene."""
        return {scene: labels for labels in reversed(self.before) for scene in labels.scenes()}

    def _asked(self, scene: str) -> NDArray[np.int64]:
        held = self._held.get(scene)
        if held is None:
            return np.zeros(0, np.int64)
        return self.draw.patches(held.values(scene)[:, :2], held.size(scene))


def steps_of_asking(knobs: Knobs, lab: Lab) -> list[int]:
    """How many patches of the whole pool have been asked about after each round; BadInput where that is too dear."""
    images, affordable = len(lab.sold("point")), 0
    if not images:
        raise BadInput(
            "active_points asks about images that the data set has fine labels of; this pool has none. Choose "
            "selector: none, or a world with labelled training scenes."
        )
    if knobs.patches != 0 or knobs.selector == "full":
        affordable = int((lab.budget + lab.spent) / (knobs.points * lab.price("point")) + 1e-9)
    total = images * (knobs.grid if knobs.selector == "full" else knobs.patches or 0)
    if knobs.asks and knobs.patches is None:
        total = min(affordable, images * knobs.grid)
        total -= total % images if knobs.allocate == "image" else 0
        if total < (images if knobs.allocate == "image" else 1):
            raise BadInput(
                f"a budget must pay for one patch of {knobs.points} points in each of {images} images; it pays for "
                f"{affordable} patches in all; give more hours, fewer points, allocate: pool, or patches: 0"
            )
    if total > affordable:
        seconds = total * knobs.points * lab.price("point")
        raise BadInput(
            f"a budget must cover what is asked: {total} patches of {knobs.points} points cost {seconds:.0f} s "
            f"({seconds / 3600:.2f} h); it is {lab.budget + lab.spent} s; give more hours, fewer patches or points, "
            f"patches: null to spend what there is, or patches: 0 for self-training"
        )
    unit = images if knobs.allocate == "image" else 1
    return [round(total // unit * r / knobs.rounds) * unit for r in range(1, knobs.rounds + 1)]
