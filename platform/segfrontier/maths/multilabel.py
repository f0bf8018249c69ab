"""Multi-label classification of whole images: average precision of each class, and their mean.

Letters: N image, K class. Answers of equal score share one point of the curve, so the result does not depend on the
order of the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.curves import Area, curve_area, precision_recall
from segfrontier.maths.ratio import Floats, known_mean
from segfrontier.maths.tally import JoinedFloats, JoinedInts, Tally


@dataclass(frozen=True, kw_only=True, eq=False)
class TagScores(Tally):
    """Each image's scores and true tags: 1 present, 0 absent, any other value unknown."""

    scores_NK: JoinedFloats
    tags_NK: JoinedInts

    @classmethod
    def zero(cls, *, num_classes: int) -> Self:
        """No image yet."""
        return cls(scores_NK=np.zeros((0, num_classes)), tags_NK=np.zeros((0, num_classes), np.int64))


def tag_scores(scores_NK: NDArray[Any], tags_NK: NDArray[Any]) -> TagScores:
    """The state of some images; a tag that is neither 0 nor 1 (such as 255) leaves its image out for that class."""
    if scores_NK.shape != tags_NK.shape or scores_NK.ndim != 2:
        raise ValueError(
            f"scores and tags must both be images x classes; found {scores_NK.shape} and {tags_NK.shape}; add the axis"
        )
    known_NK = (tags_NK == 0) | (tags_NK == 1)
    if np.isnan(scores_NK[known_NK]).any():
        raise ValueError("scores must be numbers where the tag is known; found NaN; look at the classifier")
    if (tags_NK != np.floor(tags_NK)).any():
        raise ValueError("tags must be 1, 0 or, if unknown, another whole number; found fractions; decide on each")
    return TagScores(scores_NK=scores_NK.astype(np.float64), tags_NK=tags_NK.astype(np.int64))


def average_precision_per_class(state: TagScores, *, area: Area) -> Floats:
    """AP of each class; NaN for a class that no image has.

    `steps` is the usual average precision (of retrieval, scikit-learn), `envelope` VOC's.
    """
    return np.array([_one_class(s, t, area) for s, t in zip(state.scores_NK.T, state.tags_NK.T, strict=True)])


def mean_average_precision(state: TagScores, *, area: Area) -> float:
    """The mean over the classes that some image has."""
    return known_mean(average_precision_per_class(state, area=area))


def _one_class(scores_N: Floats, tags_N: NDArray[np.int64], area: Area) -> float:
    known_N = (tags_N == 0) | (tags_N == 1)
    hits, positives = tags_N[known_N], int((tags_N == 1).sum())
    if not positives:
        return float("nan")
    precision, recall = precision_recall(scores_N[known_N], hits, 1 - hits, positives=positives, join_ties=True)
    return curve_area(precision, recall, area=area)
