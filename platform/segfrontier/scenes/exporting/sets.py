"""A label set from its place on disk: the file itself, or the folder of the stage that made it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from segfrontier.errors import BadInput
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.labels import KINDS, LabelSet, labels_digest

_NAME = re.compile(rf"({'|'.join(KINDS)})-([0-9a-f]{{32}})\.arrow")


def open_label_set(place: str | Path, classes: ClassTable) -> LabelSet:
    """The label set in a file, or the only one below a folder, in a world's class table.

    A file is named after its content and its classes, so that one of other classes, or a damaged one, is refused.
    """
    path = _file(Path(place))
    match = _NAME.fullmatch(path.name)
    if match is None or not path.is_file():
        raise BadInput(f"{path}: a label set must be a file KIND-DIGEST.arrow as a stage stores it; it is none.")
    kind, digest = match.groups()
    labels = LabelSet(path=str(path.absolute()), kind=kind, digest=digest, count=0, classes=classes)
    labels = LabelSet(labels.path, kind, digest, len(labels.scenes()), classes)
    if labels_digest(labels) != digest:
        raise BadInput(
            f"{path}: a label set must be whole and of the classes {', '.join(classes.names[:4])}…; its content is not "
            f"what its name says. Name the world that it was made on, or make the labels again."
        )
    return labels


def _file(place: Path) -> Path:
    try:
        if not place.is_dir():
            return place
        found = list(_below(place))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadInput(f"{place}: a label set must lie in a readable place; it does not ({error}).") from None
    if len(found) != 1:
        names = f": {', '.join(p.name for p in found[:3])}" if found else ""
        raise BadInput(f"{place}: must hold one label set, KIND-DIGEST.arrow; found {len(found)}{names}. Name a file.")
    return found[0]


def _below(place: Path) -> Iterator[Path]:
    for folder in (place, *sorted(p for p in place.iterdir() if p.is_dir())):
        yield from sorted(p for p in folder.glob("*.arrow") if _NAME.fullmatch(p.name))
