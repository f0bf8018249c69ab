"""Streams of training samples: which scene stands at which place of which step, for any number of workers.

A stream is an endless sequence of slots. Slot j of a stream is a pure function of (seed, stream name, j), so a run
continues from its step number alone, and the global batch of a step is the same whoever loads which part of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.lab.augment import Augment
from segfrontier.lab.measures import Measures
from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.labels import COLUMNS, LabelSet
from segfrontier.scenes.world import Pool

_TRIES = 10  # epochs in which a scene is looked for that can be shown
_NO_PIXELS = ("boxes", "tags")  # kinds that say nothing of single pixels


Known = SceneLabels | Mapping[str, SceneLabels] | None
"""What a part's labels say of a scene: of a single set, of several by their names, or of none."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Images with the labels known of them: one set, or several by name such as {"boxes": ..., "seeds": ...}.

    Without labels all pixels are void.
    """

    images: Pool
    labels: LabelSet | Mapping[str, LabelSet] | None = None
    measures: Measures | None = None  # numbers that were measured of these images, for rules that go by them
    scenes: tuple[str, ...] | None = None  # default: the labelled scenes (of any set), or all of the pool

    def names(self) -> tuple[str, ...]:
        """The scenes of this part, in a fixed order."""
        if self.scenes is not None:
            return self.scenes
        if self.labels is None:
            return tuple(self.images.scenes())
        return tuple(dict.fromkeys(chain.from_iterable(labels.scenes() for labels in self.sets().values())))

    def sets(self) -> Mapping[str, LabelSet]:
        """The label sets by name; a single one has the empty name."""
        if isinstance(self.labels, LabelSet):
            return {"": self.labels}
        return self.labels or {}

    def known(self, scene: str) -> Known:
        """What is known of a scene. Of several sets, one that lacks the scene knows nothing of it."""
        if self.labels is None:
            return None
        if isinstance(self.labels, LabelSet):
            return self.labels.labels(scene)
        nothing = SceneLabels(size=self.images.size(scene))
        return {name: one.labels(scene) if scene in one else nothing for name, one in self.labels.items()}

    def pixels(self, scene: str) -> SceneLabels | None:
        """What the plain losses learn from: labels of single pixels, points at their coordinates.

        Of several sets the first that knows a pixel has it; None where none speaks of pixels.
        """
        found = [one.labels(scene) for one in self.sets().values() if one.kind not in _NO_PIXELS and scene in one]
        return reduce(SceneLabels.over, found) if found else None

    def sparse(self, scene: str) -> dict[str, SceneLabels]:
        """By name, what is known at coordinates or of the scene as a whole: points, boxes, tags, detections."""
        here = {name or one.kind: one for name, one in self.sets().items() if scene in one}
        found = {name: one.labels(scene) for name, one in here.items() if one.kind in COLUMNS}
        for name, one in here.items():
            if one.kind == "pseudo" and (detections := one.detections(scene)) is not None:
                found[name] = SceneLabels(size=one.size(scene), detections=detections)
        return found


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Samples for one role in a step (e.g. `labelled`, `synthetic`).

    Several parts are mixed slot by slot in the given `shares` (default: by their sizes). `balance="class"` draws a
    class first, then a scene that shows it; `balance="scene"` goes through all scenes once an epoch, each time in a new
    order. `views` shows each sample in further ways, e.g. `{"strong": Augment(colour=0.5, blur=2.0)}` beside a weak
    `augment`: resized, cropped and flipped as the sample is, so that pixels correspond, and then in its own colours
    instead. A view that itself resizes, scales, crops or flips is cut from the image anew.
    """

    parts: tuple[Part, ...]
    batch: int
    augment: Augment = field(default_factory=Augment)
    shares: tuple[float, ...] | None = None
    balance: Literal["scene", "class"] = "scene"
    views: Mapping[str, Augment] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise BadInput(f"a stream's batch is at least 1; found {self.batch}")
        sizes = [len(p.names()) for p in self.parts]
        if not self.parts or not all(sizes):
            raise BadInput(
                f"every part of a stream needs at least one scene; found parts of {sizes} scenes. Buy labels first, or "
                f"leave the empty part out."
            )
        if self.shares is not None and (
            len(self.shares) != len(self.parts) or min(self.shares) < 0 or not sum(self.shares) > 0
        ):
            raise BadInput(f"shares are one non-negative number a part ({len(self.parts)}); found {self.shares}")

    @property
    def scenes(self) -> int:
        """Scenes in all parts together: one epoch."""
        return sum(len(p.names()) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of one step: which scene of which part, and which of its appearances (`epoch`) this is.

    `number` is its place in the endless sequence.
    """

    stream: str
    part: int
    scene: str
    epoch: int
    number: int


class Deck:
    """Deals the slots of one stream."""

    def __init__(self, name: str, stream: Stream, *, seed: int) -> None:
        self.name, self.stream = name, stream
        self._seed = stable_seed(seed, name)
        self._names = [p.names() for p in stream.parts]
        self._table = self._flat() if stream.shares is None else None
        self._shown = class_table(stream.parts) if stream.balance == "class" else None

    def slot(self, number: int) -> Slot:
        """The slot at a place of the endless sequence."""
        if self._shown is not None:
            return self._balanced(number)
        if self._table is not None:
            epoch, at = divmod(number, len(self._table))
            part, scene = self._table[_shuffle(self._seed, epoch, len(self._table))[at]]
            return Slot(self.name, part, scene, epoch, number)
        assert self.stream.shares is not None
        part, count = _share_out(self.stream.shares, number)
        names = self._names[part]
        epoch, at = divmod(count, len(names))
        scene = names[_shuffle(stable_seed(self._seed, part), epoch, len(names))[at]]
        return Slot(self.name, part, scene, epoch, number)

    def instead_of(self, bad: Slot) -> Iterator[Slot]:
        """Who may take the place of a scene that cannot be shown: the next in the order, the same for every worker."""
        for number in range(bad.number + 1, bad.number + 1 + _TRIES * self.stream.scenes):
            slot = self.slot(number)
            if slot.scene != bad.scene:
                yield slot

    def share_of(self, step: int, *, rank: int, world: int) -> list[Slot]:
        """What one of `world` workers loads of a step's global batch."""
        size = self.stream.batch // world
        first = step * self.stream.batch + rank * size
        return [self.slot(first + i) for i in range(size)]

    def _flat(self) -> list[tuple[int, str]]:
        return [(p, s) for p, names in enumerate(self._names) for s in names]

    def _balanced(self, number: int) -> Slot:
        assert self._shown is not None
        rng = np.random.default_rng((self._seed, number))
        scenes = self._shown[int(rng.integers(len(self._shown)))]
        part, at = scenes[int(rng.integers(len(scenes)))]
        return Slot(self.name, part, self._names[part][at], number, number)


def stable_seed(*parts: object) -> int:
    """A 63-bit seed from anything printable; the same on every machine."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "little") >> 1


@lru_cache(maxsize=16)
def _shuffle(seed: int, epoch: int, size: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(size)


@lru_cache(maxsize=64)
def _rounds(shares: tuple[float, ...]) -> tuple[tuple[int, ...], int]:
    """A repeating pattern of parts that holds the shares to 1/1000 and spreads them evenly (largest deficit first)."""
    weights = np.asarray(shares) / sum(shares)
    length = next(
        n for n in range(1, 1001) if n == 1000 or np.abs(weights * n - np.round(weights * n)).max() < 1e-9 * n + 1e-12
    )
    dealt = np.zeros(len(weights))
    pattern = []
    for n in range(1, length + 1):
        part = int(np.argmax(weights * n - dealt))
        dealt[part] += 1
        pattern.append(part)
    return tuple(pattern), length


def _share_out(shares: tuple[float, ...], number: int) -> tuple[int, int]:
    """Which part slot `number` belongs to, and how many slots of that part came before it."""
    pattern, length = _rounds(shares)
    turn, at = divmod(number, length)
    part = pattern[at]
    return part, turn * pattern.count(part) + pattern[:at].count(part)


def class_table(parts: Sequence[Part]) -> list[list[tuple[int, int]]]:
    """For each class that any label shows: the (part, place) of the scenes that show it."""
    shown: dict[int, list[tuple[int, int]]] = {}
    for p, part in enumerate(parts):
        if part.labels is None:
            raise BadInput(
                "a class-balanced stream needs labels in every part; use balance='scene' for unlabelled images"
            )
        for at, scene in enumerate(part.names()):
            known = part.pixels(scene)
            for label in [] if known is None else np.unique(known.map()).tolist():
                if label < 255:
                    shown.setdefault(label, []).append((p, at))
    if not shown:
        raise BadInput("a class-balanced stream needs at least one labelled pixel; all of its labels are void")
    return [shown[label] for label in sorted(shown)]
