"""Boxes to masks: what the bought boxes of an image say of its pixels, as a pass without a model (section 3.2).

    boxes = lab.buy(Boxes(scenes))
    masks = lab.label(None, Part(images=lab.pool, labels={"boxes": boxes}), BoxMasks(masks="both"))

A pixel is a box's object where GrabCut and the segment proposal both say so (`both`), where one of them does
(`grabcut`, `proposals`), or everywhere in the box (`box`, the baseline that the others must beat). Each box is an
instance, numbered in the order of the boxes. Pixels that two boxes of one class claim are void; of boxes of different
classes, on which the paper is silent, they are void too, or the smaller box's. All else is void, for image tags fill
it; where a world has a background class, as VOC has, pixels outside of all boxes are that, and if wanted also those
inside that all sources reject.

What an annotator should not send: boxes are cut at the image's edges; what has no pixel left, and what repeats a box of
the same class, is left out. Group boxes are no instance and say nothing of any pixel, but what they cover is not
outside of all boxes. Without boxes, or without one that is left, no pixel is an instance's. A scene of which no boxes
were bought is a fault of that scene, and so is a box of a class that the world lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from segfrontier.errors import BadInput
from segfrontier.lab import LATER, Gauge, Known, Measures, Predictors, Rule, SceneLabels
from segfrontier_methods.weak_panoptic.grabcut import OBJECT, OPEN, OUT, Box, GrabCut, Patch
from segfrontier_methods.weak_panoptic.proposals import GRADIENT, Proposals, box_iou, require_hierarchy

_VOID = 255
Source = Literal["grabcut", "proposals", "both", "box"]


class Tidy(NamedTuple):
    """The boxes of an image that mean something: of instances with their labels, and of groups."""

    boxes: tuple[Box, ...]
    labels: tuple[int, ...]
    groups: tuple[Box, ...]


def tidy(boxes: NDArray[np.int32], size: tuple[int, int]) -> Tidy:
    """Boxes (n, 6) cut to an image of this (height, width), each once and with at least a pixel, in their order."""
    height, width = size
    kept: dict[tuple[Box, int], None] = {}
    groups: dict[Box, None] = {}
    for x0, y0, x1, y1, label, group in boxes.tolist():
        box = Box(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
        if box.x0 >= box.x1 or box.y0 >= box.y1:
            continue
        if group:
            groups[box] = None
        else:
            kept[box, label] = None
    return Tidy(tuple(box for box, _ in kept), tuple(label for _, label in kept), tuple(groups))


@dataclass(frozen=True, kw_only=True)
class BoxMasks(Rule):
    """`background`: the class of what no box holds, and with `rejected` of what all sources reject; None: void."""

    masks: Source = "both"
    grabcut: GrabCut = field(default_factory=GrabCut)
    proposals: Proposals = field(default_factory=Proposals)
    background: int | None = None
    rejected: Literal["void", "background"] = "void"
    clash: Literal["void", "smaller"] = "void"
    num_classes: int = field(default=_VOID, metadata=LATER)
    """The world's: a box of another class is refused, for no map holds it."""

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("masks", self.masks, ("grabcut", "proposals", "both", "box")),
            ("rejected", self.rejected, ("void", "background")), ("clash", self.clash, ("void", "smaller")),
        ):  # fmt: skip
            if value not in choices:
                raise BadInput(f"{name} is one of {', '.join(choices)}; found {value!r}")
        if not 1 <= self.num_classes <= _VOID:
            raise BadInput(f"boxes are of 1 to {_VOID} classes; found {self.num_classes}. Give the world's.")
        if self.background is not None and not 0 <= self.background < _VOID:
            raise BadInput(f"the background is a class below {_VOID}, or none; found {self.background}")
        if self.rejected == "background" and self.background is None:
            raise BadInput("what sources reject can be background where there is such a class; name it as `background`")
        if self.masks in ("proposals", "both"):
            require_hierarchy(self.proposals.hierarchy)

    def origins(self) -> Mapping[str, str]:
        """See `Rule.origins`."""
        used = self.masks in ("proposals", "both") and self.proposals.edges != GRADIENT
        return {"edges": self.proposals.edges} if used else {}

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:  # noqa: ARG002
        """See `Rule.label`."""
        size = (image.shape[0], image.shape[1])
        tidied = tidy(self._of_classes(_bought(known)), size)
        semantic, instance = laid_out(
            tidied, [self.patch(image, box) for box in tidied.boxes], size=size, background=self.background,
            rejected=self.rejected == "background", smaller=self.clash == "smaller",
        )  # fmt: skip
        return SceneLabels(size=size, semantic=semantic, instance=instance)

    def _of_classes(self, boxes: NDArray[np.int32]) -> NDArray[np.int32]:
        strange = boxes[(boxes[:, 4] < 0) | (boxes[:, 4] >= self.num_classes), 4]
        if strange.size:
            raise BadInput(
                f"the class of a box must be 0 to {self.num_classes - 1}; found {strange[0]}. Use one class table."
            )
        return boxes

    def patch(self, image: NDArray[np.uint8], box: Box) -> Patch:
        """What the sources say together of one box."""
        if self.masks == "box":
            return np.full(box.size, OBJECT, np.uint8)
        if self.masks == "grabcut":
            return self.grabcut.patch(image, box)
        if self.masks == "proposals":
            return self.proposals.patch(image, box)
        return agreed(self.grabcut.patch(image, box), self.proposals.patch(image, box))


def agreed(first: Patch, second: Patch) -> Patch:
    """Where both say the same; the rest is open."""
    return np.where(first == second, first, np.uint8(OPEN))


def laid_out(
    tidied: Tidy, patches: Sequence[Patch], *, size: tuple[int, int], background: int | None = None,
    rejected: bool = False, smaller: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:  # fmt: skip
    """Semantic and instance map (H, W) of the patches of an image's boxes; see `BoxMasks`."""
    owner, claims = np.zeros(size, np.uint16), np.zeros(size, np.uint16)
    same = {label: np.zeros(size, np.uint16) for label in set(tidied.labels)}
    boxed, out = np.zeros(size, np.bool_), np.ones(size, np.bool_)
    for box in tidied.groups:
        boxed[_at(box)], out[_at(box)] = True, False
    for number in sorted(range(len(patches)), key=lambda n: (-tidied.boxes[n].area, -n)):  # the smaller lie on top
        place, patch = _at(tidied.boxes[number]), patches[number]
        mine = patch == OBJECT
        owner[place][mine] = number + 1
        claims[place] += mine
        same[tidied.labels[number]][place] += mine
        boxed[place] = True
        out[place] &= patch == OUT
    classes = np.array([_VOID, *tidied.labels], np.uint8)
    semantic: NDArray[np.uint8] = classes[owner]
    disputed = np.zeros(size, np.bool_) if smaller else claims > 1
    for label, count in same.items():
        disputed |= (semantic == label) & (count > 1)
    semantic[disputed], owner[disputed] = _VOID, 0
    if background is not None:
        semantic[(~boxed | out) if rejected else ~boxed] = background
    return semantic, owner


def _at(box: Box) -> tuple[slice, slice]:
    return slice(box.y0, box.y1), slice(box.x0, box.x1)


def _bought(known: Known) -> NDArray[np.int32]:
    """The boxes (n, 6) among what is known of a scene: of a lone set, or of the one named `boxes`."""
    one = known.get("boxes") if isinstance(known, Mapping) else known
    if one is None or one.boxes is None:
        raise BadInput("masks are made of boxes, and none were bought of this scene. Buy them, or leave the scene out.")
    return one.boxes


# ------------------------------------------------------------------------------------------------------- quality

SIZES = ("small", "medium", "large")
_BOUNDS = (32**2, 96**2)


def size_of(area: int) -> int:
    """COCO's size of an object of so many pixels: 0 small, 1 medium from 32^2 on, 2 large from 96^2 on."""
    return int(np.searchsorted(_BOUNDS, area, side="right"))


def instance_of(box: Box, label: int, semantic: NDArray[np.uint8], instance: NDArray[np.uint16]) -> int:
    """The instance of a class whose tight box has the highest IoU with this one; 0 where no IoU reaches one half."""
    places = find_objects(np.where(semantic == label, instance, 0).astype(np.int32))
    tight = [(n, Box(at[1].start, at[0].start, at[1].stop, at[0].stop)) for n, at in enumerate(places, 1) if at]
    if not tight:
        return 0
    near = box_iou(np.array([one for _, one in tight], np.int64), box)
    best = int(near.argmax())
    return tight[best][0] if near[best] >= 0.5 else 0


@dataclass(frozen=True, kw_only=True)
class MaskQuality(Gauge):
    """How good each box's mask is, and the best of its proposals, where the truth may be seen: bought or synthetic.

    Each box by itself, before overlaps are void. The part's label sets are `boxes` and, with instances, `masks`; boxes
    that are no instance's there are not counted. `mask_quality` reads the scores off what was measured.
    """

    rule: BoxMasks = field(default_factory=BoxMasks)

    def shapes(self, classes: int) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """See `Gauge.shapes`: sums over the boxes of an image, by the size of their objects."""
        return {name: (len(SIZES),) for name in ("boxes", "iou", "best", "shared", "claimed", "true")}

    def measure(
        self,
        models: Predictors,  # noqa: ARG002
        image: NDArray[np.uint8],
        known: Known,
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Gauge.measure`."""
        truth = known.get("masks") if isinstance(known, Mapping) else None
        if truth is None or truth.semantic is None or truth.instance is None:
            raise BadInput("masks are judged by masks with instances; give them beside the boxes as the set `masks`")
        sums = {name: np.zeros(shape, np.float32) for name, shape in self.shapes(0).items()}
        tidied = tidy(_bought(known), truth.size)
        for box, label in zip(tidied.boxes, tidied.labels, strict=True):
            number = instance_of(box, label, truth.semantic, truth.instance)
            if not number:
                continue
            mask = (truth.semantic == label) & (truth.instance == number)
            row = mask_sums(self.rule.patch(image, box) == OBJECT, mask[_at(box)], area=int(mask.sum()))
            row["best"] = self.rule.proposals.best_iou(image, box, mask[_at(box)])
            for name, value in row.items():
                sums[name][size_of(int(mask.sum()))] += value
        return sums


def mask_sums(found: NDArray[np.bool_], truth: NDArray[np.bool_], *, area: int) -> dict[str, float]:
    """What one box adds: its IoU, and the pixels that its precision and recall are made of.

    Both masks are of the box; `area` counts the whole object, which a noisy box may cut.
    """
    shared, claimed = int((found & truth).sum()), int(found.sum())
    return {"boxes": 1.0, "iou": shared / (claimed + area - shared), "shared": shared, "claimed": claimed, "true": area}


def mask_quality(measures: Measures) -> dict[str, float]:
    """Scores over all boxes and by size; the names of what no box was of are missing.

    IoU is the mean over boxes, of the masks (`mask_iou`) and of the best proposals (`proposal_best_iou`); precision and
    recall are over pixels, and a source that claims none has no precision.
    """
    return quality_of({name: measures.column(name).sum(axis=0) for name in MaskQuality().shapes(0)})


def quality_of(sums: Mapping[str, NDArray[np.float32]]) -> dict[str, float]:
    """See `mask_quality`."""
    scores = {}
    for group, sizes in {"": slice(None), **{f"_{name}": slice(n, n + 1) for n, name in enumerate(SIZES)}}.items():
        total = {name: float(values[sizes].sum(dtype=np.float64)) for name, values in sums.items()}
        for name, over, under in (
            ("mask_iou", "iou", "boxes"), ("proposal_best_iou", "best", "boxes"),
            ("mask_precision", "shared", "claimed"), ("mask_recall", "shared", "true"),
        ):  # fmt: skip
            if total[under]:
                scores[name + group] = total[over] / total[under]
        scores["boxes" + group] = total["boxes"]
    return scores
