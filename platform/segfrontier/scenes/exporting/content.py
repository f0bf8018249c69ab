"""What is exported: the scenes of a world with all that it knows of them, or with the labels of a set in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.scenes.labels import COLUMNS, LabelSet
from segfrontier.scenes.names import shown
from segfrontier.scenes.world import Pool, Truth, World

Key = tuple[str, str]  # domain, split


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """One scene as it leaves; None where nothing of a kind is known."""

    image: bytes
    size: tuple[int, int]
    semantic: NDArray[np.uint8] | None
    instance: NDArray[np.uint16] | None
    coarse: NDArray[np.uint8] | None
    boxes: NDArray[np.int32] | None = None  # that exist, as the next
    tags: NDArray[np.int32] | None = None

    @property
    def ending(self) -> str:
        """The image file's ending, by its first bytes."""
        if self.image.startswith(b"\x89PNG"):
            return "png"
        return "webp" if self.image[8:12] == b"WEBP" else "jpg"


class Contents(Protocol):
    """Scenes by domain and split, each read when it is its turn. Threads read side by side."""

    scenes: dict[Key, list[str]]
    existing: Mapping[str, Decimal]  # seconds that labels took which exist, by kind of act
    components: bool  # whether instances are connected components of their class, as importing finds them again
    left_out: int

    def read(self, key: Key, scene: str) -> Content:
        """One scene."""


class WholeWorld:
    """All scenes of a world."""

    def __init__(self, world: World) -> None:
        self._pools: dict[Key, Pool] = {(d, s): world.pool(domain=d, split=s) for d, s in world.splits()}
        self._truths: dict[Key, Truth] = {(d, s): world.truth(domain=d, split=s) for d, s in world.splits()}
        self.scenes: dict[Key, list[str]] = {key: pool.scenes() for key, pool in self._pools.items()}
        for truth in self._truths.values():
            truth.scenes()  # its rows are found once, before threads ask for them
        self.components, self.left_out = world.manifest.components, 0
        self.existing: Mapping[str, Decimal] = world.manifest.existing

    def read(self, key: Key, scene: str) -> Content:
        """One scene."""
        pool, truth = self._pools[key], self._truths[key]
        return Content(
            image=pool.encoded(scene),
            size=pool.size(scene),
            semantic=truth.semantic(scene) if truth.is_fine(scene) else None,
            instance=truth.instance(scene),
            coarse=truth.coarse(scene),
            boxes=truth.existing(scene, "box"),
            tags=truth.existing(scene, "tag"),
        )


class LabelledScenes:
    """The scenes that a label set has labels of, with those labels alone: nothing of the world's own truth."""

    def __init__(self, world: World, labels: LabelSet) -> None:
        if labels.kind in COLUMNS and labels.kind != "points":
            raise BadInput(f"a label set must say something of single pixels to be exported; {labels.kind} do not.")
        pools: dict[Key, Pool] = {(d, s): world.pool(domain=d, split=s) for d, s in world.splits()}
        self._pools, self._labels = pools, labels
        held = labels.scenes()
        homes = {scene: key for key, pool in pools.items() for scene in pool.scenes()}
        if strangers := [scene for scene in held if scene not in homes]:
            raise BadInput(
                f"a label set must be of scenes of the world {world.name!r}; {len(strangers)} of its {len(held)} are "
                f"not, e.g. {shown(strangers[0])}. Name the world that it was made on."
            )
        self.scenes: dict[Key, list[str]] = {}
        for scene in held:
            self.scenes.setdefault(homes[scene], []).append(scene)
        self.components, self.left_out = False, len(homes) - len(held)
        self.existing: Mapping[str, Decimal] = {}

    def read(self, key: Key, scene: str) -> Content:
        """One scene."""
        pool, labels = self._pools[key], self._labels
        if labels.size(scene) != pool.size(scene):
            raise BadInput(
                f"labels must have their image's size {pool.size(scene)}; those of {shown(scene)} have "
                f"{labels.size(scene)}. Name the world that they were made on."
            )
        semantic, instance = labels.map(scene), labels.instance(scene)
        if labels.kind == "coarse":
            return Content(pool.encoded(scene), pool.size(scene), None, None, semantic)
        return Content(pool.encoded(scene), pool.size(scene), semantic, self._countable(semantic, instance), None)

    def _countable(self, semantic: NDArray[np.uint8], instance: NDArray[Any] | None) -> NDArray[np.uint16] | None:
        """A rule may number what a world may not: pixels of stuff and void have no number there."""
        if instance is None:
            return None
        return np.where(np.isin(semantic, self._labels.classes.things), instance, 0).astype(np.uint16)
