"""Where things are: a detector that learns from bought boxes, or from the objects of masks, and its finds as labels.

Boxes of a group (a crowd) teach nothing: what is found there is neither right nor wrong. Of two alike boxes one counts.
A detection's mask is its box, filled, with whole corners; so detections are kept, moved and cut as masks are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab import (
    Batch,
    Detections,
    Known,
    Loss,
    Moment,
    Nets,
    Network,
    Objective,
    Predictors,
    Recipe,
    Rule,
    SceneLabels,
)
from segfrontier.maths import group_boxes, instance_boxes
from segfrontier.models.detector import Compared, DetectedBoxes, DetectorSpec, Objects
from segfrontier.models.model import ModelSpec

DETECTOR, BOXES = "detector", "boxes"
_LEAST = 2
"""Pixels of a box's sides: crops leave slivers of objects that show nothing."""
_BETA = 1 / 9


def detector_network(recipe: Recipe, things: Sequence[int], **changes: Any) -> Network:
    """A detector on the recipe's trunk, which learns as the recipe says; `changes` are fields of `DetectorSpec`."""
    if not things:
        raise BadInput("a detector needs a class whose objects can be counted; this world has none. Choose another.")
    network = recipe.network(1)
    like = network.blueprint
    assert isinstance(like, ModelSpec)
    settings = {"encoder": like.encoder, "pretrained": like.pretrained, "norm": like.norm, "things": tuple(things)}
    return replace(network, blueprint=DetectorSpec(**(settings | changes)))


@dataclass(frozen=True, kw_only=True)
class Detecting(Objective):
    """The four losses of Faster R-CNN, each over what was sampled in the whole batch.

    One stream. Of each image either boxes are known, by the name `boxes` (as a part of bought boxes alone has them), or
    a mask with instances, whose objects have boxes as they stand in the crop.
    """

    gives_maps: ClassVar[bool] = False

    detector: Network

    def networks(self) -> Mapping[str, Network]:
        """The detector."""
        return {DETECTOR: self.detector}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """An image without boxes shows what no thing looks like."""
        (shown,) = batch.values()
        objects = list(self._objects(shown))
        losses = detection_losses(nets[DETECTOR](shown.image, objects), at)
        at.log(**{name: loss.detach() for name, loss in losses.items()})
        yield Loss("detection", torch.stack(list(losses.values())).sum())

    def _objects(self, shown: Batch) -> Iterator[Objects]:
        spec, device = self.detector.blueprint, shown.image.device
        assert isinstance(spec, DetectorSpec)
        boxed = shown.labels.get(BOXES, [None] * len(shown.scene))
        for place, known in enumerate(boxed):
            if known is not None and known.boxes is not None:
                yield objects_of(known, device)
            elif shown.instance is not None:
                maps = (each[place].cpu().numpy() for each in (shown.label, shown.instance))
                yield objects_of(boxes_in(*maps, things=spec.things), device)
            else:
                raise BadInput(
                    f"a detector learns from boxes, or from masks with instances; found "
                    f"{', '.join(shown.labels) or 'none'} for {shown.scene[place]!r}. Buy some."
                )


def boxes_in(label_HW: NDArray[np.integer], instance_HW: NDArray[np.integer], *, things: Sequence[int]) -> SceneLabels:
    """The boxes that the objects of a mask have, as an annotator would draw them, groups last."""
    semantic, ids = label_HW.astype(np.uint8), instance_HW.astype(np.uint16)
    (_, singles, labels), (groups, of) = instance_boxes(semantic, ids), group_boxes(semantic, ids, things=things)
    rows = [[*box, label, 0] for box, label in zip(singles.tolist(), labels.tolist(), strict=True) if label in things]
    rows += [[*box, label, 1] for box, label in zip(groups.tolist(), of.tolist(), strict=True)]
    return SceneLabels(size=semantic.shape, boxes=np.array(rows, np.int32).reshape(-1, 6))


@dataclass(frozen=True, kw_only=True)
class BoxesOfMasks(Rule):
    """No model: the boxes of a mask's objects."""

    things: tuple[int, ...]

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:  # noqa: ARG002
        """See `Rule.label`."""
        if not isinstance(known, SceneLabels) or known.semantic is None or known.instance is None:
            raise BadInput("objects are those of one set of masks with instances; found none. Give the part one.")
        return boxes_in(known.semantic, known.instance, things=self.things)


def objects_of(known: SceneLabels, device: torch.device) -> Objects:
    """The boxes of one image, each once, without those that show less than two pixels across."""
    boxes = np.zeros((0, 6), np.int32) if known.boxes is None else known.boxes
    height, width = known.size
    corners = np.clip(boxes[:, :4], 0, [width, height, width, height])
    wide = ((corners[:, 2:] - corners[:, :2]) >= _LEAST).all(1)
    rows = np.unique(np.column_stack([corners, boxes[:, 4:]])[wide], axis=0)
    single = rows[:, 5] == 0

    def on_device(values: NDArray[Any], kind: torch.dtype) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device=device, dtype=kind)

    return Objects(
        on_device(rows[single, :4], torch.float32), on_device(rows[single, 4], torch.int64),
        on_device(rows[~single, :4], torch.float32),
    )  # fmt: skip


def detection_losses(seen: Compared, at: Moment) -> dict[str, Tensor]:
    """By name; means over the samples of the whole batch, however it is cut."""
    anchors = torch.tensor(len(seen.objectness_S), device=seen.objectness_S.device)
    samples = torch.tensor(len(seen.labels_S), device=anchors.device)
    objectness = F.binary_cross_entropy_with_logits(seen.objectness_S, seen.is_object_S, reduction="sum")
    classes = F.cross_entropy(seen.logits_SK, seen.labels_S, reduction="sum")
    return {
        "objectness": at.mean(objectness, anchors),
        "anchor_boxes": at.mean(_distance(seen.anchor_offsets, seen.anchor_targets), anchors),
        "classes": at.mean(classes, samples),
        "boxes": at.mean(_distance(seen.box_offsets, seen.box_targets), samples),
    }


def _distance(offsets: Tensor, targets: Tensor) -> Tensor:
    return F.smooth_l1_loss(offsets, targets, beta=_BETA, reduction="sum")


@dataclass(frozen=True, kw_only=True)
class Detect(Rule):
    """Detections of the model `detector`, or of the only one. Where it finds nothing, there are none of it."""

    above: float = 0.5
    nms: float = 0.3
    most: int = 100

    def __post_init__(self) -> None:
        if not (0 <= self.above < 1 and 0 < self.nms <= 1 and self.most >= 1):
            raise BadInput(
                f"detections need a threshold in [0, 1), an nms in (0, 1] and most >= 1; found {self.above}, "
                f"{self.nms} and {self.most}. Correct them."
            )

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:  # noqa: ARG002
        """See `Rule.label`. The image is seen whole, at its own size."""
        detector = models.only if len(models) == 1 else models[DETECTOR]
        module: Any = detector.module
        pixels = torch.from_numpy(image).to(detector.device).permute(2, 0, 1)[None].float().div_(255)
        with torch.inference_mode():
            (found,) = module.detect(pixels, above=self.above, nms=self.nms, most=self.most)
        size = (image.shape[0], image.shape[1])
        return SceneLabels(size=size, detections=as_detections(found, size))


def as_detections(found: DetectedBoxes, size: tuple[int, int]) -> Detections:
    """The finds of one image of this size, their boxes as masks of all pixels that they touch."""
    boxes = found.boxes_B4.cpu().numpy()
    low, high = np.floor(boxes[:, :2]).astype(int), np.ceil(boxes[:, 2:]).astype(int)
    masks = np.zeros((len(boxes), *size), np.bool_)
    for mask, (x0, y0), (x1, y1) in zip(masks, low, high, strict=True):
        mask[y0:y1, x0:x1] = True
    return Detections(
        label=found.labels_B.cpu().numpy().astype(np.uint8), score=found.scores_B.cpu().numpy().astype(np.float32),
        mask=masks,
    )  # fmt: skip
