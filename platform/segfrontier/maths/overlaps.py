"""How the segments of a truth and of a prediction overlap in one image: what PQ and AP are computed from.

Letters: T true segment, P predicted segment, H W image size. A stuff class is one segment, whatever the instance map
says there. A thing pixel with instance 0 belongs, in the truth, to the class's crowd (a group that nobody took apart),
and in a prediction to no segment.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import class_indices, require_integers, require_same_shape
from segfrontier.maths.labels import BYTE_VOID, Labels, as_bytes
from segfrontier.maths.ratio import Floats, ratio

Keys = NDArray[np.uint32]
"""A segment as one number: its class in the highest byte, its instance below."""

_INSTANCES = 1 << 24
_NONE = BYTE_VOID * _INSTANCES


@dataclass(frozen=True, kw_only=True, eq=False)
class Overlaps:
    """Pixel counts of one image's segments, and of where they meet."""

    shared_TP: NDArray[np.int64]
    truth_labels_T: NDArray[np.int64]
    truth_areas_T: NDArray[np.int64]
    crowd_T: NDArray[np.bool_]
    labels_P: NDArray[np.int64]
    instances_P: NDArray[np.int64]
    areas_P: NDArray[np.int64]
    void_P: NDArray[np.int64]

    @property
    def same_class_TP(self) -> NDArray[np.bool_]:
        """Whether two segments are of one class."""
        return self.truth_labels_T[:, None] == self.labels_P[None, :]

    @property
    def cut_P(self) -> NDArray[np.int64]:
        """Pixels of each prediction in void or in any crowd."""
        return self.void_P + self.shared_TP[self.crowd_T].sum(axis=0)

    def iou_without_void(self, *, crowd_is_void: bool) -> Floats:
        """IoU by (truth, prediction), with void, and crowds if told so, cut out of the predictions."""
        cut_P = self.cut_P if crowd_is_void else self.void_P
        return ratio(self.shared_TP, self.truth_areas_T[:, None] + (self.areas_P - cut_P)[None, :] - self.shared_TP)

    def require_labels_below(self, num_classes: int) -> None:
        """Raise if a segment's label is not a class."""
        highest = max(self.labels_P.max(initial=-1), self.truth_labels_T.max(initial=-1))
        if highest >= num_classes:
            raise ValueError(f"labels must be below {num_classes} or void; found {highest}; map the labels first")


def overlap_maps(
    truth_HW: Labels,
    truth_instance_HW: Labels,
    prediction_HW: Labels,
    instance_HW: Labels,
    *,
    things: Collection[int],
    void: int = 255,
) -> Overlaps:
    """The overlaps of two panoptic maps, each a class map and an instance map.

    Predicted segments are ordered by class, then by instance; `labels_P` and `instances_P` name them (stuff has
    instance 0).
    """
    things = class_indices("things", things, BYTE_VOID)
    for map_HW in (truth_instance_HW, prediction_HW, instance_HW):
        require_same_shape(truth_HW, map_HW)
    truth_keys, keys, pixels = _count_pairs(truth_HW, truth_instance_HW, prediction_HW, instance_HW, void=void)
    keys = _join_stuff(keys, things)
    keys[np.isin(keys, _crowds(things))] = _NONE
    segments, by_prediction = _group(keys, pixels.T)
    truth_segments, table = _group(_join_stuff(truth_keys, things), by_prediction.T)
    return _overlaps(
        truth_segments,
        table,
        truth_areas_T=table[:-1].sum(axis=1),
        labels_P=segments // _INSTANCES,
        instances_P=segments % _INSTANCES,
        things=things,
    )


def overlap_masks(
    truth_HW: Labels,
    truth_instance_HW: Labels,
    masks_PHW: Sequence[NDArray[np.bool_]] | NDArray[np.bool_],
    labels_P: Sequence[int] | NDArray[np.integer[Any]],
    *,
    things: Collection[int],
    void: int = 255,
) -> Overlaps:
    """The overlaps of a panoptic truth with predicted masks, which may lie over one another.

    Predicted segments keep the order of the masks; `instances_P` counts them from 1.
    """
    things = class_indices("things", things, BYTE_VOID)
    if len(masks_PHW) != len(labels_P):
        raise ValueError(
            f"each mask needs one label; found {len(masks_PHW)} masks and {len(labels_P)} labels; pair them"
        )
    labels = np.asarray(labels_P) if len(labels_P) else np.zeros(0, np.int64)
    require_integers("labels", labels)
    if ((labels < 0) | (labels >= BYTE_VOID)).any():
        raise ValueError(f"labels of masks must be classes, 0 to {BYTE_VOID - 1}; found {labels}; leave out the others")
    require_same_shape(truth_HW, truth_instance_HW)
    truth_keys, which = _distinct(_keys(truth_HW, truth_instance_HW, void=void).ravel())
    columns = []
    for mask_HW in masks_PHW:
        mask = np.asarray(mask_HW)
        require_same_shape(truth_HW, mask)
        if mask.dtype != bool:
            require_integers("masks", mask)
        columns.append(np.bincount(which[mask.astype(bool).ravel()], minlength=len(truth_keys)))
    # Masks may share pixels, so the areas of the truth need a column of their own: the whole image.
    columns.append(np.bincount(which, minlength=len(truth_keys)))
    truth_segments, table = _group(_join_stuff(truth_keys, things), np.stack(columns, axis=1))
    return _overlaps(
        truth_segments,
        table,
        truth_areas_T=table[:-1, -1],
        labels_P=labels,
        instances_P=np.arange(1, len(masks_PHW) + 1),
        things=things,
    )


def _keys(labels: Labels, instances: Labels, *, void: int) -> Keys:
    require_integers("instances", instances)
    if instances.size and not 0 <= instances.min() <= instances.max() < _INSTANCES:
        raise ValueError(
            f"instances must be 0 to {_INSTANCES - 1}; found {instances.min()} to {instances.max()}; number them from 1"
        )
    return as_bytes(labels, void=void) * np.uint32(_INSTANCES) + instances.astype(np.uint32)


def _count_pairs(*maps_HW: Labels, void: int) -> tuple[Keys, Keys, NDArray[np.int64]]:
    """The distinct keys of the truth and of the prediction, and how often each pair of them meets.

    Neighbours are mostly alike, so runs of equal pixels are counted, and only their last pixels looked at.
    """
    maps = [map_HW.ravel() for map_HW in maps_HW]
    last = np.ones(maps[0].size, bool)
    last[:-1] = False
    for values in maps:
        last[:-1] |= values[1:] != values[:-1]
    ends = np.flatnonzero(last)
    rows, row = _distinct(_keys(maps[0][ends], maps[1][ends], void=void))
    columns, column = _distinct(_keys(maps[2][ends], maps[3][ends], void=void))
    pixels = np.bincount(
        row * len(columns) + column, weights=np.diff(ends, prepend=-1), minlength=len(rows) * len(columns)
    )
    return rows, columns, pixels.astype(np.int64).reshape(len(rows), len(columns))


def _distinct(keys: Keys) -> tuple[Keys, NDArray[np.int64]]:
    """The distinct keys in rising order, and each key's place among them: `np.unique` without its sort."""
    instances, which = _distinct_small(keys % np.uint32(_INSTANCES))
    codes, place = _distinct_small(keys // np.uint32(_INSTANCES) * np.int64(len(instances)) + which)
    labels, instance = np.divmod(codes, max(len(instances), 1))
    return (labels * _INSTANCES + instances[instance]).astype(np.uint32), place


def _distinct_small(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    seen = np.zeros(int(values.max(initial=0)) + 1, bool)
    seen[values] = True
    distinct = np.flatnonzero(seen)
    place = np.empty(len(seen), np.int64)
    place[distinct] = np.arange(len(distinct))
    return distinct, place[values]


def _join_stuff(keys: Keys, things: Collection[int]) -> Keys:
    """The keys with the instance taken away from every class that is no thing (void among them)."""
    is_thing = np.zeros(256, bool)
    is_thing[list(things)] = True
    labels = keys // np.uint32(_INSTANCES)
    return np.where(is_thing[labels], keys, labels * np.uint32(_INSTANCES))


def _crowds(things: Collection[int]) -> Keys:
    return np.array([label * _INSTANCES for label in things], np.uint32)


def _group(keys: Keys, table: NDArray[np.int64]) -> tuple[Keys, NDArray[np.int64]]:
    """The segments among the keys, and the table with one row for each of them and a last one for all the rest."""
    segments = np.unique(keys[keys != _NONE])
    grouped = np.zeros((len(segments) + 1, table.shape[1]), np.int64)
    # The key of no segment is the highest of all, so the search puts it behind the last segment.
    np.add.at(grouped, np.searchsorted(segments, keys), table)
    return segments, grouped


def _overlaps(
    truth_segments: Keys,
    table: NDArray[np.int64],
    *,
    truth_areas_T: NDArray[np.int64],
    labels_P: NDArray[np.integer[Any]],
    instances_P: NDArray[np.integer[Any]],
    things: Collection[int],
) -> Overlaps:
    return Overlaps(
        shared_TP=table[:-1, :-1],
        truth_labels_T=(truth_segments // _INSTANCES).astype(np.int64),
        truth_areas_T=truth_areas_T,
        crowd_T=np.isin(truth_segments, _crowds(things)),
        labels_P=labels_P.astype(np.int64),
        instances_P=instances_P.astype(np.int64),
        areas_P=table[:, :-1].sum(axis=0),
        void_P=table[-1, :-1],
    )
