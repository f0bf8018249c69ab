"""What is in a world, counted: class shares, void, instances, and everything an import or a split can get wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from segfrontier.errors import BadWorld
from segfrontier.scenes.codec import check_image
from segfrontier.scenes.manifest import ImportNotes
from segfrontier.scenes.world import Pool, Truth, World


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitCounts:
    """The counts of one domain and split."""

    domain: str
    split: str
    scenes: int
    sizes: tuple[str, ...]
    class_shares: tuple[float, ...]
    scene_shares: tuple[float, ...]
    void_share: float
    instances: tuple[int, ...]
    instances_a_scene: float
    with_coarse: int
    with_fine: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A world's counts and oddities. `overlaps` names images that stand in more than one split."""

    name: str
    digest: str
    classes: tuple[str, ...]
    components: bool
    splits: tuple[SplitCounts, ...]
    overlaps: tuple[str, ...]
    notes: ImportNotes
    undecodable: tuple[str, ...] = ()  # stored images and maps that are none, or break the format's rules

    def to_json(self) -> dict[str, Any]:
        """Plain values for scripts."""
        return asdict(self)


def inspect_world(world: World, *, progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Decode every image and label map once, and count. A damaged shard raises an error that names it."""
    total, done = sum(world.splits().values()), 0
    undecodable: list[str] = []
    seen: defaultdict[str, list[str]] = defaultdict(list)
    counts = []
    for domain, split in world.splits():
        tally = _Tally(len(world.classes))
        truth, pool = world.truth(domain=domain, split=split), world.pool(domain=domain, split=split)
        for scene in truth.scenes():
            seen[pool.image_digest(scene)].append(f"{domain}/{split}:{scene}")
            fine = truth.is_fine(scene)
            try:
                _add(tally, pool, truth, scene, fine=fine)
            except BadWorld as error:
                undecodable.append(f"{domain}/{split}:{scene}: {error}")
            done += 1
            if progress:
                progress(done, total)
        counts.append(tally.result(domain, split))
    overlaps = (places for places in seen.values() if len({p.split(":")[0] for p in places}) > 1)
    return Inspection(
        name=world.name,
        digest=world.digest,
        classes=world.classes.names,
        components=world.manifest.components,
        splits=tuple(counts),
        overlaps=tuple(" = ".join(places) for places in overlaps),
        notes=world.manifest.notes,
        undecodable=tuple(undecodable),
    )


def _add(tally: _Tally, pool: Pool, truth: Truth, scene: str, *, fine: bool) -> None:
    coarse, instance = truth.coarse(scene), truth.instance(scene)
    labels = truth.semantic(scene) if fine else coarse
    if labels is None:
        tally.add_bare(pool.size(scene))
    else:
        tally.add(labels, instance, fine=fine, coarse=coarse is not None)
    size = check_image(pool.encoded(scene), name=scene)
    if size != pool.size(scene):
        raise BadWorld(f"the image must be {pool.size(scene)} (height, width) as its row says; found {size}")
    pool.image(scene)  # as training reads it


class _Tally:
    def __init__(self, classes: int) -> None:
        self.pixels = np.zeros(256, np.int64)
        self.present = np.zeros(classes, np.int64)
        self.instances = np.zeros(classes, np.int64)
        self.sizes: dict[str, None] = {}
        self.scenes = self.coarse = self.fine = self.bare = 0

    def add_bare(self, size: tuple[int, int]) -> None:
        """A scene without labels: there is nothing to count but itself."""
        self.sizes[f"{size[1]}x{size[0]}"] = None
        self.scenes += 1
        self.bare += 1

    def add(
        self, semantic: np.ndarray[Any, Any], instance: np.ndarray[Any, Any] | None, *, fine: bool, coarse: bool
    ) -> None:
        here = np.bincount(semantic.ravel(), minlength=256)
        self.pixels += here
        self.present += here[: len(self.present)] > 0
        self.sizes[f"{semantic.shape[1]}x{semantic.shape[0]}"] = None
        self.scenes += 1
        self.coarse += coarse
        self.fine += fine
        if instance is not None:
            inside = instance > 0
            pairs = np.unique(instance[inside].astype(np.int64) * 256 + semantic[inside])
            self.instances += np.bincount(pairs % 256, minlength=len(self.instances))[: len(self.instances)]

    def result(self, domain: str, split: str) -> SplitCounts:
        all_pixels = max(int(self.pixels.sum()), 1)
        labelled = max(int(self.pixels[:255].sum()), 1)
        known = max(self.scenes - self.bare, 1)
        return SplitCounts(
            domain=domain,
            split=split,
            scenes=self.scenes,
            sizes=tuple(self.sizes),
            class_shares=tuple(float(v) / labelled for v in self.pixels[: len(self.present)]),
            scene_shares=tuple(float(v) / known for v in self.present),
            void_share=float(self.pixels[255]) / all_pixels,
            instances=tuple(int(v) for v in self.instances),
            instances_a_scene=float(self.instances.sum()) / known,
            with_coarse=self.coarse,
            with_fine=self.fine,
        )
