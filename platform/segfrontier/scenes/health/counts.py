"""The counts of one domain and split, and what of each scene the findings are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.classes import VOID
from segfrontier.scenes.health.encodings import is_drawn, speckle
from segfrontier.scenes.health.likeness import Likeness, likeness

MOST_VOID = 0.6  # of a scene's pixels
MOST_SPECKLE = 0.05  # of pixels that differ from both neighbours in their row; painted maps have less than 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """The counts of one domain and split: of `scenes` that were looked at, of `total`."""

    domain: str
    split: str
    scenes: int
    total: int
    sizes: tuple[str, ...]
    class_shares: tuple[float, ...]
    scene_shares: tuple[float, ...]
    void_share: float
    instances: tuple[int, ...]
    instances_a_scene: float
    with_coarse: int
    with_fine: int
    with_boxes: int = 0
    """Scenes whose boxes exist already, and below how many boxes and tags these are."""
    with_tags: int = 0
    existing_boxes: int = 0
    existing_tags: int = 0

    @property
    def name(self) -> str:
        """As messages name it."""
        return f"{self.domain}/{self.split}"

    def of_existing(self, seconds: Mapping[str, float]) -> list[str]:
        """What of it exists already, a line for boxes and one for tags; `seconds` as the world states them."""
        kinds = (
            ("boxes", "box", self.with_boxes, self.existing_boxes),
            ("tags", "tag", self.with_tags, self.existing_tags),
        )
        return [
            f"{found} {what} of {having} scenes of {self.name} exist already, {seconds[kind]:g} s each"
            for what, kind, having, found in kinds
            if having
        ]

    @property
    def looked(self) -> str:
        """How many scenes there are, and how many of them were looked at."""
        return (
            f"{self.scenes} scenes" if self.scenes == self.total else f"{self.scenes} of {self.total} scenes (seed 0)"
        )


class SceneCounts:
    """Counts scene by scene. Lists hold the ids of scenes that something is odd about."""

    def __init__(self, domain: str, split: str, classes: int) -> None:
        self.domain, self.split, self.name = domain, split, f"{domain}/{split}"
        self.pixels = np.zeros(256, np.int64)
        self.present = np.zeros(classes, np.int64)
        self.instances = np.zeros(classes, np.int64)
        self.sizes: dict[str, None] = {}
        self.looked = self.scenes = self.coarse = self.fine = self.bare = 0
        self.existing: dict[str, list[int]] = {"box": [], "tag": []}  # how many each scene has that has some
        self.rows: list[NDArray[np.int64]] = []  # pixels of each class and void, of finely labelled scenes
        self.all_void: list[str] = []
        self.mostly_void: list[str] = []
        self.speckled: list[str] = []
        self.drawn: list[str] = []
        self.undecodable: list[str] = []
        self.likenesses: list[Likeness] = []

    def add(
        self, scene: str, labels: NDArray[Any] | None, instance: NDArray[Any] | None, size: tuple[int, int], *,
        fine: bool, coarse: bool,
    ) -> None:  # fmt: skip
        """Count the labels of a scene: its fine ones, else its coarse ones; there may be none."""
        self.sizes[f"{size[1]}x{size[0]}"] = None
        self.scenes += 1
        self.coarse += coarse
        self.fine += fine
        if labels is None:
            self.bare += 1
            return
        here = np.bincount(labels.ravel(), minlength=256)
        self.pixels += here
        self.present += here[: len(self.present)] > 0
        if fine:
            self._judge(scene, labels, here)
        if instance is not None:
            inside = instance > 0
            pairs = np.unique(instance[inside].astype(np.int64) * 256 + labels[inside])
            self.instances += np.bincount(pairs % 256, minlength=len(self.instances))[: len(self.instances)]

    def _judge(self, scene: str, labels: NDArray[Any], here: NDArray[np.int64]) -> None:
        """Coarse maps are not judged: most of them is void, as it should be."""
        self.rows.append(here[[*range(len(self.present)), VOID]])
        if here[VOID] == labels.size:
            self.all_void.append(scene)
        elif here[VOID] > MOST_VOID * labels.size:
            self.mostly_void.append(scene)
        if speckle(labels) > MOST_SPECKLE:
            self.speckled.append(scene)

    def look(self, scene: str, digest: str, image: NDArray[np.uint8], palette: NDArray[np.uint8]) -> None:
        """See what an image is like."""
        self.likenesses.append(likeness(scene, self.name, digest, image))
        if is_drawn(image, palette):
            self.drawn.append(scene)

    def result(self, total: int) -> SplitCounts:
        """All of it."""
        all_pixels = max(int(self.pixels.sum()), 1)
        labelled = max(int(self.pixels[:VOID].sum()), 1)
        known = max(self.scenes - self.bare, 1)
        return SplitCounts(
            domain=self.domain,
            split=self.split,
            scenes=self.scenes,
            total=total,
            sizes=tuple(self.sizes),
            class_shares=tuple(float(v) / labelled for v in self.pixels[: len(self.present)]),
            scene_shares=tuple(float(v) / known for v in self.present),
            void_share=float(self.pixels[VOID]) / all_pixels,
            instances=tuple(int(v) for v in self.instances),
            instances_a_scene=float(self.instances.sum()) / known,
            with_coarse=self.coarse,
            with_fine=self.fine,
            with_boxes=len(self.existing["box"]),
            with_tags=len(self.existing["tag"]),
            existing_boxes=sum(self.existing["box"]),
            existing_tags=sum(self.existing["tag"]),
        )
