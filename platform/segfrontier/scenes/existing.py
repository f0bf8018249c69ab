"""Labels that exist: boxes and image tags that were made elsewhere, as a world keeps them beside its truth.

Rows are those of a bought label set: boxes (x0, y0, x1, y1, label, group), tags (crop, label) of the one crop that is
the image. What each took elsewhere is stated in the manifest, by kind of act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.files import digest
from segfrontier.scenes.labels import COLUMNS

EXISTING: Mapping[str, str] = {"box": "boxes", "tag": "tags"}
"""Kind of act -> the column of such labels."""


def packed(scene: str, kind: str, rows: NDArray[np.int32], size: tuple[int, int], classes: ClassTable) -> bytes:
    """Rows as a world stores them, if they keep the rules."""
    if wrong := _wrong(kind, rows, size, classes):
        raise BadWorld(
            f"scene {scene!r}: {EXISTING[kind]} that exist must {wrong}. Correct the file that they are from."
        )
    return np.ascontiguousarray(rows, "<i4").tobytes()


def unpacked(scene: str, kind: str, data: Any, size: tuple[int, int], classes: ClassTable) -> NDArray[np.int32]:
    """The rows that a world stores, held against the same rules."""
    width = len(COLUMNS[EXISTING[kind]])
    if len(data) % (4 * width):
        raise BadWorld(
            f"scene {scene!r}: {EXISTING[kind]} must have rows of {width} numbers. Import the dataset again."
        )
    rows = np.frombuffer(data, "<i4").reshape(-1, width).astype(np.int32)
    if wrong := _wrong(kind, rows, size, classes):
        raise BadWorld(f"scene {scene!r}: {EXISTING[kind]} that exist must {wrong}. Import the dataset again.")
    return rows


def truth_digest(maps: Sequence[Any], existing: Sequence[Any]) -> str:
    """Identity of all that a scene's row holds; where no labels exist, of its maps alone, as ever."""
    parts = [*maps, *existing] if any(part is not None for part in existing) else maps
    return digest(b"\0".join(bytes(part or b"") for part in parts))


def relabelled(rows: NDArray[np.int32], kind: str, table: NDArray[np.uint8], classes: ClassTable) -> NDArray[np.int32]:
    """The rows in another class table, without those of classes that it lacks, or does not count."""
    column = COLUMNS[EXISTING[kind]].index("label")
    rows = rows.copy()
    rows[:, column] = table[rows[:, column]]
    kept = classes.things if kind == "box" else range(len(classes))
    return rows[np.isin(rows[:, column], list(kept))]


def _wrong(kind: str, rows: NDArray[np.int32], size: tuple[int, int], classes: ClassTable) -> str:
    """What rows must do, and do not."""
    columns = COLUMNS[EXISTING[kind]]
    if rows.ndim != 2 or rows.shape[1] != len(columns) or rows.dtype != np.int32:
        return f"have the columns {', '.join(columns)}; found {rows.shape} {rows.dtype}"
    labels = rows[:, columns.index("label")]
    known = classes.things if kind == "box" else range(len(classes))
    if strays := sorted(set(labels.tolist()) - set(known)):
        return f"be of {'countable ' if kind == 'box' else ''}classes of the world; found the labels {strays[:5]}"
    if kind == "tag":
        return "be of the whole image, each once" if rows[:, 0].any() or len(set(labels.tolist())) < len(rows) else ""
    x0, y0, x1, y1, _, group = rows.T
    inside = (x0 >= 0) & (x0 < x1) & (x1 <= size[1]) & (y0 >= 0) & (y0 < y1) & (y1 <= size[0])
    if not inside.all():
        return f"lie in the image of {size[1]} x {size[0]}; found {rows[~inside][0, :4].tolist()}"
    return "" if np.isin(group, (0, 1)).all() else "be of an object (group 0) or of a crowd (1)"
