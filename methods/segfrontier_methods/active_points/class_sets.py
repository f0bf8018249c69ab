"""Scores over fewer classes: what Table 2 reports for SYNTHIA, which hardly shows terrain, trucks and trains."""

from __future__ import annotations

from collections.abc import Sequence

from segfrontier.errors import BadInput
from segfrontier.lab import Lab, Scores
from segfrontier.maths import mean_iou, restrict
from segfrontier_methods.active_points.knobs import ClassSet

_SYNTHIA_13 = (
    "road", "sidewalk", "building", "light", "sign", "vegetation", "sky", "person", "rider", "car", "bus",
    "motorcycle", "bicycle",
)  # fmt: skip
CLASS_SETS: dict[ClassSet, tuple[str, ...]] = {
    "synthia13": _SYNTHIA_13,
    "synthia16": (*_SYNTHIA_13, "wall", "fence", "pole"),
}


def miou_over(scores: Scores, names: Sequence[str], classes: Sequence[str]) -> float:
    """Mean IoU over exactly these classes, as far as they occur; truth of other classes is void."""
    confusion = restrict(scores.sums.confusion, classes=[classes.index(name) for name in names])
    return mean_iou(confusion, absent="present")


def require(sets: Sequence[ClassSet], lab: Lab) -> None:
    """BadInput where the world lacks a class of these sets."""
    for name in sets:
        missing = [c for c in CLASS_SETS[name] if c not in lab.classes.names]
        if missing:
            raise BadInput(
                f"class set {name} needs a world that speaks the Cityscapes classes; {lab.classes.name!r} lacks "
                f"{', '.join(missing)}; leave it out of class_sets"
            )
