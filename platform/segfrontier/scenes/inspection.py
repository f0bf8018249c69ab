"""What is in a world, counted: class shares, void, instances, and everything an import or a split can get wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from segfrontier.errors import BadWorld
from segfrontier.scenes.codec import check_image
from segfrontier.scenes.health.counts import SceneCounts
from segfrontier.scenes.health.counts import SplitCounts as SplitCounts
from segfrontier.scenes.health.findings import Oddity, findings
from segfrontier.scenes.health.likeness import twins
from segfrontier.scenes.manifest import ImportNotes
from segfrontier.scenes.world import Pool, Truth, World

SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A world's counts and oddities. `overlaps` names images that stand in more than one split.

    With `sample`, that many scenes of each split were looked at, drawn with seed `SEED`; None: all of them.
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    components: bool
    splits: tuple[SplitCounts, ...]
    overlaps: tuple[str, ...]
    notes: ImportNotes
    undecodable: tuple[str, ...] = ()  # stored images and maps that are none, or break the format's rules
    findings: tuple[Oddity, ...] = ()
    existing: Mapping[str, float] = field(default_factory=dict)  # seconds that labels which exist took, by kind of act
    sample: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values for scripts."""
        return asdict(self)

    @property
    def unusable(self) -> bool:
        """Is nothing to be done with this world?"""
        return any(finding.severity == "error" for finding in self.findings)


def inspect_world(
    world: World, *, progress: Callable[[int, int], None] | None = None, sample: int | None = None
) -> Inspection:
    """Decode every image and label map once, and count. A damaged shard raises an error that names it."""
    chosen = {key: _chosen(world, *key, sample) for key in world.splits()}
    total, done = sum(len(scenes) for scenes in chosen.values()), 0
    seen: defaultdict[str, list[str]] = defaultdict(list)
    tallies, undecodable = [], []
    for (domain, split), scenes in chosen.items():
        tally = SceneCounts(domain, split, len(world.classes))
        truth, pool = world.truth(domain=domain, split=split), world.pool(domain=domain, split=split)
        for scene in pool.scenes():
            seen[pool.image_digest(scene)].append(f"{domain}/{split}:{scene}")
        for scene in scenes:
            tally.looked += 1
            try:
                _add(tally, pool, truth, scene)
            except BadWorld as error:
                tally.undecodable.append(scene)
                undecodable.append(f"{domain}/{split}:{scene}: {error}")
            done += 1
            if progress:
                progress(done, total)
        tallies.append(tally)
    overlaps = tuple(" = ".join(places) for places in seen.values() if len({p.split(":")[0] for p in places}) > 1)
    alike = twins([image for tally in tallies for image in tally.likenesses])
    return Inspection(
        name=world.name,
        digest=world.digest,
        classes=world.classes.names,
        components=world.manifest.components,
        splits=tuple(tally.result(world.splits()[tally.domain, tally.split]) for tally in tallies),
        overlaps=overlaps,
        notes=world.manifest.notes,
        undecodable=tuple(undecodable),
        findings=findings(tallies, world.classes, overlaps, alike),
        existing={kind: float(seconds) for kind, seconds in world.manifest.existing.items()},
        sample=sample,
    )


def _chosen(world: World, domain: str, split: str, sample: int | None) -> list[str]:
    """The scenes of a split that are looked at, in their order."""
    scenes = world.pool(domain=domain, split=split).scenes()
    if sample is None or sample >= len(scenes):
        return scenes
    places = np.random.default_rng(SEED).choice(len(scenes), sample, replace=False)
    return [scenes[at] for at in sorted(places.tolist())]


def _add(tally: SceneCounts, pool: Pool, truth: Truth, scene: str) -> None:
    fine, coarse, instance = truth.is_fine(scene), truth.coarse(scene), truth.instance(scene)
    labels = truth.semantic(scene) if fine else coarse
    tally.add(scene, labels, instance, pool.size(scene), fine=fine, coarse=coarse is not None)
    for kind, counts in tally.existing.items():
        counts += [] if (rows := truth.existing(scene, kind)) is None else [len(rows)]
    size = check_image(pool.encoded(scene), name=scene)
    if size != pool.size(scene):
        raise BadWorld(f"the image must be {pool.size(scene)} (height, width) as its row says; found {size}")
    image = pool.image(scene)  # as training reads it
    tally.look(scene, pool.image_digest(scene), image, truth.classes.palette)
