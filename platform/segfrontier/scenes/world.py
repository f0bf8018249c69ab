"""A world on disk and its two faces: `Pool` (images, for anyone) and `Truth` (labels, for market and evaluator)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NoReturn

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.codec import decode_image, decode_map
from segfrontier.scenes.existing import EXISTING, relabelled, truth_digest, unpacked
from segfrontier.scenes.files import digest, join, read_bytes, resolve
from segfrontier.scenes.labels import LabelRow, LabelSet, write_labels
from segfrontier.scenes.manifest import MANIFEST, Shard, WorldManifest
from segfrontier.scenes.mirror import count_absent, damaged, forget, open_shard, require_shard, scene_ids
from segfrontier.scenes.names import shown

KINDS = ("fine", "coarse", "point", "box", "tag")
"""What an annotator can be asked for."""


@dataclass(frozen=True, slots=True)
class _File:
    """One Parquet file of one side of a world."""

    uri: str
    content: str
    nbytes: int
    rows: int


class _Side:
    """Random access by scene id over the files of one side (images or truth)."""

    def __init__(self, files: Sequence[_File], *, truth: bool) -> None:
        self.files, self._truth = tuple(files), truth

    @cached_property
    def rows(self) -> dict[str, tuple[int, int]]:
        """Scene id -> (file, row), from the id column alone: nothing is unpacked before a scene of it is wanted."""
        rows: dict[str, tuple[int, int]] = {}
        for number, file in enumerate(self.files):
            rows |= {scene: (number, row) for row, scene in enumerate(scene_ids(file.uri, file.rows, file.nbytes))}
        if len(rows) != sum(file.rows for file in self.files):
            raise damaged(self.files[0].uri, "it, or one beside it, holds a scene id that stands elsewhere too")
        return rows

    def cell(self, scene: str, column: str) -> Any:
        """One stored value; binary values come as a buffer on the memory map, not as a copy."""
        if scene not in self.rows:
            raise BadWorld(f"no scene {scene!r} here; there are {len(self.rows)}, e.g. {next(iter(self.rows), None)!r}")
        number, row = self.rows[scene]
        file = self.files[number]
        shard = open_shard(file.uri, file.content, file.nbytes, file.rows, self._truth)
        if column not in shard.schema.names:  # the truth of most worlds has no labels that exist
            return None
        value = shard[column][row]
        return value.as_buffer() if pa.types.is_large_binary(value.type) else value.as_py()

    def decoded(self, scene: str, column: str, decode: Callable[[Any], NDArray[Any]]) -> NDArray[Any]:
        """A stored image or map. Where it does not decode because its mirror was damaged, the mirror is made again."""
        stored = self.cell(scene, column)
        try:
            return decode(stored)
        except BadWorld:
            if self._as_written(scene):
                raise
            forget(self.files[self.rows[scene][0]].content, truth=self._truth)
            return decode(self.cell(scene, column))

    def _as_written(self, scene: str) -> bool:
        if not self._truth:
            return digest(bytes(self.cell(scene, "image"))) == self.cell(scene, "digest")
        maps = [self.cell(scene, part) for part in ("semantic", "instance", "coarse")]
        existing = [self.cell(scene, column) for column in EXISTING.values()]
        return truth_digest(maps, existing) == self.cell(scene, "digest")

    @property
    def digest(self) -> str:
        return digest("".join(f.content for f in self.files).encode())


class Pool:
    """The images of one domain and split. Holds the image files alone: there is no way from here to truth."""

    def __init__(self, *, world: str, domain: str, split: str, files: Sequence[_File]) -> None:
        self.world, self.domain, self.split = world, domain, split
        self._side = _Side(files, truth=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_pool, (self.world, self.domain, self.split, self._side.files)

    def __len__(self) -> int:
        return sum(f.rows for f in self._side.files)

    def __contains__(self, scene: object) -> bool:
        return scene in self._side.rows

    def scenes(self) -> list[str]:
        """Scene ids in the order of the files."""
        return list(self._side.rows)

    def size(self, scene: str) -> tuple[int, int]:
        """(height, width)."""
        return self._side.cell(scene, "height"), self._side.cell(scene, "width")

    def image(self, scene: str) -> NDArray[np.uint8]:
        """(H, W, 3) RGB; `Undecodable` where the stored bytes are none."""
        return self._side.decoded(scene, "image", partial(decode_image, name=scene))

    def encoded(self, scene: str) -> bytes:
        """The image's bytes, as they were delivered."""
        return bytes(self._side.cell(scene, "image"))

    def image_digest(self, scene: str) -> str:
        """Identity of one image's bytes."""
        return str(self._side.cell(scene, "digest"))

    @property
    def digest(self) -> str:
        """Identity of the images' content."""
        return self._side.digest

    @property
    def files(self) -> tuple[str, ...]:
        """The Parquet files, for Ray Data to read: columns as in `manifest.IMAGE_SCHEMA`."""
        return tuple(f.uri for f in self._side.files)


def _rebuild_pool(world: str, domain: str, split: str, files: Sequence[_File]) -> Pool:
    return Pool(world=world, domain=domain, split=split, files=files)


class Truth:
    """What annotators answer from. Refuses to travel: no pickled object can carry it to a training process."""

    def __init__(
        self, *, world: str, domain: str, split: str, classes: ClassTable, components: bool,
        files: Sequence[_File], relabel: Sequence[int] | None = None, stored: ClassTable | None = None,
        stated: Mapping[str, Decimal] | None = None,
    ) -> None:  # fmt: skip
        self.world, self.domain, self.split = world, domain, split
        self.classes, self.components = classes, components
        self._side = _Side(files, truth=True)
        self._relabel = None if relabel is None else np.asarray(relabel, np.uint8)
        self._table = classes if stored is None else stored  # that of what is stored
        self._stored = len(self._table)
        self.stated = dict(stated or {})
        """By kind of act, the seconds that labels took elsewhere which exist already; empty where there are none."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("truth stays where it is: send a LabelSet that was bought, or open the world on the other side")

    def __len__(self) -> int:
        return sum(f.rows for f in self._side.files)

    def scenes(self) -> list[str]:
        """Scene ids in the order of the files."""
        return list(self._side.rows)

    def size(self, scene: str) -> tuple[int, int]:
        """(height, width)."""
        return self._side.cell(scene, "height"), self._side.cell(scene, "width")

    def is_fine(self, scene: str) -> bool:
        """Whether the data set has fine labels of this scene; else it has coarse ones only, or none."""
        return self._side.cell(scene, "semantic") is not None

    def has(self, scene: str, kind: str) -> bool:
        """Whether there is an answer to an act of this kind. Coarse truth answers for coarse masks, fine truth for all.

        Boxes are those of instances, which a world may lack. Boxes and tags may also exist already, without any truth.
        """
        if kind not in KINDS:
            raise ValueError(f"an act is one of {', '.join(KINDS)}; got {kind!r}")
        if kind == "coarse":
            return self.is_fine(scene) or self._side.cell(scene, "coarse") is not None
        if kind in self.stated and self._side.cell(scene, EXISTING[kind]) is not None:
            return True
        return self.is_fine(scene) and (kind != "box" or self._side.cell(scene, "instance") is not None)

    def existing(self, scene: str, kind: str) -> NDArray[np.int32] | None:
        """The boxes or tags of a scene that were made elsewhere, as rows of a label set; None where there are none."""
        data = self._side.cell(scene, EXISTING[kind]) if kind in self.stated else None
        if data is None:
            return None
        rows = unpacked(scene, kind, data, self.size(scene), self._table)
        return rows if self._relabel is None else relabelled(rows, kind, self._relabel, self.classes)

    def semantic(self, scene: str) -> NDArray[np.uint8]:
        """(H, W) labels, 255 is void."""
        if not self.is_fine(scene):
            there = "coarse labels only" if self.has(scene, "coarse") else "no labels"
            raise BadWorld(
                f"scene {scene!r} of {self.world} {self.domain}/{self.split} has {there}; what asks for its "
                f"fine ones needs a world or a split without such scenes"
            )
        return self._labels(scene, "semantic")

    def instance(self, scene: str) -> NDArray[np.uint16] | None:
        """(H, W) instance ids, 0 is none; None where the dataset has no instances."""
        if self._side.cell(scene, "instance") is None:
            return None
        ids = self._map(scene, "instance", (np.uint8, np.uint16)).astype(np.uint16, copy=False)
        if self._relabel is None:
            return ids
        countable = np.isin(self.semantic(scene), self.classes.things)
        return np.where(countable, ids, 0).astype(np.uint16)

    def coarse(self, scene: str) -> NDArray[np.uint8] | None:
        """The dataset's own coarse map, where it has one."""
        return None if self._side.cell(scene, "coarse") is None else self._labels(scene, "coarse")

    def _labels(self, scene: str, column: str) -> NDArray[np.uint8]:
        labels = self._map(scene, column, (np.uint8,))
        return labels if self._relabel is None else self._relabel[labels]

    def _map(self, scene: str, column: str, kinds: Sequence[type]) -> NDArray[Any]:
        """A stored map, held against the rules that `check_scene` holds a new one against."""
        values = self._side.decoded(scene, column, decode_map)
        if values.shape != self.size(scene) or values.dtype not in kinds:
            raise BadWorld(
                f"scene {scene!r} of {self.world}: the {column} map must be {self.size(scene)} like its image, of "
                f"{np.dtype(kinds[-1]).name}; found {values.shape} {values.dtype}. Import the dataset again."
            )
        if column != "instance" and cv2.countNonZero(cv2.inRange(values, self._stored, VOID - 1)):
            strays = sorted(set(np.unique(values).tolist()) - {*range(self._stored), VOID})
            raise BadWorld(
                f"scene {scene!r} of {self.world}: {column} labels must be 0..{self._stored - 1} or {VOID}; found "
                f"{strays[:5]}. Import the dataset again."
            )
        return values

    def write(self, folder: str | Path) -> LabelSet:
        """All of it as one set of fine labels; for synthetic scenes, whose labels are free."""
        rows = (LabelRow(s, *self.size(s), map=self.semantic(s), instance=self.instance(s)) for s in self.scenes())
        return write_labels(folder, kind="fine", classes=self.classes, rows=rows)

    @property
    def digest(self) -> str:
        """Identity of the labels' content, in this class table."""
        return digest(f"{self._side.digest}:{self.classes.digest}".encode())


class World:
    """A named set of scenes with splits and a class table."""

    def __init__(
        self, uri: str, manifest: WorldManifest, *, relabel: tuple[ClassTable, tuple[int, ...]] | None = None
    ) -> None:
        self.uri, self.manifest = uri, manifest
        self._relabel = relabel

    @classmethod
    def open(cls, uri: str | Path) -> World:
        """Open the world in a folder or below a URI."""
        filesystem, path = resolve(uri)
        where = join(path, MANIFEST)
        try:
            data = read_bytes(filesystem, where)
        except FileNotFoundError as error:
            raise BadWorld(
                f"{uri}: a world folder holds a {MANIFEST}; there is none. Import one with `segfrontier world import`, "
                f"or list the built-in ones with `segfrontier world list`."
            ) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise BadWorld(
                f"{shown(str(uri))}: a world folder holds a readable {MANIFEST}; it cannot be read ({error}). Correct "
                f"the path."
            ) from None
        manifest = WorldManifest.from_bytes(data, where=str(where))
        text = str(uri)
        return cls(text if "://" in text else path, manifest)

    def require_files(self) -> None:
        """Raise unless all of its shards are there, in their sizes and with their footers; none is read further."""
        for shard in self.manifest.shards:
            for side, nbytes in (("images", shard.image_bytes), ("truth", shard.truth_bytes)):
                require_shard(join(self.uri, f"{side}/{shard.name}"), nbytes, shard.rows)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a world stays where it is: send a Pool (images) or a LabelSet (bought labels)")

    @property
    def name(self) -> str:
        """The world's name."""
        return self.manifest.name

    @property
    def classes(self) -> ClassTable:
        """The class table that this world speaks."""
        return self._relabel[0] if self._relabel else self.manifest.classes

    @property
    def digest(self) -> str:
        """Identity of all images and labels, in this class table."""
        return digest(f"{self.manifest.digest}:{self.classes.digest}".encode())

    def splits(self) -> dict[tuple[str, str], int]:
        """Number of scenes by (domain, split)."""
        counts: dict[tuple[str, str], int] = {}
        for shard in self.manifest.shards:
            key = (shard.domain, shard.split)
            counts[key] = counts.get(key, 0) + shard.rows
        return counts

    def pool(self, *, domain: str = "target", split: str = "train") -> Pool:
        """The images of one domain and split."""
        shards = self._shards(domain, split)
        files = [_File(join(self.uri, f"images/{s.name}"), s.image_digest, s.image_bytes, s.rows) for s in shards]
        return Pool(world=self.name, domain=domain, split=split, files=files)

    def truth(self, *, domain: str = "target", split: str = "train") -> Truth:
        """The labels of one domain and split."""
        shards = self._shards(domain, split)
        return Truth(
            world=self.name,
            domain=domain,
            split=split,
            classes=self.classes,
            components=self.manifest.components,
            files=[_File(join(self.uri, f"truth/{s.name}"), s.truth_digest, s.truth_bytes, s.rows) for s in shards],
            relabel=self._relabel[1] if self._relabel else None,
            stored=self.manifest.classes,
            stated=self.manifest.existing,
        )

    def require_target(self) -> None:
        """Raise unless a study can be made on this world: there must be scenes to buy labels of, and to score on."""
        have = self.splits()
        if missing := [split for split in ("train", "val") if ("target", split) not in have]:
            told = ", ".join(f"{domain}/{split} ({count})" for (domain, split), count in have.items())
            advice = "Give another world as target, and this one as source."
            if missing == ["val"]:
                advice = "Write `val: 20 %` into the YAML that describes its folders and import it anew: that share of "
                advice += "the training scenes is split off, drawn by name."
            raise BadWorld(
                f"world {self.name!r} must have scenes in target/train to buy labels of and in target/val to score on; "
                f"it has: {told}. {advice}"
            )
        if self._unscorable:
            raise BadWorld(
                f"world {self.name!r} must have fine labels of every scene in target/val, to score on; "
                f"{self._unscorable} of {have['target', 'val']} have coarse ones only. Import it anew with these in "
                f"train (`split: train` in the YAML of its folders)."
            )

    @cached_property
    def _unscorable(self) -> int:
        """How many validation scenes have no fine labels: their scores would fail when all is trained."""
        shards = self._shards("target", "val")
        return sum(count_absent(join(self.uri, f"truth/{shard.name}"), "semantic") for shard in shards)

    def mapped_to(self, classes: ClassTable, names: Mapping[str, str]) -> World:
        """The same scenes in another class table; `names` maps each class here to one there (absent: void)."""
        unknown = sorted(set(names) - set(self.classes.names))
        if unknown:
            raise BadWorld(f"the map names classes that {self.name!r} does not have: {', '.join(unknown)}")
        table = np.full(256, VOID, np.uint8)
        for name, other in names.items():
            table[self.classes.index(name)] = classes.index(other)
        before = np.asarray(self._relabel[1], np.uint8) if self._relabel else np.arange(256, dtype=np.uint8)
        return World(self.uri, self.manifest, relabel=(classes, tuple(int(v) for v in table[before])))

    def _shards(self, domain: str, split: str) -> list[Shard]:
        shards = [s for s in self.manifest.shards if (s.domain, s.split) == (domain, split)]
        if not shards:
            have = ", ".join(f"{d}/{s} ({n})" for (d, s), n in self.splits().items())
            raise BadWorld(f"world {self.name!r} has no scenes in {domain}/{split}; it has: {have}")
        return shards
