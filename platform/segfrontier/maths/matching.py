"""Which predicted segments of an image hit a true one: three named conventions, at many IoU thresholds at once.

Letters: T true segment, P predicted segment, I IoU threshold. A hit has an IoU of more than the threshold with a true
segment of its class; stuff counts as one instance an image.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.overlaps import Overlaps
from segfrontier.maths.ratio import Floats, ratio

Convention = Literal["din", "voc", "cityscapes"]
InVoid = Literal["forgotten", "false"]
"""What `voc` makes of a prediction that lies wholly in void or crowds."""

Matches = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]
"""Hits and false positives by (P, I), and which true segments (T) ask to be found."""

CITYSCAPES_MIN_PIXELS = 100


def match(
    overlaps: Overlaps,
    scores_P: Floats,
    *,
    convention: Convention,
    thresholds: Floats,
    min_pixels: int,
    in_void: InVoid,
) -> Matches:
    """How many hits and how many false positives each prediction is, at each threshold."""
    if convention == "din":
        return _match_din(overlaps, thresholds)
    if convention == "voc":
        return _match_voc(overlaps, scores_P, thresholds, in_void)
    return _match_cityscapes(overlaps, scores_P, thresholds, min_pixels)


def _match_din(overlaps: Overlaps, thresholds_I: Floats) -> Matches:
    """Paper 002's code: void and crowds are cut out of the predictions, the rest of each takes its best IoU.

    Several predictions may hit one true segment, which only thresholds below 0.5 allow. All others are false, even
    those with nothing left.
    """
    best_P = _iou_cut(overlaps).max(axis=0, initial=0.0)
    hits_PI = best_P[:, None] > thresholds_I
    return hits_PI.astype(np.int64), (~hits_PI).astype(np.int64), ~overlaps.crowd_T


def _match_voc(overlaps: Overlaps, scores_P: Floats, thresholds_I: Floats, in_void: InVoid) -> Matches:
    """The same cuts, but in falling order of score each prediction claims the true segment that it overlaps most.

    It is false if that one is taken; a prediction with nothing left is what `in_void` says.
    """
    iou_TP = _iou_cut(overlaps)
    hits_PI = np.zeros((iou_TP.shape[1], len(thresholds_I)), np.int64)
    false_PI = hits_PI.copy()
    taken_TI = np.zeros((iou_TP.shape[0], len(thresholds_I)), bool)
    judged_P = (overlaps.areas_P > overlaps.cut_P) | (in_void == "false")
    for p in np.argsort(-scores_P, kind="stable"):
        if not judged_P[p]:
            continue
        t = int(iou_TP[:, p].argmax()) if len(iou_TP) else None
        free_I = np.zeros(len(thresholds_I), bool) if t is None else (iou_TP[t, p] > thresholds_I) & ~taken_TI[t]
        hits_PI[p], false_PI[p] = free_I, ~free_I
        if t is not None:
            taken_TI[t] |= free_I
    return hits_PI, false_PI, ~overlaps.crowd_T


def _match_cityscapes(overlaps: Overlaps, scores_P: Floats, thresholds_I: Floats, min_pixels: int) -> Matches:
    """Nothing is cut; of the predictions that reach a true segment the best scored is the hit, the others are false.

    An unmatched prediction is forgotten if a larger share of it than the threshold lies in void, in its class's crowd
    or in true segments of its class below `min_pixels`, which themselves need not be found. Below 0.5 a prediction may
    reach two true segments and then counts for each.
    """
    shared_TP, same_TP = overlaps.shared_TP, overlaps.same_class_TP
    counted_T = ~overlaps.crowd_T & (overlaps.truth_areas_T >= min_pixels)
    iou_TP = ratio(shared_TP, overlaps.truth_areas_T[:, None] + overlaps.areas_P - shared_TP)
    rivals_TPI = (iou_TP[:, :, None] > thresholds_I) & (same_TP & counted_T[:, None])[:, :, None]
    rank_P = np.empty(len(scores_P), np.int64)
    rank_P[np.argsort(-scores_P, kind="stable")] = np.arange(len(scores_P))
    ranks_TPI = np.where(rivals_TPI, rank_P[:, None], len(scores_P))
    best_TPI = rivals_TPI & (ranks_TPI == ranks_TPI.min(axis=1, keepdims=True, initial=len(scores_P)))
    ignored_P = overlaps.void_P + (shared_TP * (same_TP & ~counted_T[:, None])).sum(axis=0)
    forgotten_PI = ratio(ignored_P, overlaps.areas_P)[:, None] > thresholds_I
    # One that reaches a crowd or a small segment is forgotten by this too: its share there is at least its IoU.
    lost_PI = ~rivals_TPI.any(axis=0) & ~forgotten_PI
    return best_TPI.sum(axis=0), (rivals_TPI & ~best_TPI).sum(axis=0) + lost_PI, counted_T


def _iou_cut(overlaps: Overlaps) -> NDArray[Any]:
    """IoU by (T, P) without void and crowds; 0 across classes and with crowds."""
    fair_TP = overlaps.same_class_TP & ~overlaps.crowd_T[:, None]
    return np.where(fair_TP, overlaps.iou_without_void(crowd_is_void=True), 0.0)
