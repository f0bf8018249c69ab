"""A world that is not here, imagined from what is published of its data set: for plans, never for training.

It has the data set's scenes in number and size. Every image is the same noise, every map the same stripes; whatever
only the real images can tell (how many boxes, which tags) is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import decode_image, encode_image, encode_map
from segfrontier.scenes.files import digest
from segfrontier.scenes.labels import COLUMN_NAMES, LabelSet
from segfrontier.scenes.manifest import Shard, WorldManifest
from segfrontier.scenes.published import Published
from segfrontier.scenes.world import Pool, Truth, World


class ImaginedPool(Pool):
    """Images of one size that all look the same."""

    def __init__(self, *, world: str, domain: str, split: str, count: int, size: tuple[int, int]) -> None:
        super().__init__(world=world, domain=domain, split=split, files=())
        self._count, self._size = count, size
        self._names = _names(domain, split, count)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.world, self.domain, self.split, self._count, self._size)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, scene: object) -> bool:
        return scene in self._names

    def scenes(self) -> list[str]:
        """See `Pool.scenes`."""
        return list(self._names)

    def size(self, scene: str) -> tuple[int, int]:  # noqa: ARG002
        """See `Pool.size`."""
        return self._size

    def image(self, scene: str) -> NDArray[np.uint8]:  # noqa: ARG002
        """See `Pool.image`; decoded each time, as a real one would be."""
        return decode_image(_picture(self._size))

    def image_digest(self, scene: str) -> str:
        """See `Pool.image_digest`."""
        return digest(f"{self.digest} {scene}".encode())

    @property
    def digest(self) -> str:
        """See `Pool.digest`."""
        return digest(f"imagined {self.world} {self.domain}/{self.split} {self._count} {self._size}".encode())


class ImaginedTruth(Truth):
    """Labels that can be billed for and do not say anything."""

    def __init__(self, pool: ImaginedPool, classes: ClassTable, *, coarse_only: int) -> None:
        super().__init__(
            world=pool.world, domain=pool.domain, split=pool.split, classes=classes, components=False, files=()
        )
        self._pool, self._coarse_only = pool, frozenset(pool.scenes()[len(pool) - coarse_only :])

    def __len__(self) -> int:
        return len(self._pool)

    def scenes(self) -> list[str]:
        """See `Truth.scenes`."""
        return self._pool.scenes()

    def size(self, scene: str) -> tuple[int, int]:
        """See `Truth.size`."""
        return self._pool.size(scene)

    def is_fine(self, scene: str) -> bool:
        """See `Truth.is_fine`."""
        return scene not in self._coarse_only

    def has(self, scene: str, kind: str) -> bool:
        """See `Truth.has`; what there is to box, only images tell."""
        return kind == "coarse" or self.is_fine(scene)

    def semantic(self, scene: str) -> NDArray[np.uint8]:
        """See `Truth.semantic`."""
        return stripes(*self.size(scene), len(self.classes))

    def instance(self, scene: str) -> None:
        """Nothing: which things there are, only images tell."""

    def coarse(self, scene: str) -> NDArray[np.uint8]:
        """See `Truth.coarse`."""
        return self.semantic(scene)

    def write(self, folder: str | Path) -> LabelSet:
        """See `Truth.write`."""
        sizes = dict.fromkeys(self.scenes(), self._pool.size(""))
        return write_alike(folder, kind="fine", classes=self.classes, sizes=sizes, identity=self.digest)

    @property
    def digest(self) -> str:
        """See `Truth.digest`."""
        return digest(f"{self._pool.digest}:{self.classes.digest}".encode())


class ImaginedWorld(World):
    """A data set's scenes, none of which is here."""

    def __init__(self, facts: Published, classes: ClassTable | None = None) -> None:
        self.facts, table = facts, classes or facts.classes
        shards = tuple(
            Shard(name=f"{domain}-{split}", domain=domain, split=split, rows=count, image_bytes=0, image_digest="",
                  truth_bytes=0, truth_digest="")
            for (domain, split), count in facts.scenes.items()
        )  # fmt: skip
        identity = digest(f"imagined {facts.name} {facts.size} {facts.scenes}".encode())
        super().__init__(facts.name, WorldManifest(name=facts.name, classes=table, shards=shards, digest=identity))

    def pool(self, *, domain: str = "target", split: str = "train") -> ImaginedPool:
        """See `World.pool`."""
        count = sum(shard.rows for shard in self._shards(domain, split))
        return ImaginedPool(world=self.name, domain=domain, split=split, count=count, size=self.facts.size)

    def truth(self, *, domain: str = "target", split: str = "train") -> ImaginedTruth:
        """See `World.truth`."""
        coarse_only = self.facts.coarse_only if (domain, split) == ("target", "train") else 0
        return ImaginedTruth(self.pool(domain=domain, split=split), self.classes, coarse_only=coarse_only)

    _unscorable = 0

    def mapped_to(self, classes: ClassTable, names: Mapping[str, str]) -> ImaginedWorld:  # noqa: ARG002
        """See `World.mapped_to`."""
        return ImaginedWorld(self.facts, classes)


def write_alike(
    folder: str | Path, *, kind: str, classes: ClassTable, sizes: Mapping[str, tuple[int, int]], identity: str
) -> LabelSet:
    """A label set for scenes by their sizes, in which all maps of a size are the same stripes, stored once.

    `identity` takes the place of the content's digest: what differs in what it stands for must differ in it.
    """
    content, target = digest(f"{kind} {classes.digest} {identity}".encode()), Path(folder).absolute()
    target.mkdir(parents=True, exist_ok=True)
    path, shapes = target / f"{kind}-{content}.arrow", list(dict.fromkeys(sizes.values()))
    maps = pa.array([striped_map(shape, len(classes)) for shape in shapes], pa.large_binary())
    number = {shape: i for i, shape in enumerate(shapes)}
    which = pa.array([number[shape] for shape in sizes.values()], pa.int32())
    height, width = (pa.array([shape[i] for shape in sizes.values()], pa.int32()) for i in (0, 1))
    nothing = pa.nulls(len(sizes), pa.large_binary())
    columns = [pa.array(list(sizes), pa.string()), height, width, pa.DictionaryArray.from_arrays(which, maps)]
    rows = pa.record_batch([*columns, *[nothing] * (len(COLUMN_NAMES) - 4)], names=COLUMN_NAMES)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_batch(rows)
    return LabelSet(path=str(path), kind=kind, digest=content, count=len(sizes), classes=classes)


@lru_cache(maxsize=8)
def stripes(height: int, width: int, classes: int) -> NDArray[np.uint8]:
    """(H, W) labels that show every class, as far as there is room; not to be written to."""
    row = (np.arange(width) * classes // width).astype(np.uint8)
    labels = np.tile(row, (height, 1))
    labels.flags.writeable = False
    return labels


@lru_cache(maxsize=4096)
def striped_map(size: tuple[int, int], classes: int) -> bytes:
    """`stripes` as a label file holds them."""
    return encode_map(stripes(*size, classes))


@lru_cache(maxsize=8)
def _picture(size: tuple[int, int]) -> bytes:
    """Noise that is smooth enough to pack as a photograph does."""
    rough = np.random.default_rng(0).integers(0, 256, (max(1, size[0] // 8), max(1, size[1] // 8), 3), np.uint8)
    return encode_image(np.asarray(cv2.resize(rough, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8))


@lru_cache(maxsize=16)
def _names(domain: str, split: str, count: int) -> dict[str, None]:
    return dict.fromkeys(f"{domain}/{split}/{number:06d}" for number in range(count))


def _rebuild(world: str, domain: str, split: str, count: int, size: tuple[int, int]) -> ImaginedPool:
    return ImaginedPool(world=world, domain=domain, split=split, count=count, size=size)
