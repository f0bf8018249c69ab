"""Precision-recall curves of scored answers, and the three usual ways to make one number of them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import require_at_least, require_same_length, require_word
from segfrontier.maths.ratio import Floats

Area = Literal["steps", "envelope", "trapezoids"]


def precision_recall(
    scores: Floats,
    hits: NDArray[Any],
    false: NDArray[Any],
    *,
    positives: int,
    join_ties: bool,
    order: NDArray[np.int64] | None = None,
) -> tuple[Floats, Floats]:
    """Precision and recall after each answer in falling order of score; `hits` and `false` count what an answer is.

    Answers of equal score come in the order of `order`, then as given; or, with `join_ties`, they are one point, as
    no threshold can tell them apart.
    """
    require_same_length("scores, hits and false answers", scores, hits, false)
    require_at_least("positives", positives, 1)
    if np.isnan(scores).any() or (hits + false < 1).any():
        raise ValueError("each answer must have a score that is a number, and be a hit or false; leave the others out")
    ties = np.zeros(len(scores), np.int64) if order is None else order
    ranked = np.lexsort((ties, -scores))
    hit_counts, false_counts = np.cumsum(hits[ranked]), np.cumsum(false[ranked])
    if join_ties:
        last_of_tie = np.append(np.diff(scores[ranked]) != 0, True)[: len(scores)]
        hit_counts, false_counts = hit_counts[last_of_tie], false_counts[last_of_tie]
    return hit_counts / (hit_counts + false_counts), hit_counts / positives


def curve_area(precision: Floats, recall: Floats, *, area: Area) -> float:
    """One number for a curve given in rising order of recall; 0 for an empty one.

    `steps` adds up precision x gain in recall: without ties the mean precision at the hits. `envelope` first raises
    each precision to the highest at any greater recall (VOC since 2010). `trapezoids` joins the points by straight
    lines, from the first precision at recall 0 (Cityscapes).
    """
    require_word("area", area, Area)
    require_same_length("precision and recall", precision, recall)
    if not len(precision):
        return 0.0
    gains = np.diff(recall, prepend=0.0)
    if area == "envelope":
        precision = np.maximum.accumulate(precision[::-1])[::-1]
    elif area == "trapezoids":
        precision = (precision + np.append(precision[0], precision[:-1])) / 2
    return float(np.dot(gains, precision))
