"""Where stuff is: a classifier that learns from the tags of fixed crops, and seeds of the classes that it looks at.

    tags = lab.buy(Tags(scenes, PAPER_002, things=False))
    part = Part(images=lab.pool, labels={"tags": tags, "boxes": boxes})
    objective = LearnTags(classifier=classifier_network(recipe, len(lab.classes)), things=lab.classes.things)
    classifier = lab.train(objective, {"tags": tag_stream(part, recipe.batch)}, recipe.plan())
    seeds = lab.label(classifier, part, StuffSeeds())

Tags of things are not bought: a crop that a box of a class meets is taken to show it. Crops keep their share of an
image of any size; one with fewer pixels than there are different crops is refused when its tags are bought.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab import (
    PAPER_002,
    Augment,
    Batch,
    Known,
    Loss,
    Moment,
    Nets,
    Network,
    Objective,
    Part,
    Predictors,
    Recipe,
    Rule,
    SceneLabels,
    Stream,
    Tiling,
    stable_seed,
)
from segfrontier.maths import (
    PlacedMask,
    boxed_in_tiles,
    cam_masks,
    linear_cam,
    require_finite,
    smaller_wins,
    tags_of_tiles,
)
from segfrontier.models.classifier import ClassifierSpec, TagClassifier
from segfrontier.models.model import ModelSpec

CLASSIFIER, TAGS, BOXES = "classifier", "tags", "boxes"
ThingTags = Literal["boxes", "tags", "none"]
"""What says which things a crop shows: the boxes that meet it, bought tags (`things=True`), or nothing."""


def classifier_network(recipe: Recipe, classes: int, **changes: Any) -> Network:
    """A classifier on the recipe's segmentation trunk, which learns as the recipe says; `changes` are its fields."""
    network = recipe.network(1)
    like = network.blueprint
    assert isinstance(like, ModelSpec)
    spec = ClassifierSpec(
        encoder=like.encoder, pretrained=like.pretrained, norm=like.norm, output_stride=like.output_stride,
        num_classes=classes,
    )  # fmt: skip
    return replace(network, **({"blueprint": spec} | changes))


def tag_stream(part: Part, batch: int, *, colour: float = 0.0, resize: tuple[int, int] | None = None) -> Stream:
    """Whole images as they are: the crops are fixed, and one that is moved may not show what its tags say.

    Images of several sizes need `batch` 1, or one size (height, width) that they are brought to.
    """
    return Stream(parts=(part,), batch=batch, augment=Augment(colour=colour, resize=resize))


@dataclass(frozen=True, kw_only=True)
class LearnTags(Objective):
    """Binary cross-entropy, averaged over the classes, of one of the fixed crops of each image.

    One stream whose part has the label set `tags`, and `boxes` where these say what things are there. A class of which
    nothing is known in a crop counts for nothing.
    """

    gives_maps: ClassVar[bool] = False

    classifier: Network
    things: tuple[int, ...]
    tiling: Tiling = PAPER_002
    thing_tags: ThingTags = "boxes"
    zoom: float = 1.0
    """Crops are looked at so much larger."""

    def networks(self) -> Mapping[str, Network]:
        """The classifier."""
        return {CLASSIFIER: self.classifier}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Which crop an image shows is drawn anew for each step, and for each image by its name."""
        (shown,) = batch.values()
        spec = self.classifier.blueprint
        assert isinstance(spec, ClassifierSpec)
        crops, targets = [], []
        chosen, height, width = int(at.rng.integers(2**31)), *shown.image.shape[-2:]
        tiles_T4 = self.tiling.crops(height, width)
        for image, scene, tags, boxes in zip(shown.image, shown.scene, *self._known(shown), strict=True):
            at_tile = stable_seed(chosen, scene) % len(tiles_T4)
            known = tile_tags(
                tags, boxes, tiles_T4, things=self.things, num_classes=spec.num_classes, by=self.thing_tags
            )
            x0, y0, x1, y1 = tiles_T4[at_tile].tolist()
            crops.append(image[:, y0:y1, x0:x1])
            targets.append(known[at_tile])
        targets_NK = torch.from_numpy(np.stack(targets)).to(shown.image.device)
        known_NK = targets_NK >= 0
        logits_NK = nets[CLASSIFIER](zoomed(torch.stack(crops), self.zoom)).logits.float()
        apart_NK = F.binary_cross_entropy_with_logits(logits_NK, targets_NK.clamp(min=0).float(), reduction="none")
        yield Loss("tags", at.mean((apart_NK * known_NK).sum(), known_NK.sum()))

    def _known(self, shown: Batch) -> tuple[Sequence[SceneLabels], Sequence[SceneLabels]]:
        if TAGS not in shown.labels or (self.thing_tags == "boxes" and BOXES not in shown.labels):
            raise BadInput(
                f"a classifier learns from label sets named {TAGS!r} and, with thing_tags boxes, {BOXES!r}; found "
                f"{', '.join(shown.labels) or 'none'}. Give its part both, or choose thing_tags tags or none."
            )
        return shown.labels[TAGS], shown.labels.get(BOXES, shown.labels[TAGS])


def tile_tags(
    tags: SceneLabels, boxes: SceneLabels, tiles_T4: NDArray[np.int64], *, things: Sequence[int], num_classes: int,
    by: ThingTags,
) -> NDArray[np.int64]:  # fmt: skip
    """(T, K) 1 where a tile shows a class, 0 where it does not, -1 where nobody said."""
    found = np.full((len(tiles_T4), num_classes), -1, np.int64)
    if tags.tags is not None:
        found[:] = tags_of_tiles(tags.tags, tiles=len(tiles_T4), num_classes=num_classes)
    if by != "tags":
        found[:, list(things)] = -1
    if by == "boxes" and boxes.boxes is not None:
        boxed_TK = boxed_in_tiles(boxes.boxes, tiles_T4, num_classes=num_classes)
        found[:, list(things)] = boxed_TK[:, list(things)]
    return found


@dataclass(frozen=True, kw_only=True)
class StuffSeeds(Rule):
    """Seeds of the stuff that is tagged in each crop: where the classifier's evidence reaches `share` of its maximum.

    Where maps overlap, within a crop or between two, the one that covers fewer pixels of its own crop wins. A class for
    which nothing in its crop speaks has no seed there, and an image without tags has none at all.
    """

    share: float = 0.5
    tiling: Tiling = PAPER_002
    zoom: float = 1.0
    """As in the classifier's training."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise BadInput(f"seeds reach a share of the maximum in [0, 1]; found {self.share}. Correct it.")

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:
        """See `Rule.label`; one model, the classifier, that sees one crop at a time as it learned to."""
        size = (image.shape[0], image.shape[1])
        masks = [
            PlacedMask(mask, label, seen.corner)
            for seen in self.seen(models, image, tags_known(known))
            for mask, label in zip(cam_masks(seen.cams_KHW, share=self.share), seen.labels, strict=True)
        ]
        return SceneLabels(size=size, semantic=smaller_wins(masks, size=size))

    def seen(self, models: Predictors, image: NDArray[np.uint8], tags: SceneLabels) -> Iterator[Seen]:
        """Crop by crop, for those in which stuff is tagged, the evidence for it."""
        size, model = (image.shape[0], image.shape[1]), models.only
        net, classes = model.module, model.classes
        if not isinstance(net, TagClassifier):
            raise BadInput(f"seeds are those of a tag classifier; found a {type(net).__name__}. Train one.")
        tiles_T4 = self.tiling.crops(*size)
        rows = np.zeros((0, 2), np.int32) if tags.tags is None else tags.tags
        present_TK = tags_of_tiles(rows, tiles=len(tiles_T4), num_classes=len(classes))
        present_TK[:, list(classes.things)] = False
        asked = np.flatnonzero(present_TK.any(axis=1))
        pixels = torch.from_numpy(image.copy()).to(model.device).permute(2, 0, 1).float().div_(255)
        with torch.inference_mode():
            cams = class_maps(net, pixels, tiles_T4[asked], zoom=self.zoom)
        for (x0, y0, _, _), present_K, cams_KHW in zip(tiles_T4[asked].tolist(), present_TK[asked], cams, strict=True):
            labels = np.flatnonzero(present_K)
            yield Seen(cams_KHW[labels], tuple(labels.tolist()), (y0, x0))


class Seen(NamedTuple):
    """The evidence for the stuff that is tagged in a crop, whose first pixel is at (y, x) `corner`."""

    cams_KHW: NDArray[np.float32]
    labels: tuple[int, ...]
    corner: tuple[int, int]


def zoomed(images_N3HW: Tensor, by: float) -> Tensor:
    """The images so much larger, as they are by 1."""
    if by == 1:
        return images_N3HW
    return F.interpolate(images_N3HW, scale_factor=by, mode="bilinear", align_corners=False)


def class_maps(
    net: TagClassifier, image_3HW: Tensor, tiles_T4: NDArray[np.int64], *, zoom: float = 1.0
) -> list[NDArray[np.float32]]:
    """The evidence (K, h, w) for every class in each crop, at the crop's size; crops of one size go together."""
    found: list[NDArray[np.float32]] = [np.zeros((0, 0, 0), np.float32)] * len(tiles_T4)
    sizes = [(int(y1 - y0), int(x1 - x0)) for x0, y0, x1, y1 in tiles_T4]
    for size in dict.fromkeys(sizes):
        alike = [place for place, one in enumerate(sizes) if one == size]
        corners = [tiles_T4[place, :2].tolist() for place in alike]
        crops = torch.stack([image_3HW[:, y : y + size[0], x : x + size[1]] for x, y in corners])
        for place, cams_KHW in zip(alike, _maps(net, zoomed(crops, zoom), size), strict=True):
            found[place] = cams_KHW.cpu().numpy()
    return found


def _maps(net: TagClassifier, crops_N3HW: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, K, h, w) at a size, of crops that may have been enlarged."""
    height, width = crops_N3HW.shape[-2:]
    features_NChw = net(crops_N3HW).features.float()
    require_finite("the features of the classifier", features_NChw)
    cams_NKhw = torch.stack([linear_cam(one, net.classify.weight.float()) for one in features_NChw])
    padded = net.encoder.padded_size(height, width)
    cams_NKHW = F.interpolate(cams_NKhw, size=padded, mode="bilinear", align_corners=False)[..., :height, :width]
    if (height, width) == size:
        return cams_NKHW
    return F.interpolate(cams_NKHW, size=size, mode="bilinear", align_corners=False)


def tags_known(known: Known) -> SceneLabels:
    """The tags of a scene, of the only label set or of the one named `tags`."""
    if known is None or (isinstance(known, Mapping) and TAGS not in known):
        names = ", ".join(known) if isinstance(known, Mapping) else "none"
        raise BadInput(f"seeds need a label set named {TAGS!r}; found {names}. Buy tags, and give them to the part.")
    return known[TAGS] if isinstance(known, Mapping) else known
