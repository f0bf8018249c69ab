"""Folders of images and label files, with a YAML by which `world import` makes the same world of them again.

images/train/…      as they were delivered
labels/train/….png  class numbers as in the YAML, 255 is void; a palette shows them in the classes' colours
instances/train/….png, coarse/train/….png    where the world has them; instances have 16 bits, 0 is none
boxes.json, tags.csv    where the world holds labels that exist already
world.yaml
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segfrontier.errors import BadInput
from segfrontier.scenes.classes import VOID
from segfrontier.scenes.codec import encode_map
from segfrontier.scenes.exporting.content import Content, Contents
from segfrontier.scenes.exporting.existing import ExistingFiles
from segfrontier.scenes.exporting.layouts import put
from segfrontier.scenes.exporting.palette import palette_png
from segfrontier.scenes.exporting.places import SplitFolder, grouped
from segfrontier.scenes.names import shown
from segfrontier.scenes.raw import components
from segfrontier.scenes.world import World

YAML = "world.yaml"
_Written = tuple[str, str, frozenset[str], Content]  # group, image, kinds of labels, and what exists of the scene


class PlainFolders:
    """The form `folders`."""

    left_out = 0

    def __init__(self, world: World, contents: Contents) -> None:
        self._world, self._contents = world, contents
        self._groups = grouped(contents.scenes)
        self._endings: defaultdict[str, set[str]] = defaultdict(set)
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        self._existing = ExistingFiles(contents.existing, world.classes)

    def jobs(self) -> Sequence[Callable[[Path], Any]]:
        """One for each scene."""
        return [partial(self._write, group, scene) for group in self._groups for scene in group.scenes]

    def begin(self, draft: Path) -> None:
        """Folders come with their files."""

    def _write(self, group: SplitFolder, scene: str, draft: Path) -> _Written:
        content = self._contents.read(group.key, scene)
        path, classes = f"{group.name}/{group.file(scene)}", self._world.classes
        put(draft / f"images/{path}.{content.ending}", content.image)
        kinds = set()
        if content.semantic is not None:
            kinds.add("semantic")
            put(draft / f"labels/{path}.png", palette_png(content.semantic, classes))
        if content.coarse is not None:
            kinds.add("coarse")
            put(draft / f"coarse/{path}.png", palette_png(content.coarse, classes))
        if content.instance is not None and not self._found_again(scene, content):
            kinds.add("instances")
            put(draft / f"instances/{path}.png", encode_map(content.instance))
        kept = replace(content, image=b"", semantic=None, instance=None, coarse=None)
        return group.name, f"images/{path}.{content.ending}", frozenset(kinds), kept

    def _found_again(self, scene: str, content: Content) -> bool:
        """Components need no files: importing finds them in the labels."""
        if not self._contents.components:
            return False
        if not np.array_equal(components(content.semantic, self._world.classes), content.instance):  # type: ignore[arg-type]
            raise BadInput(
                f"scene {shown(scene)}: instances of this world must be the connected components of its labels; they "
                f"are not. Export the world in its own classes, or import the data set again."
            )
        return True

    def take(self, result: _Written) -> None:
        """Which files there are."""
        name, image, kinds, content = result
        self._endings[name].add(image.rpartition(".")[2])
        self._kinds[name] |= kinds or {"unlabelled"}
        self._existing.take(image, content)

    def finish(self, draft: Path) -> None:
        """Write the YAML."""
        spec = self._spec() | self._existing.finish(draft)
        text = yaml.safe_dump(spec, allow_unicode=True, sort_keys=False, width=1000)
        head = (
            f"# Written by `segfrontier world export`; `segfrontier world import {YAML} NEW` makes the world again.\n"
        )
        put(draft / YAML, (head + text).encode())

    def _spec(self) -> dict[str, Any]:
        world = self._world
        exact = any("instances" in kinds for kinds in self._kinds.values())
        return {
            "name": world.name,
            "encoding": "ids",
            "splits": {group.name: self._split(group) for group in self._groups},
            "classes": [
                {"name": c.name, "colour": list(c.colour), "ids": [label]} | ({"thing": True} if c.thing else {})
                for label, c in enumerate(world.classes.classes)
            ],
            "void": [VOID],
            "instances": "components" if self._contents.components else "exact" if exact else "none",
        }

    def _split(self, group: SplitFolder) -> dict[str, Any]:
        kinds, endings, (domain, split) = self._kinds[group.name], self._endings[group.name], group.key
        ending = next(iter(endings)) if len(endings) == 1 else "*"
        rows: dict[str, Any] = {"images": f"images/{group.name}/{group.template}.{ending}"}
        for kind, folder in (("semantic", "labels"), ("instances", "instances"), ("coarse", "coarse")):
            if kind in kinds:
                rows[kind] = f"{folder}/{group.name}/{group.template}.png"
        if "unlabelled" in kinds:
            rows["unlabelled"] = True
        return rows | {"domain": domain, "split": split, "prefix": group.prefix}

    def remarks(self) -> Sequence[str]:
        """What the folder is for."""
        return ()
