"""What a part of a stream knows of a scene, set by set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.labels import COLUMNS, LabelSet


def sets_of(labels: LabelSet | Mapping[str, LabelSet] | None) -> Mapping[str, LabelSet]:
    """A part's label sets by name; a single one goes by its kind."""
    if labels is None:
        return {}
    return {labels.kind: labels} if isinstance(labels, LabelSet) else labels


def known_in(labels: LabelSet, scene: str) -> SceneLabels:
    """What one set knows of a scene."""
    if labels.kind in COLUMNS:
        values: dict[str, Any] = {labels.kind: labels.values(scene)}
        return SceneLabels(size=labels.size(scene), **values)
    return SceneLabels(size=labels.size(scene), semantic=labels.map(scene), instance=labels.instance(scene))


def shows_pixels(labels: LabelSet) -> bool:
    """Whether a set says anything of single pixels."""
    return labels.kind not in ("boxes", "tags")


def pixels_in(labels: LabelSet | Mapping[str, LabelSet] | None, scene: str) -> SceneLabels | None:
    """What the plain losses learn from: the first set that speaks of pixels; None where none does."""
    first = next((one for one in sets_of(labels).values() if shows_pixels(one) and scene in one), None)
    return None if first is None else known_in(first, scene)


def sparse_in(labels: LabelSet | Mapping[str, LabelSet] | None, scene: str) -> dict[str, SceneLabels]:
    """By name, what is known at coordinates or of the scene as a whole: points, boxes, tags."""
    found = {name: one for name, one in sets_of(labels).items() if one.kind in COLUMNS and scene in one}
    return {name: known_in(one, scene) for name, one in found.items()}
