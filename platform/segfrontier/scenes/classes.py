"""Class tables: what a label value means, how it is drawn, and which raw ids of a dataset it stands for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes.names import CLASS_NAME, is_class_name, shown

VOID = 255
"""The one value that means "no label" inside the platform, whatever a dataset uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneClass:
    """One class: its name, the colour it is drawn in (RGB), and whether its objects can be counted."""

    name: str
    colour: tuple[int, int, int]
    thing: bool = False
    raw_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassTable:
    """The classes of a world in label order: label value i means `classes[i]`, 255 means void.

    `void_ids` are the raw values that the dataset itself uses for "no label"; any other raw value that no class
    claims is an error at import, never silently void.
    """

    name: str
    classes: tuple[SceneClass, ...]
    void_ids: tuple[int, ...] = (VOID,)

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= VOID:
            raise BadWorld(f"a class table needs 1 to {VOID} classes; {self.name!r} has {len(self.classes)}")
        for entry in self.classes:
            if not is_class_name(entry.name):
                raise BadWorld(f"a class name has {CLASS_NAME}; found {shown(entry.name)}. Rename the class.")
            if len(entry.colour) != 3 or not all(0 <= value <= 255 for value in entry.colour):
                raise BadWorld(
                    f"class {entry.name!r}: a colour is three numbers from 0 to 255; found {shown(entry.colour)}"
                )
        for what, values in (("name", self.names), ("raw id", [i for c in self.classes for i in c.raw_ids])):
            twice = sorted(str(value) for value, count in Counter(values).items() if count > 1)
            if twice:
                more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
                raise BadWorld(
                    f"class table {self.name!r}: each {what} may stand once; twice: {', '.join(twice[:5])}{more}"
                )
        clash = sorted({i for c in self.classes for i in c.raw_ids} & set(self.void_ids))
        if clash:
            raise BadWorld(f"class table {self.name!r}: raw ids {clash} are both a class and void; keep one")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in label order."""
        return tuple(c.name for c in self.classes)

    @property
    def things(self) -> tuple[int, ...]:
        """Labels of the countable classes."""
        return tuple(i for i, c in enumerate(self.classes) if c.thing)

    @property
    def stuff(self) -> tuple[int, ...]:
        """Labels of the uncountable classes."""
        return tuple(i for i, c in enumerate(self.classes) if not c.thing)

    def index(self, name: str) -> int:
        """The label of a class name."""
        if name not in self.names:
            raise BadWorld(f"class table {self.name!r} has no class {name!r}; it has: {', '.join(self.names)}")
        return self.names.index(name)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """(256, 3) RGB colours by label; void and unused values are black."""
        colours = np.zeros((256, 3), np.uint8)
        for label, entry in enumerate(self.classes):
            colours[label] = entry.colour
        return colours

    def to_json(self) -> dict[str, Any]:
        """A plain form that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> ClassTable:
        """The table that `to_json` wrote."""
        classes = tuple(
            SceneClass(
                name=str(c["name"]),
                colour=(int(c["colour"][0]), int(c["colour"][1]), int(c["colour"][2])),
                thing=bool(c["thing"]),
                raw_ids=tuple(int(i) for i in c["raw_ids"]),
            )
            for c in plain["classes"]
        )
        return cls(name=str(plain["name"]), classes=classes, void_ids=tuple(int(i) for i in plain["void_ids"]))

    @property
    def digest(self) -> str:
        """Identity of the label meaning: names and order, not colours or raw ids."""
        return hashlib.blake2b(json.dumps(self.names).encode(), digest_size=16).hexdigest()

    def require_same_labels(self, other: ClassTable, *, what: str) -> None:
        """Raise unless `other` gives every label value the same meaning."""
        if self.names != other.names:
            missing = sorted(set(self.names) ^ set(other.names))
            raise BadWorld(
                f"{what} must have the class table {self.name!r} ({len(self)} classes); found {other.name!r} "
                f"({len(other)} classes; differing: {', '.join(missing) or 'the order'}). Map it first, "
                f"e.g. with World.mapped_to()."
            )


def _classes(rows: Iterable[tuple[str, tuple[int, int, int], bool, tuple[int, ...]]]) -> tuple[SceneClass, ...]:
    return tuple(SceneClass(name=n, colour=c, thing=t, raw_ids=r) for n, c, t, r in rows)


CITYSCAPES = ClassTable(
    name="cityscapes19",
    classes=_classes(
        (
            ("road", (128, 64, 128), False, (7,)),
            ("sidewalk", (244, 35, 232), False, (8,)),
            ("building", (70, 70, 70), False, (11,)),
            ("wall", (102, 102, 156), False, (12,)),
            ("fence", (190, 153, 153), False, (13,)),
            ("pole", (153, 153, 153), False, (17,)),
            ("light", (250, 170, 30), False, (19,)),
            ("sign", (220, 220, 0), False, (20,)),
            ("vegetation", (107, 142, 35), False, (21,)),
            ("terrain", (152, 251, 152), False, (22,)),
            ("sky", (70, 130, 180), False, (23,)),
            ("person", (220, 20, 60), True, (24,)),
            ("rider", (255, 0, 0), True, (25,)),
            ("car", (0, 0, 142), True, (26,)),
            ("truck", (0, 0, 70), True, (27,)),
            ("bus", (0, 60, 100), True, (28,)),
            ("train", (0, 80, 100), True, (31,)),
            ("motorcycle", (0, 0, 230), True, (32,)),
            ("bicycle", (119, 11, 32), True, (33,)),
        )
    ),
    void_ids=(0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255),
)
"""The 19 evaluated Cityscapes classes with their raw ids (GTA5 uses the same ones)."""

CAMVID = ClassTable(
    name="camvid11",
    classes=_classes(
        (
            ("sky", (128, 128, 128), False, (0,)),
            ("building", (128, 0, 0), False, (1,)),
            ("pole", (192, 192, 128), False, (2,)),
            ("road", (128, 64, 128), False, (3,)),
            ("pavement", (60, 40, 222), False, (4,)),
            ("tree", (128, 128, 0), False, (5,)),
            ("sign", (192, 128, 128), False, (6,)),
            ("fence", (64, 64, 128), False, (7,)),
            ("car", (64, 0, 128), True, (8,)),
            ("pedestrian", (64, 64, 0), True, (9,)),
            ("bicyclist", (0, 128, 192), True, (10,)),
        )
    ),
    void_ids=(11, 255),
)
"""CamVid in the SegNet tutorial's encoding: labels 0-10, 11 is void."""

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "flat": ("road", "sidewalk"),
    "construction": ("building", "wall", "fence"),
    "object": ("pole", "light", "sign"),
    "nature": ("vegetation", "terrain"),
    "sky": ("sky",),
    "human": ("person", "rider"),
    "vehicle": ("car", "truck", "bus", "train", "motorcycle", "bicycle"),
}

CITYSCAPES_GROUPS = ClassTable(
    name="groups7",
    classes=tuple(
        SceneClass(name=group, colour=first.colour, thing=first.thing)
        for group, members in _GROUPS.items()
        for first in CITYSCAPES.classes
        if first.name == members[0]
    ),
)
"""Cityscapes' seven categories: at small sizes each has pixels enough to be learned and scored."""

CITYSCAPES_TO_GROUPS: Mapping[str, str] = {name: group for group, members in _GROUPS.items() for name in members}
"""How `street` speaks in groups."""

CITYSCAPES_TO_CAMVID: Mapping[str, str] = {
    "road": "road",
    "sidewalk": "pavement",
    "building": "building",
    "wall": "building",
    "fence": "fence",
    "pole": "pole",
    "light": "sign",
    "sign": "sign",
    "vegetation": "tree",
    "terrain": "tree",
    "sky": "sky",
    "person": "pedestrian",
    "rider": "bicyclist",
    "car": "car",
    "truck": "car",
    "bus": "car",
    "train": "car",
    "motorcycle": "bicyclist",
    "bicycle": "bicyclist",
}
"""How `street` speaks CamVid's classes. CamVid's 11 classes merge 32: walls go to building, trucks and buses to car,
signals to sign, low vegetation to tree, motorcycles to bicyclist; trains, which it never shows, are taken as car."""
