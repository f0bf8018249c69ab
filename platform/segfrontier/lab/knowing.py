"""What a part of a stream knows of a scene, set by set."""

from __future__ import annotations

from collections.abc import Mapping

from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.labels import COLUMNS, LabelSet


def sets_of(labels: LabelSet | Mapping[str, LabelSet] | None) -> Mapping[str, LabelSet]:
    """A part's label sets by name; a single one goes by its kind."""
    if labels is None:
        return {}
    return {labels.kind: labels} if isinstance(labels, LabelSet) else labels


def shows_pixels(labels: LabelSet) -> bool:
    """Whether a set says anything of single pixels."""
    return labels.kind not in ("boxes", "tags")


def pixels_in(labels: LabelSet | Mapping[str, LabelSet] | None, scene: str) -> SceneLabels | None:
    """What the plain losses learn from: the first set that speaks of pixels; None where none does."""
    first = next((one for one in sets_of(labels).values() if shows_pixels(one) and scene in one), None)
    return None if first is None else first.labels(scene)


def sparse_in(labels: LabelSet | Mapping[str, LabelSet] | None, scene: str) -> dict[str, SceneLabels]:
    """By name, what is known at coordinates or of the scene as a whole: points, boxes, tags."""
    found = {name: one for name, one in sets_of(labels).items() if one.kind in COLUMNS and scene in one}
    return {name: one.labels(scene) for name, one in found.items()}
