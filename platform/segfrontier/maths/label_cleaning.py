"""Cleaning a prediction of an image whose boxes and tags are known, to learn from it again (paper 002).

The steps are those of the published label generation code, each a function of a map; the paper itself names the box
prior alone. `cleaned_labels` chains them as a `Cleaning` says. What is not known of an image (None) is no ground to
drop anything: its step is passed by. What is known to be nothing (no rows) is: without a box there is no thing.

Boxes are rows x0, y0, x1, y1, label, group, as annotators draw them here: half-open, so that the published code's
inclusive corners are x1 - 1 and y1 - 1. All steps see the same pixels of a box; its fill lost one row and one column
of them to MATLAB's polygons. Letters: H W image size, B box, T tile, K class, R row of a table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_integers,
    require_same_shape,
    require_within,
    require_word,
)

CleaningStep = Literal["score", "tags", "merge", "prior", "fill"]
Ints = NDArray[np.integer[Any]]
Labels = NDArray[np.uint8]
VOID = 255
BOX_COLUMNS = 6
_MOST_IDS = 65_535


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """Which steps are taken, in which order, and how strictly."""

    steps: tuple[CleaningStep, ...] = get_args(CleaningStep)
    least_score: float = 0.99
    least_coverage: float = 0.5
    merge_rounds: int = 5
    fill_groups: bool = False
    outside: int = VOID
    """What a thing's pixel outside all boxes of its class is: void, or the label of the background where that is all
    that things stand before (VOC)."""

    def __post_init__(self) -> None:
        for step in self.steps:
            require_word("a step of cleaning", step, CleaningStep)
        if len(set(self.steps)) != len(self.steps):
            raise ValueError(f"each step of cleaning may stand once; found {', '.join(self.steps)}; drop the repeats")
        require_within("the least score", self.least_score, 0, 1)
        require_within("the least coverage", self.least_coverage, 0, 1)
        require_at_least("the rounds that are merged with the first masks", self.merge_rounds, 0)
        require_within("the label outside boxes", self.outside, 0, VOID)


PUBLISHED = Cleaning()
"""The code that came with the paper: five steps, of which the paper has one."""
PAPER = Cleaning(steps=("prior",))


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What annotators said of an image, and the masks that its boxes gave first; None is not known."""

    things: Sequence[int]
    boxes_B6: Ints | None = None
    tiles_T4: Ints | None = None
    present_TK: NDArray[np.bool_] | None = None
    first_HW: Labels | None = None


def cleaned_labels(
    labels_HW: Labels, scores_HW: NDArray[np.floating[Any]], known: Evidence, cleaning: Cleaning, *, number: int
) -> Labels:
    """The labels that a prediction gives for another round of training, after all steps; the first is number 1."""
    require_at_least("the number of a round", number, 1)
    made = labels_HW
    for step in cleaning.steps:
        if step == "score":
            made = sure_labels(made, scores_HW, least=cleaning.least_score)
        elif step != "merge" or number <= cleaning.merge_rounds:
            made = _taken(step, made, known, cleaning)
    return made


def first_labels(seeds_HW: Labels, known: Evidence, cleaning: Cleaning) -> Labels:
    """The labels of the first training: seeds of stuff and the first masks of things, united whatever else is done.

    Seeds have no score; all other steps are taken as of a prediction.
    """
    steps = cleaning.steps if "merge" in cleaning.steps else ("merge", *cleaning.steps)
    made = seeds_HW
    for step in steps:
        made = _taken(step, made, known, cleaning)
    return made


def _taken(step: CleaningStep, labels_HW: Labels, known: Evidence, cleaning: Cleaning) -> Labels:
    """A step that asks the evidence, where this has an answer."""
    boxes_B6, things = known.boxes_B6, known.things
    if step == "tags" and known.tiles_T4 is not None and known.present_TK is not None:
        return tag_checked(labels_HW, known.tiles_T4, known.present_TK)
    if step == "merge" and known.first_HW is not None:
        return merged_with_first(labels_HW, known.first_HW, things=things)
    if step == "prior" and boxes_B6 is not None:
        return inside_boxes(labels_HW, boxes_B6, things=things, outside=cleaning.outside)
    if step == "fill" and boxes_B6 is not None:
        return filled_boxes(
            labels_HW, boxes_B6, things=things, least=cleaning.least_coverage, groups=cleaning.fill_groups
        )
    return labels_HW


def sure_labels(labels_HW: Labels, scores_HW: NDArray[np.floating[Any]], *, least: float) -> Labels:
    """Void where the score is below `least`; a score that is exactly so is kept."""
    require_same_shape(labels_HW, scores_HW)
    # Compared in the scores' own precision: a float32 of 0.99 is not below 0.99.
    return np.where(scores_HW < scores_HW.dtype.type(least), np.uint8(VOID), labels_HW)


def tags_of_tiles(tags_R2: Ints, *, tiles: int, num_classes: int) -> NDArray[np.bool_]:
    """(T, K) which classes each tile shows, from rows of tile and label."""
    require_axes("tags", tags_R2, "RC")
    require_integers("tags", tags_R2)
    for what, column, end in (("tile", 0, tiles), ("class", 1, num_classes)):
        found = tags_R2[:, column]
        strange = found[(found < 0) | (found >= end)]
        if strange.size:
            raise BadInput(
                f"the {what} of a tag must be 0 to {end - 1}; found {strange[0]}. Read tags with the tiling and the "
                f"classes that they were bought with."
            )
    present_TK = np.zeros((tiles, num_classes), np.bool_)
    present_TK[tags_R2[:, 0], tags_R2[:, 1]] = True
    return present_TK


def boxed_in_tiles(boxes_B6: Ints, tiles_T4: Ints, *, num_classes: int) -> NDArray[np.bool_]:
    """(T, K) which classes a tile may show by its boxes, groups as well: those of which one meets it.

    Tags of things are not bought where boxes are (paper 002's bill); an object may still miss a corner of its box.
    """
    present_TK = np.zeros((len(tiles_T4), num_classes), np.bool_)
    left, top, right, bottom = tiles_T4.T
    boxes = _checked(boxes_B6)
    strange = boxes[(boxes[:, 4] < 0) | (boxes[:, 4] >= num_classes), 4]
    if strange.size:
        raise BadInput(f"the class of a box must be 0 to {num_classes - 1}; found {strange[0]}. Use one class table.")
    for x0, y0, x1, y1, label, _ in boxes[(boxes[:, :2] < boxes[:, 2:4]).all(axis=1)].tolist():
        present_TK[(left < x1) & (x0 < right) & (top < y1) & (y0 < bottom), label] = True
    return present_TK


def tag_checked(labels_HW: Labels, tiles_T4: Ints, present_TK: NDArray[np.bool_]) -> Labels:
    """Void where some tile that covers the pixel does not show its class, be it thing or stuff."""
    if len(tiles_T4) != len(present_TK):
        raise ValueError(
            f"tags must be there for each tile; found {len(present_TK)} for {len(tiles_T4)} tiles; use one tiling"
        )
    made = labels_HW.copy()
    for (x0, y0, x1, y1), present_K in zip(tiles_T4.tolist(), present_TK, strict=True):
        allowed = np.zeros(VOID + 1, np.bool_)
        allowed[: len(present_K)] = present_K
        tile = made[y0:y1, x0:x1]
        tile[~allowed[tile]] = VOID
    return made


def merged_with_first(labels_HW: Labels, first_HW: Labels, *, things: Sequence[int]) -> Labels:
    """The first masks' things, whatever is predicted there; predicted stuff elsewhere, and void for the rest.

    Where the first masks have background or void, no predicted thing is believed.
    """
    require_same_shape(labels_HW, first_HW)
    elsewhere = np.where(np.isin(labels_HW, list(things)), np.uint8(VOID), labels_HW)
    return np.where(np.isin(first_HW, list(things)), first_HW, elsewhere)


def inside_boxes(labels_HW: Labels, boxes_B6: Ints, *, things: Sequence[int], outside: int) -> Labels:
    """A thing's pixels in a box of its class, of one object or of a group; `outside` in place of its others."""
    made, boxes = labels_HW.copy(), _clipped(boxes_B6, labels_HW.shape)
    for thing in things:
        within = np.zeros(labels_HW.shape, np.bool_)
        for box in boxes[boxes[:, 4] == thing]:
            within[_area(box)] = True
        made[(labels_HW == thing) & ~within] = outside
    return made


def filled_boxes(labels_HW: Labels, boxes_B6: Ints, *, things: Sequence[int], least: float, groups: bool) -> Labels:
    """Boxes of which their class covers less than `least`, filled with it over void and stuff, large to small.

    Covered and overwritten is by the labels as they came: a small box is filled over a large one's fill. Boxes that
    show no pixel of the image are passed by, and those of groups unless `groups`.
    """
    made, boxes = labels_HW.copy(), _clipped(boxes_B6, labels_HW.shape)
    open_HW = ~np.isin(labels_HW, list(things))
    areas_B = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for box in boxes[np.argsort(-areas_B, kind="stable")]:
        area, label = _area(box), box[4]
        inside = labels_HW[area]
        if (
            (box[5] and not groups)
            or label not in things
            or not inside.size
            or np.count_nonzero(inside == label) / inside.size >= least
        ):
            continue
        made[area][open_HW[area]] = label
    return made


def instances_by_boxes(labels_HW: Labels, boxes_B6: Ints, *, stuff: Sequence[int]) -> NDArray[np.uint16]:
    """(H, W) ids: 1, 2, ... for each class of `stuff` that is there, then for each box in order; 0 is none.

    A box takes the pixels of its class inside. Those that a second one takes as well belong to neither, nor to a third.
    Of two alike boxes one counts, groups do not; a number is passed over where a box is left with nothing.
    """
    ids_HW = np.zeros(labels_HW.shape, np.uint16)
    taken_HW = np.zeros(labels_HW.shape, np.bool_)
    number = 0
    for label in stuff:
        pixels = labels_HW == label
        if pixels.any():
            number += 1
            ids_HW[pixels] = number
    for box in _singles(_clipped(boxes_B6, labels_HW.shape)):
        number += 1
        require_within("the number of instances", number, 1, _MOST_IDS)
        area = _area(box)
        own = labels_HW[area] == box[4]
        ids_HW[area][own] = np.where(taken_HW[area][own], 0, number)
        taken_HW[area] |= own
    return ids_HW


def _singles(boxes_B6: Ints) -> Iterator[Ints]:
    """Boxes of single objects in order, each once."""
    seen: set[tuple[int, ...]] = set()
    for box in boxes_B6:
        place = tuple(box[:5].tolist())
        if not box[5] and place not in seen:
            seen.add(place)
            yield box


def _checked(boxes_B6: Ints) -> Ints:
    require_axes("boxes", boxes_B6, "BC")
    require_integers("boxes", boxes_B6)
    if boxes_B6.shape[1] != BOX_COLUMNS:
        raise ValueError(
            f"boxes must have the columns x0, y0, x1, y1, label, group; found {boxes_B6.shape[1]}; give all six"
        )
    return boxes_B6


def _clipped(boxes_B6: Ints, size: tuple[int, ...]) -> Ints:
    """The boxes as far as they are in an image of this (height, width); none of a box that ends before it begins."""
    boxes, (height, width) = _checked(boxes_B6).copy(), size
    boxes[:, :4] = np.clip(boxes[:, :4], 0, [width, height, width, height])
    boxes[:, 2:4] = np.maximum(boxes[:, :2], boxes[:, 2:4])
    return boxes


def _area(box: Ints) -> tuple[slice, slice]:
    """The pixels of a clipped box."""
    x0, y0, x1, y1 = box[:4].tolist()
    return slice(y0, y1), slice(x0, x1)
