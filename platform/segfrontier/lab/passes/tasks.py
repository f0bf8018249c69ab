"""What an answer is judged for. A task adds up sums that merge, scene by scene, and reads scores off them.

The evaluator's own three, `SEMANTIC`, are the default; a method that finds instances or tags asks for more.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.maths import (
    CITYSCAPES_THRESHOLDS,
    BoundaryCounts,
    Calibration,
    Confusion,
    Convention,
    InstanceHits,
    InVoid,
    PanopticCounts,
    Ranking,
    TagScores,
    boundary_counts,
    boundary_scores,
    calibration_counts,
    confusion_counts,
    expected_calibration_error,
    instance_hits,
    instance_scores,
    mean_average_precision,
    overlap_maps,
    overlap_masks,
    panoptic_counts,
    panoptic_scores,
    semantic_scores,
    tag_scores,
)
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.known import SceneLabels
from segfrontier.store.keys import LATER

ABSENT: Literal["present"] = "present"
"""Headline policy: the mean runs over the classes that truth or prediction show; the metric's name says so."""
_BINS = 15


class Counts(Protocol):
    """Sums that merge, and travel as JSON."""

    def __add__(self, other: Self) -> Self:
        """Both together."""

    def to_plain(self) -> Mapping[str, Any]:
        """JSON form."""


class Task(ABC):
    """One way to judge answers. Subclasses are frozen dataclasses; all fields enter the stage's key."""

    name: ClassVar[str]
    """Of its sums."""

    @abstractmethod
    def zero(self, classes: ClassTable) -> Any:
        """Nothing seen yet."""

    @abstractmethod
    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> Any:
        """What one scene adds; `place` is the scene's in its split, which breaks ties alike however it is cut."""

    @abstractmethod
    def scores(self, sums: Any, classes: ClassTable) -> dict[str, float]:
        """The scores by name."""

    def restored(self, plain: Any, classes: ClassTable) -> Any:
        """The sums that `to_plain` wrote."""
        return type(self.zero(classes)).from_plain(plain)


@dataclass(frozen=True)
class Semantic(Task):
    """Mean IoU and accuracies of the semantic map."""

    name: ClassVar[str] = "confusion"

    def zero(self, classes: ClassTable) -> Confusion:
        """See `Task.zero`."""
        return Confusion.zero(num_classes=len(classes))

    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> Confusion:  # noqa: ARG002
        """See `Task.counts`."""
        return confusion_counts(_semantic(truth, self), _semantic(found, self), num_classes=len(classes))

    def scores(self, sums: Confusion, classes: ClassTable) -> dict[str, float]:  # noqa: ARG002
        """See `Task.scores`."""
        return semantic_scores(sums, absent=ABSENT)


@dataclass(frozen=True)
class Boundary(Task):
    """Boundary IoU of the semantic map."""

    name: ClassVar[str] = "boundary"

    def zero(self, classes: ClassTable) -> BoundaryCounts:
        """See `Task.zero`."""
        return BoundaryCounts.zero(num_classes=len(classes))

    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> BoundaryCounts:  # noqa: ARG002
        """See `Task.counts`."""
        return boundary_counts(_semantic(truth, self), _semantic(found, self), num_classes=len(classes))

    def scores(self, sums: BoundaryCounts, classes: ClassTable) -> dict[str, float]:  # noqa: ARG002
        """See `Task.scores`."""
        return boundary_scores(sums, absent=ABSENT)


@dataclass(frozen=True)
class CalibrationError(Task):
    """How far confidence and accuracy are apart; a rule that knows no confidence has none."""

    name: ClassVar[str] = "calibration"

    def zero(self, classes: ClassTable) -> Calibration:  # noqa: ARG002
        """See `Task.zero`."""
        return Calibration.zero(num_bins=_BINS)

    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> Calibration:  # noqa: ARG002
        """See `Task.counts`."""
        if found.confidence is None:
            return Calibration.zero(num_bins=_BINS)
        sure = np.clip(found.confidence, 0, 1)
        return calibration_counts(sure, _semantic(found, self), _semantic(truth, self), num_bins=_BINS)

    def scores(self, sums: Calibration, classes: ClassTable) -> dict[str, float]:  # noqa: ARG002
        """See `Task.scores`."""
        return {"calibration_error": expected_calibration_error(sums)}


SEMANTIC: tuple[Task, ...] = (Semantic(), Boundary(), CalibrationError())
"""What every model is judged for."""


@dataclass(frozen=True)
class Panoptic(Task):
    """PQ of the semantic map with the instance map; a class that cannot be counted is one segment.

    Counted as panopticapi does: a prediction that lies in void by more than half is left out, not wrong.
    """

    name: ClassVar[str] = "panoptic"

    def zero(self, classes: ClassTable) -> PanopticCounts:
        """See `Task.zero`."""
        return PanopticCounts.zero(num_classes=len(classes))

    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> PanopticCounts:  # noqa: ARG002
        """See `Task.counts`."""
        overlaps = overlap_maps(
            _semantic(truth, self), _instances(truth, self), _semantic(found, self), _instances(found, self),
            things=classes.things,
        )  # fmt: skip
        return panoptic_counts(overlaps, num_classes=len(classes))

    def scores(self, sums: PanopticCounts, classes: ClassTable) -> dict[str, float]:
        """See `Task.scores`."""
        return panoptic_scores(sums, things=classes.things)


@dataclass(frozen=True)
class Instances(Task):
    """AP of detections, over the classes that can be counted.

    With `stuff`, also over those that cannot, one segment each, and over all (names that end in `_stuff` and `_all`).
    """

    name: ClassVar[str] = "instances"

    convention: Convention = "cityscapes"
    thresholds: tuple[float, ...] = CITYSCAPES_THRESHOLDS
    rankings: tuple[Ranking, ...] = field(default=("score",), metadata=LATER)
    stuff: bool = field(default=False, metadata=LATER)
    in_void: InVoid = field(default="forgotten", metadata=LATER)
    """By `voc`, what a detection is that lies wholly in void or crowds: nobody's, or false (`.._void_false`)."""

    def zero(self, classes: ClassTable) -> InstanceHits:
        """See `Task.zero`."""
        return InstanceHits.zero(
            num_classes=len(classes), convention=self.convention, thresholds=self.thresholds, in_void=self.in_void
        )

    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> InstanceHits:
        """See `Task.counts`."""
        if found.detections is None:
            raise BadInput(f"the task {self.name} judges detections; the rule made none. Have it make them.")
        overlaps = overlap_masks(
            _semantic(truth, self), _instances(truth, self), found.detections.mask, found.detections.label,
            things=classes.things,
        )  # fmt: skip
        return instance_hits(
            overlaps, found.detections.score, num_classes=len(classes), convention=self.convention,
            thresholds=self.thresholds, in_void=self.in_void, order=place,
        )  # fmt: skip

    def scores(self, sums: InstanceHits, classes: ClassTable) -> dict[str, float]:
        """See `Task.scores`."""
        groups: dict[str, Sequence[int]] = {"": classes.things}
        if self.stuff:
            groups |= {"_stuff": classes.stuff, "_all": range(len(classes))}
        return {
            f"{name}{group}": value
            for group, chosen in groups.items()
            for ranking in self.rankings
            for name, value in instance_scores(sums, classes=chosen, ranking=ranking).items()
        }


@dataclass(frozen=True)
class MultiLabel(Task):
    """Which classes an image shows: the mean of their average precisions over the data set."""

    name: ClassVar[str] = "tags"

    def zero(self, classes: ClassTable) -> TagScores:
        """See `Task.zero`."""
        return TagScores.zero(num_classes=len(classes))

    def counts(self, truth: SceneLabels, found: SceneLabels, classes: ClassTable, *, place: int) -> TagScores:  # noqa: ARG002
        """See `Task.counts`."""
        if found.tag_scores is None:
            raise BadInput(f"the task {self.name} judges tag_scores; the rule made none. Have it make them.")
        shown = np.bincount(_semantic(truth, self).ravel(), minlength=256)[: len(classes)] > 0
        return tag_scores(found.tag_scores[None], shown[None].astype(np.int64))

    def scores(self, sums: TagScores, classes: ClassTable) -> dict[str, float]:  # noqa: ARG002
        """See `Task.scores`."""
        return {"tag_map": mean_average_precision(sums, area="steps")}


def _semantic(labels: SceneLabels, task: Task) -> NDArray[np.uint8]:
    if labels.semantic is None:
        raise BadInput(f"the task {task.name} judges a semantic map; the rule made none. Have it make one.")
    return labels.semantic


def _instances(labels: SceneLabels, task: Task) -> NDArray[np.uint16]:
    if labels.instance is None:
        raise BadInput(f"the task {task.name} judges an instance map; there is none. Score where there is one.")
    return labels.instance
