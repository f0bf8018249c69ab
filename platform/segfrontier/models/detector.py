"""Where things are: Faster R-CNN (Ren et al., 2015) on a timm encoder with a feature pyramid.

Put together from torchvision's parts, without its outer transform: the encoder normalises images itself, and none is
resized. Letters: N image, B box, S sampled anchor or proposal, K class (0 is none of the things).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead, concat_box_prediction_layers
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from segfrontier.maths import require_finite
from segfrontier.models.encoder import Encoder
from segfrontier.models.network import EncoderNetwork, build_network
from segfrontier.models.spec import EncoderSpec, must

_FINEST = 4
"""Image pixels to a feature of the finest level that is read; finer ones cost much and find nothing more."""
_POOLED = 7
_USUAL_ANCHOR, _CANONICAL = 8.0, 224


@dataclass(frozen=True, kw_only=True)
class DetectorSpec(EncoderSpec):
    """A detector of the classes `things`, labels of the world's table."""

    things: tuple[int, ...]
    width: int = 256
    """Channels of the pyramid."""
    hidden: int = 1024
    anchor: float = _USUAL_ANCHOR
    """Side of a level's anchors, in its own features; 8 for photographs, less where objects are small."""
    proposals: int = 1000
    """The most that a level, and then an image, brings to the second stage."""
    sampled_anchors: int = 256
    sampled_proposals: int = 512
    """An image's, for the losses."""

    def __post_init__(self) -> None:
        super().__post_init__()
        things = tuple(self.things)
        must(
            len(things) > 0 and len(set(things)) == len(things) and all(0 <= t < 255 for t in things),
            "things must be one or more different labels of 0..254", things,
        )  # fmt: skip
        object.__setattr__(self, "things", things)
        must(self.anchor > 0, "anchor must be above 0", self.anchor)
        for name in ("width", "hidden", "proposals", "sampled_anchors", "sampled_proposals"):
            must(getattr(self, name) >= 1, f"{name} must be at least 1", getattr(self, name))

    def build(self, *, seed: int) -> Detector:
        """See `model.build_model` for seeds, weights and errors."""
        return build_network(Detector, self, seed=seed)


class Objects(NamedTuple):
    """What boxes say of one image. Float corners, x0 y0 x1 y1, the last two just outside."""

    boxes_B4: Tensor
    labels_B: Tensor
    crowds_B4: Tensor
    """Boxes of groups that nobody took apart: what is found there is neither right nor wrong."""


class DetectedBoxes(NamedTuple):
    """What was found in one image, likeliest first."""

    boxes_B4: Tensor
    labels_B: Tensor
    scores_B: Tensor


class Compared(NamedTuple):
    """Sampled anchors and proposals beside what they should have said, of a whole batch; the losses are made of it."""

    objectness_S: Tensor
    is_object_S: Tensor
    anchor_offsets: Tensor
    anchor_targets: Tensor
    logits_SK: Tensor
    labels_S: Tensor
    box_offsets: Tensor
    box_targets: Tensor


class Detector(EncoderNetwork):
    """Made by `DetectorSpec`."""

    _things: Tensor

    def __init__(self, spec: DetectorSpec, encoder: Encoder) -> None:
        super().__init__(spec, encoder)
        self.spec = spec
        self._taps = [i for i, level in enumerate(encoder.levels) if level.reduction >= _FINEST]
        levels = [encoder.levels[i] for i in self._taps]
        self._stride = max(level.reduction for level in levels)
        self.fpn = FeaturePyramidNetwork([e.channels for e in levels], spec.width, extra_blocks=LastLevelMaxPool())
        sides = [spec.anchor * level.reduction for level in levels]
        anchors: Any = AnchorGenerator(
            tuple((side,) for side in (*sides, 2 * sides[-1])), ((0.5, 1.0, 2.0),) * (1 + len(sides))
        )
        most = {"training": spec.proposals, "testing": spec.proposals}
        self.rpn = RegionProposalNetwork(
            anchors, RPNHead(spec.width, anchors.num_anchors_per_location()[0]), 0.7, 0.3, spec.sampled_anchors, 0.5,
            most, most, 0.7,
        )  # fmt: skip
        pool = MultiScaleRoIAlign(
            [str(i) for i in range(len(levels))], _POOLED, 2,
            canonical_scale=max(1, round(_CANONICAL * spec.anchor / _USUAL_ANCHOR)),
        )  # fmt: skip
        self.roi_heads = RoIHeads(
            pool, TwoMLPHead(spec.width * _POOLED**2, spec.hidden),
            FastRCNNPredictor(spec.hidden, 1 + len(spec.things)),
            0.5, 0.5, spec.sampled_proposals, 0.25, None, 0.05, 0.5, 100,
        )  # fmt: skip
        self.register_buffer("_things", torch.tensor(spec.things), persistent=False)

    def forward(self, images: Tensor, objects: Sequence[Objects]) -> Compared:
        """What the losses compare, for images (N, 3, H, W) in [0, 1] whose objects are known."""
        size, features, padded = self._features(images)
        proposals, offsets, objectness, anchors = self._propose(images, features, padded, size)
        known = [self._own(each, images.device) for each in objects]
        first = self._compare_anchors(objectness, offsets, anchors, known)
        return Compared(*first, *self._compare_proposals(features, padded, proposals, known))

    @torch.no_grad()
    def detect(self, images: Tensor, *, above: float, nms: float, most: int = 100) -> list[DetectedBoxes]:
        """What scores above a threshold, of two that overlap by more than `nms` the likelier one. May be nothing."""
        size, features, padded = self._features(images)
        proposals, *_ = self._propose(images, features, padded, size)
        heads = self.roi_heads
        heads.score_thresh, heads.nms_thresh, heads.detections_per_img = above, nms, most
        logits, offsets = self._judge(features, proposals, padded)
        for answers in (*features.values(), logits):  # of NaN no box would come, as if there were nothing to see
            require_finite("the answers of the detector", answers)
        found = heads.postprocess_detections(logits.float(), offsets.float(), proposals, [size] * len(images))
        return [DetectedBoxes(b, self._things[k - 1], s) for b, s, k in zip(*found, strict=True)]

    def supervised(self, images: Tensor) -> list[Tensor]:
        """An output of every part, without what boxes there are, which a run without numbers cannot know."""
        _, features, _ = self._features(images)
        objectness, offsets = self.rpn.head(list(features.values()))
        pooled = F.adaptive_avg_pool2d(features["0"], _POOLED)
        return [*objectness, *offsets, *self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))]

    def _features(self, images: Tensor) -> tuple[tuple[int, int], dict[str, Tensor], tuple[int, int]]:
        """Anchors lie on whole strides, so images are padded to them: with the mean colour, as the encoder does."""
        height, width = images.shape[-2:]
        down, right = -height % self._stride, -width % self._stride
        if down or right:
            mean = images.new_tensor(self.mean)[:, None, None]
            images = F.pad(images - mean, (0, right, 0, down)) + mean
        levels = self.encoder(images)
        tapped = OrderedDict((str(i), levels[tap]) for i, tap in enumerate(self._taps))
        return (height, width), self.fpn(tapped), (height + down, width + right)

    def _propose(
        self, images: Tensor, features: dict[str, Tensor], padded: tuple[int, int], size: tuple[int, int]
    ) -> tuple[list[Tensor], Tensor, Tensor, list[Tensor]]:
        rpn, maps, count = self.rpn, list(features.values()), len(images)
        objectness, offsets = rpn.head(maps)
        seen = ImageList(images.new_empty((count, 0, *padded)), [size] * count)
        anchors = rpn.anchor_generator(seen, maps)
        by_level = [o.shape[1] * o.shape[2] * o.shape[3] for o in objectness]
        flat, moved = concat_box_prediction_layers(objectness, offsets)
        flat, moved = flat.float(), moved.float()
        proposals = rpn.box_coder.decode(moved.detach(), anchors).view(count, -1, 4)
        boxes, _ = rpn.filter_proposals(proposals, flat, seen.image_sizes, by_level)
        return boxes, moved, flat.flatten(), anchors

    def _judge(
        self, features: dict[str, Tensor], boxes: list[Tensor], padded: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        pooled = self.roi_heads.box_roi_pool(features, boxes, [padded] * len(boxes))
        logits, offsets = self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))
        return logits, offsets

    def _own(self, objects: Objects, device: torch.device) -> Objects:
        """With the detector's own labels, from 1; boxes of other classes than its things are left out."""
        boxes, labels, crowds = (each.to(device) for each in objects)
        which = labels[:, None] == self._things
        kept = which.any(1)
        return Objects(boxes[kept], which[kept].long().argmax(1) + 1, crowds)

    def _compare_anchors(
        self, objectness: Tensor, offsets: Tensor, anchors: list[Tensor], known: Sequence[Objects]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rpn = self.rpn
        labels, matched = rpn.assign_targets_to_anchors(anchors, [{"boxes": each.boxes_B4} for each in known])
        labels = [_forgiven(a, b, k.crowds_B4) for a, b, k in zip(labels, anchors, known, strict=True)]
        targets = torch.cat(rpn.box_coder.encode(matched, anchors))
        right, wrong = (torch.cat(each) > 0 for each in rpn.fg_bg_sampler(labels))
        of_all, sampled = torch.cat(labels), right | wrong
        return objectness[sampled], of_all[sampled], offsets[right], targets[right]

    def _compare_proposals(
        self, features: dict[str, Tensor], padded: tuple[int, int], proposals: list[Tensor], known: Sequence[Objects]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The objects' own boxes are among the proposals, so that there is something right to learn from the start."""
        heads, boxes = self.roi_heads, [each.boxes_B4 for each in known]
        proposals = heads.add_gt_proposals(proposals, boxes)
        matched, labels = heads.assign_targets_to_proposals(proposals, boxes, [each.labels_B for each in known])
        labels = [_forgiven(a, b, k.crowds_B4) for a, b, k in zip(labels, proposals, known, strict=True)]
        sampled = heads.subsample(labels)
        proposals = [each[s] for each, s in zip(proposals, sampled, strict=True)]
        truth = [(b if len(b) else b.new_zeros(1, 4))[m[s]] for b, m, s in zip(boxes, matched, sampled, strict=True)]
        of_all = torch.cat([each[s] for each, s in zip(labels, sampled, strict=True)])
        targets = torch.cat(heads.box_coder.encode(truth, proposals))
        logits, offsets = self._judge(features, proposals, padded)
        right = of_all > 0
        own = offsets.reshape(len(of_all), -1, 4)[right, of_all[right]]
        return logits.float(), of_all, own.float(), targets[right]


def _forgiven(labels_B: Tensor, boxes_B4: Tensor, crowds_B4: Tensor) -> Tensor:
    """The labels with -1, which no sample takes, in place of 0 where a box lies by more than half in a crowd's."""
    if not len(crowds_B4):
        return labels_B
    top = torch.maximum(boxes_B4[:, None, :2], crowds_B4[None, :, :2])
    low = torch.minimum(boxes_B4[:, None, 2:], crowds_B4[None, :, 2:])
    inside = (low - top).clamp_min(0).prod(-1).amax(1)
    area = (boxes_B4[:, 2:] - boxes_B4[:, :2]).clamp_min(0).prod(-1)
    return torch.where((labels_B == 0) & (2 * inside > area), torch.full_like(labels_B, -1), labels_B)
