"""Annotators, simulated from truth: each answers one request, scene by scene, and gives back just what was asked."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput, BadWorld
from segfrontier.market.acts import Acts
from segfrontier.market.annotator import Annotator
from segfrontier.market.coarse import coarse_map
from segfrontier.market.existing import Existing
from segfrontier.market.noise import Noise, Wobble, misnamed, misread, scene_key, shaken
from segfrontier.market.requests import Boxes, Coarse, Fine, Points, Request, Tags
from segfrontier.maths import group_boxes, instance_boxes
from segfrontier.scenes.classes import VOID
from segfrontier.scenes.labels import LabelRow

if TYPE_CHECKING:
    from segfrontier.scenes.world import Truth

_CACHED = 4096
_SIDE_BITS = 15


def annotator_for(request: Request, truth: Truth, *, noise: Noise, seed: int) -> Annotator:
    """The annotator that answers a request; raises on scenes and pixels that the truth does not have."""
    have = set(truth.scenes())
    for scene in request.scenes:
        if scene not in have:
            raise BadInput(
                f"a request must name scenes of {truth.world} {truth.domain}/{truth.split} ({len(have)} scenes); it "
                f"has no {scene!r}. Take the ids from the pool's scenes()."
            )
        if not truth.has(scene, request.kind):
            raise _unanswered(request.kind, truth, scene)
        if isinstance(request, Tags) and not request.tiling.is_whole and not truth.is_fine(scene):
            raise BadInput(
                f"tags of crops can be asked of scenes with fine labels; the tags of {scene!r} exist already, and are "
                f"of whole images. Ask with WHOLE_IMAGE, or take the ids from lab.sold('tag', tiling=...)."
            )
    annotator = _drawing(request, _Desk(truth, noise, seed))
    return Existing(request, truth, annotator) if request.kind in truth.stated else annotator


def _drawing(request: Request, desk: _Desk) -> Annotator:
    match request:
        case Fine():
            return _Masks(desk, _fine)
        case Coarse():
            return _Masks(desk, _coarse)
        case Points():
            return _Points(desk, request)
        case Boxes():
            return _Boxes(desk)
        case Tags():
            return _Tags(desk, request)
        case _:
            raise BadInput(f"a request must be Fine, Coarse, Points, Boxes or Tags; found {type(request).__name__}")


def _unanswered(kind: str, truth: Truth, scene: str) -> BadInput:
    if truth.has(scene, "fine"):
        return BadWorld(
            f"boxes need a world with instances; {truth.world} has none for scene {scene!r}. Import it with "
            f"connected components as stand-ins, or buy another kind of label."
        )
    if truth.has(scene, "coarse"):
        return BadInput(
            f"{kind} labels can be asked of scenes with fine labels in the data set; {scene!r} has coarse "
            f"ones only. Ask for Coarse there, or leave it out."
        )
    return BadInput(
        f"{kind} labels can be asked of scenes that the data set has labels of; {scene!r} has none. Take the ids from "
        f"lab.sold({kind!r}), or leave it out."
    )


class _Desk:
    """What every annotator sits at: the truth, how wrong people are, and the keys of their errors."""

    def __init__(self, truth: Truth, noise: Noise, seed: int) -> None:
        self.truth, self.noise, self.seed = truth, noise, seed

    def key(self, scene: str, kind: str) -> int:
        return scene_key(self.seed, scene, kind)

    def row(self, scene: str, **parts: NDArray[np.generic] | None) -> LabelRow:
        height, width = self.truth.size(scene)
        return LabelRow(scene=scene, height=height, width=width, **parts)  # type: ignore[arg-type]

    def wobble(self, scene: str, kind: str) -> Wobble | None:
        if self.noise.outlines == 0:
            return None
        height, width = self.truth.size(scene)
        return Wobble(height, width, pixels=self.noise.outlines, key=self.key(scene, kind))


_ONE = Acts.of([0], [1], [1])  # made once: of a large world twenty thousand masks are asked for at a time


class _Masks:
    """One mask a scene, drawn as `draw` says."""

    known = True

    def __init__(self, desk: _Desk, draw: Callable[[_Desk, str], LabelRow]) -> None:
        self._desk, self._draw = desk, draw

    def acts(self, _scene: str, /) -> Acts:
        return _ONE

    def row(self, scene: str, /) -> LabelRow:
        return self._draw(self._desk, scene)


def _fine(desk: _Desk, scene: str) -> LabelRow:
    semantic, ids = desk.truth.semantic(scene), desk.truth.instance(scene)
    wobble = desk.wobble(scene, "fine")
    if wobble is not None:
        semantic, ids = wobble.map(semantic), None if ids is None else wobble.instance(ids)
    return desk.row(scene, map=semantic, instance=ids)


def _coarse(desk: _Desk, scene: str) -> LabelRow:
    coarse = desk.truth.coarse(scene)
    if coarse is None:
        coarse = coarse_map(desk.truth.semantic(scene))
    wobble = desk.wobble(scene, "coarse")
    return desk.row(scene, map=coarse if wobble is None else wobble.map(coarse))


class _Points:
    """The annotator is shown a pixel and names its class. "None of them" is an answer too: billed, and 255."""

    known = True

    def __init__(self, desk: _Desk, request: Points) -> None:
        self._desk, self._request = desk, request
        for scene in request.scenes:
            height, width = desk.truth.size(scene)
            xy = request.pixels(scene)
            outside = xy[((xy < 0) | (xy >= [width, height])).any(axis=1)]
            if len(outside):
                raise BadInput(
                    f"scene {scene!r}: points must lie in the image of {width} x {height}; found x, y = "
                    f"{outside[0].tolist()} and {len(outside) - 1} more outside. Columns are x, then y."
                )

    def acts(self, scene: str, /) -> Acts:
        items = self._items(scene)
        return Acts.of(items, np.ones_like(items), np.ones_like(items))

    def row(self, scene: str, /) -> LabelRow:
        desk, xy, items = self._desk, self._request.pixels(scene), self._items(scene)
        labels = desk.truth.semantic(scene)[xy[:, 1], xy[:, 0]]
        classes, key = len(desk.truth.classes), desk.key(scene, "point")
        labels = misnamed(labels, items, share=desk.noise.points, classes=classes, key=key)
        return desk.row(scene, values=np.column_stack([xy, labels]).astype(np.int32))

    def _items(self, scene: str) -> NDArray[np.int64]:
        xy = self._request.pixels(scene)
        return xy[:, 1] * self._desk.truth.size(scene)[1] + xy[:, 0]


class _Boxes:
    """One billed box an instance. Countable pixels of no instance are groups: a box each that is not billed."""

    known = False

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._answer = lru_cache(_CACHED)(self._look)

    def acts(self, scene: str, /) -> Acts:
        return Acts.of([0], [int((self._answer(scene)[:, 5] == 0).sum())], [1])

    def row(self, scene: str, /) -> LabelRow:
        return self._desk.row(scene, values=self._answer(scene).astype(np.int32))

    def _look(self, scene: str) -> NDArray[np.int64]:
        desk, truth = self._desk, self._desk.truth
        semantic, ids = truth.semantic(scene), truth.instance(scene)
        assert ids is not None, "what has no instances was refused"
        height, width = semantic.shape
        numbers, boxes, labels = instance_boxes(semantic, ids)
        share, key = desk.noise.boxes, desk.key(scene, "box")
        boxes = shaken(boxes, numbers, share=share, height=height, width=width, key=key)
        groups, group_labels = group_boxes(semantic, ids, things=truth.classes.things)
        single = np.column_stack([boxes, labels, np.zeros_like(labels)])
        return np.concatenate([single, np.column_stack([groups, group_labels, np.ones_like(group_labels)])])


class _Tags:
    """For each crop, which classes it shows. An act is one crop's countable or uncountable classes."""

    known = False

    def __init__(self, desk: _Desk, request: Tags) -> None:
        self._desk, self._request = desk, request
        things, stuff = desk.truth.classes.things, desk.truth.classes.stuff
        self._questions = [(0, stuff), (1, things)] if request.things else [(0, stuff)]
        self._present = lru_cache(_CACHED)(self._look)

    def acts(self, scene: str, /) -> Acts:
        present, items = self._present(scene), self._items(scene)
        columns = [
            (2 * items + half, present[:, list(labels)].sum(axis=1), np.full(len(items), len(labels)))
            for half, labels in self._questions
            if labels
        ]
        return Acts.of(*(np.concatenate(parts) for parts in zip(*columns, strict=True)))

    def row(self, scene: str, /) -> LabelRow:
        asked = np.zeros(len(self._desk.truth.classes), bool)
        for _, labels in self._questions:
            asked[list(labels)] = True
        crop, label = np.nonzero(self._present(scene) & asked)
        return self._desk.row(scene, values=np.column_stack([crop, label]).astype(np.int32))

    def _look(self, scene: str) -> NDArray[np.bool_]:
        """(crops, classes) what the annotator says is there."""
        desk, semantic = self._desk, self._desk.truth.semantic(scene)
        classes = len(desk.truth.classes)
        crops = self._request.tiling.crops(*semantic.shape)
        seen = [np.bincount(semantic[y0:y1, x0:x1].ravel(), minlength=VOID + 1)[:classes] for x0, y0, x1, y1 in crops]
        present = np.stack(seen) > 0
        return misread(present, self._items(scene), share=desk.noise.tags, key=desk.key(scene, "tag"))

    def _items(self, scene: str) -> NDArray[np.int64]:
        """A crop's identity is its rectangle, so that two tilings never take each other's crops for their own."""
        height, width = self._desk.truth.size(scene)
        if max(height, width) >> _SIDE_BITS:
            raise BadInput(f"tags need images below {2**_SIDE_BITS} px a side; scene {scene!r} is {width} x {height}")
        x0, y0, x1, y1 = self._request.tiling.crops(height, width).T
        return ((x0 << _SIDE_BITS | y0) << _SIDE_BITS | x1) << _SIDE_BITS | y1
