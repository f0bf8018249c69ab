"""The official layout of a data set, as data: which files a scene is made of, where they lie, and what they mean.

A template is that of a YAML of own folders (see `folders`): `{id}` and further `{name}`s match one path part each and
make up the scene's id, `*` matches any part of a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segfrontier.scenes.classes import ClassTable


@dataclass(frozen=True, slots=True, eq=False)
class RawTruth:
    """What the label files of a scene hold, in the data set's own ids; None where it has no such labels."""

    semantic: NDArray[Any] | None = None  # (H, W) ids
    instance: NDArray[Any] | None = None  # (H, W) numbers, 0 is none
    coarse: NDArray[Any] | None = None  # (H, W) ids
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFiles:
    """The files of one scene. `labels` are by what they hold; `more` is what a file of many scenes says of this one."""

    id: str
    split: str
    image: Path
    labels: Mapping[str, Path]
    read: Reader
    more: Any = None
    coarse_only: bool = False  # its fine labels are known, but become coarse ones

    @property
    def has_labels(self) -> bool:
        """Whether anything can be bought of it."""
        return bool(self.labels)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.image, *self.labels.values())


Reader = Callable[[SceneFiles], RawTruth]
"""Opens the label files of a scene. A function of a module, so that it travels by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutPart:
    """Some scenes of one split: templates of their images, and of their label files by what these hold.

    A scene has its image and a label file of the kinds in `needs`, one of them at least; the other kinds may be
    missing. `listed` are text files with the names of the part's scenes, `unlisted` such with names that are not in it.
    """

    name: str
    images: str
    labels: Mapping[str, str]
    read: Reader
    needs: tuple[str, ...] = ("semantic",)
    split: str = ""  # in the world; empty: the part's own name
    listed: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()
    more: Callable[[Path], Mapping[str, Any]] | None = None  # reads a file of many scenes: what it says, by scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set: its classes, and the parts that make up a world.

    `layouts` are the forms in which it is handed out, of which one must fit. `beside` are names of files that belong
    to the layout but hold nothing for a world; `withheld` templates of images whose labels nobody is given.
    """

    name: str
    title: str
    classes: ClassTable | Callable[[Path], ClassTable]  # of the root, where the data set brings its own table
    layouts: tuple[tuple[LayoutPart, ...], ...]
    domain: str = "target"
    resize: bool = False  # labels of another size than their image are resized to it, and named
    beside: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    pool: str = ""  # template of images that the data set hands out for training without any labels
    world: str = ""  # the world's name, by which prices are found; empty: the data set's own
    class_sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # fewer classes; the others become void
    fine: Fraction | None = None  # so many training scenes keep their fine labels; of the others there are coarse ones
