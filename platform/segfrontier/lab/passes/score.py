"""Scoring as a pass: a rule answers, tasks compare with truth, which is read where the pass runs and never travels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from segfrontier.lab.passes.base import Pass, Picture
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.passes.pictures import Album
from segfrontier.lab.passes.rules import Rule
from segfrontier.lab.passes.scores import Scores, Sums, counted
from segfrontier.lab.passes.tasks import Task
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import decode_map, encode_map
from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.manifest import WorldManifest
from segfrontier.scenes.world import Pool, Truth, World


@dataclass(frozen=True)
class Address:
    """Where a world lies and which classes it speaks here: what may travel to the evaluator's actors in its stead."""

    uri: str
    manifest: WorldManifest
    relabel: tuple[ClassTable, tuple[int, ...]] | None

    @classmethod
    def of(cls, world: World) -> Address:
        """The address of a world."""
        return cls(world.uri, world.manifest, world._relabel)

    def open(self) -> World:
        """The world."""
        return World(self.uri, self.manifest, relabel=self.relabel)


class Scored(NamedTuple):
    """What one scene adds, and its prediction where it is to be shown."""

    scene: str
    sums: Sums
    shown: bytes | None
    instances: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class ScorePass(Pass[Scored]):
    """An image that does not decode is left out; whatever else goes wrong ends the pass."""

    done: ClassVar[str] = "scored"
    forgives: ClassVar[tuple[type[Exception], ...]] = ()

    pool: Pool
    address: Address
    split: str
    rule: Rule
    tasks: tuple[Task, ...]
    pictures: frozenset[str]  # scenes whose predictions are wanted for pictures

    @property
    def images(self) -> Pool:
        """See `Pass.images`."""
        return self.pool

    @property
    def task(self) -> object:
        """See `Pass.task`."""
        return {"rule": self.rule, "tasks": self.tasks}

    def names(self) -> Sequence[str]:
        """See `Pass.names`."""
        return self.pool.scenes()

    @cached_property
    def _truth(self) -> Truth:
        return self.address.open().truth(split=self.split)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {scene: place for place, scene in enumerate(self.pool.scenes())}

    def look(self, models: Predictors, scene: str, image: Picture) -> Scored:
        """See `Pass.look`. The rule has answered before any truth is read."""
        found = self.rule.label(models, image, None)
        sums = counted(self.tasks, self._known(scene), found, self.classes, place=self._places[scene])
        if scene not in self.pictures or found.semantic is None:
            return Scored(scene, sums, None)
        instances = None if found.instance is None else encode_map(found.instance)
        return Scored(scene, sums, encode_map(found.semantic), instances)

    def _known(self, scene: str) -> SceneLabels:
        truth = self._truth
        return SceneLabels(
            size=truth.size(scene), semantic=truth.semantic(scene), instance=truth.instance(scene)
        )  # fmt: skip

    def write(self, out: Path, rows: Iterator[Scored], faults: Sequence[str]) -> None:
        """See `Pass.write`."""
        sums, album, count = Sums.zero(self.tasks, self.classes), Album(self.classes), len(self.pool)
        for row in rows:
            sums = sums + row.sums
            if row.shown is not None:
                instance = None if row.instances is None else decode_map(row.instances).astype(np.uint16)
                found = SceneLabels(size=self.pool.size(row.scene), semantic=decode_map(row.shown), instance=instance)
                album.add(row.scene, self.pool.image(row.scene), self._known(row.scene), found)
        album.write(out / "pictures.png")
        Scores.of(self.tasks, sums, self.classes, scenes=count - len(faults), left_out=faults).write(out)
