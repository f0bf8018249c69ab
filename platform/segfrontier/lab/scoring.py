"""Scoring: the one evaluator. Sums over images that merge; no score is ever an average of scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import StageError
from segfrontier.lab.looking import Looking
from segfrontier.lab.predict import Predictor, as_labels
from segfrontier.maths import (
    BoundaryCounts,
    Calibration,
    Confusion,
    boundary_counts,
    boundary_scores,
    calibration_counts,
    confusion_counts,
    expected_calibration_error,
    iou_per_class,
    semantic_scores,
)
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.world import Pool, Truth

ABSENT: Literal["present"] = "present"
"""Headline policy: the mean runs over the classes that truth or prediction show; the metric's name says so."""


@dataclass(frozen=True)
class Sums:
    """What images add up to."""

    confusion: Confusion
    boundary: BoundaryCounts
    calibration: Calibration

    @classmethod
    def zero(cls, classes: int) -> Sums:
        """Nothing seen yet."""
        return cls(
            Confusion.zero(num_classes=classes), BoundaryCounts.zero(num_classes=classes), Calibration.zero(num_bins=15)
        )

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.confusion + other.confusion, self.boundary + other.boundary, self.calibration + other.calibration
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON form."""
        return {n: getattr(self, n).to_plain() for n in ("confusion", "boundary", "calibration")}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Sums:
        """The sums that `to_plain` wrote."""
        return cls(
            Confusion.from_plain(plain["confusion"]),
            BoundaryCounts.from_plain(plain["boundary"]),
            Calibration.from_plain(plain["calibration"]),
        )


def score_image(
    predictor: Predictor, image: NDArray[np.uint8], truth: NDArray[np.uint8], *, looking: Looking
) -> tuple[Sums, NDArray[np.uint8]]:
    """One image's sums and the prediction, which is made at the truth's own size."""
    confidence, labels = predictor.look(image, looking).confidence()
    if not bool(confidence.isfinite().all()):
        raise StageError(
            "a model's outputs must be finite numbers to be scored; found NaN or infinity: its training has diverged. "
            "Lower the learning rate, raise the batch, or clip gradients (recipe.lr, recipe.batch, recipe.clip)."
        )
    prediction, classes = as_labels(labels), len(predictor.classes)
    sums = Sums(
        confusion_counts(truth, prediction, num_classes=classes),
        boundary_counts(truth, prediction, num_classes=classes),
        calibration_counts(confidence[0].clamp(0, 1).cpu().numpy(), prediction, truth, num_bins=15),
    )
    return sums, prediction


class Seen(NamedTuple):
    """One scene as the evaluator saw it."""

    scene: str
    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    sums: Sums


class Scored(NamedTuple):
    """The outcome for one scene: what the evaluator saw, or why its image could not be seen."""

    row: Seen | None
    fault: str


def score_scene(predictor: Predictor, pool: Pool, truth: Truth, scene: str, *, looking: Looking) -> Scored:
    """Score one scene; an image that does not decode is its fault, all else is an error."""
    try:
        image = pool.image(scene)
    except Undecodable as error:
        return Scored(None, str(error))
    known = truth.semantic(scene)
    sums, prediction = score_image(predictor, image, known, looking=looking)
    return Scored(Seen(scene, image, known, prediction, sums), "")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What one model scores on one split. `values` by metric name; per-class IoU is NaN where a class never occurs."""

    values: dict[str, float]
    iou: dict[str, float]
    scenes: int
    sums: Sums = field(repr=False)
    folder: str = ""  # where pictures lie
    left_out: tuple[str, ...] = ()  # scenes whose image does not decode: in no sum, and not among `scenes`

    @property
    def miou(self) -> float:
        """The headline: mean IoU over the classes present."""
        return self.values[f"miou_{ABSENT}"]

    @classmethod
    def of(
        cls, sums: Sums, classes: ClassTable, *, scenes: int, folder: str = "", left_out: Sequence[str] = ()
    ) -> Scores:
        """Read the scores off the sums."""
        values = semantic_scores(sums.confusion, absent=ABSENT) | boundary_scores(sums.boundary, absent=ABSENT)
        values["calibration_error"] = expected_calibration_error(sums.calibration)
        iou = dict(zip(classes.names, iou_per_class(sums.confusion).tolist(), strict=True))
        return cls(values=values, iou=iou, scenes=scenes, sums=sums, folder=folder, left_out=tuple(left_out))

    def write(self, folder: Path) -> None:
        """Store as JSON."""
        plain = {"values": self.values, "iou": self.iou, "scenes": self.scenes, "sums": self.sums.to_plain()}
        if self.left_out:  # an intact world's file stays what it was
            plain["left_out"] = list(self.left_out)
        (folder / "scores.json").write_text(json.dumps(plain))

    @classmethod
    def read(cls, folder: Path) -> Scores:
        """The scores that `write` stored."""
        plain = json.loads((folder / "scores.json").read_text())
        return cls(
            values=plain["values"], iou=plain["iou"], scenes=plain["scenes"],
            sums=Sums.from_plain(plain["sums"]), folder=str(folder), left_out=tuple(plain.get("left_out", ())),
        )  # fmt: skip


def merged(parts: Sequence[Sums], classes: int) -> Sums:
    """All parts together."""
    return sum(parts, start=Sums.zero(classes))
