"""Where scenes lie in an export: their ids become paths of files, and no id leads out of the folder."""

from __future__ import annotations

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from segfrontier.errors import BadInput
from segfrontier.scenes.exporting.content import Key
from segfrontier.scenes.names import shown

_LONGEST = 255 - len(".webp")  # bytes of a file's name


@dataclass(frozen=True, slots=True)
class SplitFolder:
    """Scenes of one split whose ids have as many parts: one split of the YAML, and one folder of each kind."""

    name: str
    key: Key
    prefix: str  # what all ids begin with, and the files' names leave out
    template: str  # `{dir1}/{dir2}/{id}`
    scenes: tuple[str, ...]

    def file(self, scene: str) -> str:
        """The scene's path below the folder, without its ending."""
        return scene[len(self.prefix) :]


def grouped(scenes: Mapping[Key, Sequence[str]]) -> list[SplitFolder]:
    """All scenes in groups whose names differ."""
    splits = [split for _, split in scenes]
    groups = []
    for (domain, split), ids in scenes.items():
        by_depth: defaultdict[int, list[str]] = defaultdict(list)
        for scene in ids:
            require_path(scene)
            by_depth[scene.count("/")].append(scene)
        name = split if splits.count(split) == 1 else f"{domain}-{split}"
        for number, (_, alike) in enumerate(sorted(by_depth.items()), start=1):
            groups.append(_group(name if number == 1 else f"{name}-{number}", (domain, split), alike))
    taken: set[str] = set()
    for i, group in enumerate(groups):
        names = itertools.chain([group.name], (f"{group.name}_{number}" for number in itertools.count(2)))
        name = next(name for name in names if name.casefold() not in taken)
        taken.add(name.casefold())
        groups[i] = replace(group, name=name)
    return groups


def _group(name: str, key: Key, scenes: Sequence[str]) -> SplitFolder:
    prefix = _shared(scenes)
    deep = scenes[0][len(prefix) :].count("/")
    digits = len(str(deep))
    parts = [f"{{dir{number:0{digits}}}}" for number in range(1, deep + 1)]
    return SplitFolder(name, key, prefix, "/".join([*parts, "{id}"]), tuple(scenes))


def _shared(scenes: Sequence[str]) -> str:
    """The folders that all ids begin with, and a `/`."""
    folders = [scene.split("/")[:-1] for scene in scenes]
    same = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    return "".join(f"{level[0]}/" for level in same)


def require_path(scene: str) -> None:
    """Raise unless an id can be the path of a file below a folder, and is read back as it was written."""
    parts = scene.split("/")
    fits = all(part not in ("", ".", "..") and len(part.encode()) <= _LONGEST for part in parts)
    if not fits or not scene.isprintable() or unicodedata.normalize("NFC", scene) != scene:
        raise BadInput(
            f"a scene's id must be usable as the path of a file, with composed letters; found {shown(scene)}. Import "
            f"the data set again under other names."
        )


def flat_names(scenes: Sequence[str]) -> list[str]:
    """One file's name for each scene, without folders: what all ids begin with is left out.

    Where that gives a name twice, or one that is too long, scenes are numbered.
    """
    for scene in scenes:
        require_path(scene)
    start = len(_shared(scenes))
    names = [scene[start:].replace("/", "_") for scene in scenes]
    if len({name.casefold() for name in names}) == len(names) and all(len(n.encode()) <= _LONGEST for n in names):
        return names
    return [f"{number:012d}" for number in range(1, len(scenes) + 1)]
