"""Every constant of paper 002 by name, every gap of its text as a choice. Defaults are the paper's on Cityscapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from segfrontier.errors import BadInput
from segfrontier.lab import LATER
from segfrontier.maths import DEEPLAB, DIN, Cleaning, CleaningStep, DenseCRF, DetectionScore, Filtering
from segfrontier_methods.weak_panoptic.box_masks import BoxMasks, Source
from segfrontier_methods.weak_panoptic.cleaning import ScoresOf
from segfrontier_methods.weak_panoptic.detector import Detect
from segfrontier_methods.weak_panoptic.grabcut import Crop, GrabCut, Guard
from segfrontier_methods.weak_panoptic.instance_crf import Learns
from segfrontier_methods.weak_panoptic.instances import Rank
from segfrontier_methods.weak_panoptic.learned_edges import learned_origin
from segfrontier_methods.weak_panoptic.proposals import GRADIENT, Hierarchy, Proposals
from segfrontier_methods.weak_panoptic.tags import ThingTags

_VOID = 255


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """The knobs of `weak_panoptic`."""

    split_kinds: ClassVar[tuple[str, str]] = ("fine", "box")
    demo: ClassVar[Mapping[str, object]] = {
        "instances": "none", "rounds": 0, "lr": None, "tag_lr": None, "box_share": 0.66, "side": 48,
        "tag_zoom": 3.0, "tag_stride": 16, "judged_scenes": 0, "masks": "grabcut",
        "pictures": 0,
    }  # fmt: skip
    """A semantic map alone, without rounds: sixty steps are few for a detector that a map does not show. GrabCut alone
    makes masks in half the time, and of boxes that small as good ones."""

    split: float = 0.0
    """The share of the budget for fine masks (semi-supervision): 0 is boxes and tags alone, 1 full supervision."""
    box_share: float = 0.69
    """The share of what is left that buys boxes; tags of the same images get the rest (Cityscapes: 125.3 s an image of
    182.3). Without classes to tag, boxes get all."""
    background: str | None = None
    """The class of what no box holds, as VOC has one; its pixels need no tag. None: they are void until tags speak."""

    masks: Source = "both"
    """What makes masks of boxes: GrabCut, segment proposals, where both agree, or the box itself, the baseline."""
    margin: float = 0.5
    side: int = 128
    """A box is looked at with this margin on each side, as a share of it, at this longer side in pixels."""
    guard: tuple[float, float] = (0.2, 0.95)
    """A mask below or above these shares of its box is not believed: the core is kept, the rest is void."""
    core: tuple[float, float] = (0.3, 0.7)
    grabcut_rounds: int = 5
    hierarchy: Hierarchy = "plain"
    regions: tuple[int, ...] = (4, 8, 16, 32)
    grouped: int = 4
    edge_scales: tuple[float, ...] = (1.0, 2.0, 4.0)
    """Flat cuts of so many regions each, at most so many neighbours to a proposal, scales of the boundary map."""
    edges: Literal["gradient", "learned"] = field(default="gradient", metadata=LATER)
    """What proposals take for boundaries: changes of colour, or what HED learned from BSDS500 (the extra `edges`)."""
    rejected: Literal["void", "background"] = "void"
    """What all sources reject inside a box, where there is a background class."""
    clash: Literal["void", "smaller"] = "void"
    """Pixels of two boxes of different classes; those of one class are void."""

    thing_tags: ThingTags = "boxes"
    """What says which things a crop shows; `tags` buys their tags, too."""
    tag_stride: int | None = 8
    """Output stride of the classifier, as that of the paper's trunk. None: the recipe's."""
    tag_zoom: float = 1.0
    """Crops are looked at so much larger: of small images they are a handful of features otherwise."""
    cam_share: float = 0.5
    """Seeds of a class reach this share of its highest evidence (0.15 in Grad-CAM's paper)."""

    rounds: int = 2
    """How often the segmenter trains on its own cleaned predictions. The paper says until the loss falls no more on
    Cityscapes, and never on VOC."""
    round_lr: float = 0.5
    """What a further round multiplies the learning rate by."""
    steps: tuple[CleaningStep, ...] = ("score", "tags", "merge", "prior", "fill")
    """How predictions are cleaned: the published code's five steps. The paper's text has `prior` alone."""
    least_score: float = 0.99
    scores_of: ScoresOf = "network"
    merge_rounds: int = 5
    least_coverage: float = 0.5
    fill_groups: bool = False
    crf: bool = True
    """Whether predictions go through the DenseCRF first."""
    crf_scale: float = 1.0
    """Multiplies the spatial widths of both CRFs, whose 3 and 49 pixels are those of photographs."""
    crf_rounds: int = 10

    instances: Literal["end_to_end", "piecewise", "none"] = "end_to_end"
    """How the instance module is trained: through its CRF, by its detector alone, or there is none."""
    learns: Learns = "all"
    pairwise: bool = True
    filtering: Filtering = "lattice"
    box_term: bool = True
    global_term: bool = True
    boxed_stuff: bool = True
    """Whether stuff's dummy detections have a box term, as the paper writes; the published network has none."""
    detection_score: DetectionScore = "paper"
    eps: float = 1e-6
    weights_lr: float = 10.0
    beside: float = 0.0
    """Weight of the segmenter's own cross-entropy in the end-to-end training."""
    above: float = 0.5
    nms: float = 0.3
    rank: Rank = "confidence"
    """What orders instances for AP; the oracle's order is always scored beside it."""
    ap: Literal["voc", "cityscapes"] = "cityscapes"
    """Whose thresholds AP^r_vol is the mean of: 0.1 to 0.9, or 0.5 to 0.95."""
    detector_width: int = 256
    detector_hidden: int = 1024
    anchor: float = 8.0
    """Side of an anchor in features of its level; less where objects are small."""

    lr: float | None = 1e-4
    """Of the segmenter's SGD, fixed within a round. None: the recipe's own optimiser and schedule in all trainings."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    instance_lr: float = 0.1
    """What the end-to-end training multiplies the segmenter's first learning rate by."""
    tag_lr: float | None = 1e-4
    """Of the classifier's SGD, fixed. None: the recipe's."""
    detector_clip: float = 5.0
    """The norm that a step's gradient of the detector is clipped to."""

    judged_scenes: int = 10
    """Synthetic scenes on which masks and proposals are judged by objects' size, where the world has such scenes."""
    pictures: int = 2
    """Scenes whose labels are drawn from boxes to rounds, and that the classifier's evidence is drawn over."""

    def __post_init__(self) -> None:
        for name, (holds, rule) in self._rules().items():
            if not holds:
                raise BadInput(f"weak_panoptic needs {rule}; found {name}: {getattr(self, name)}; correct it")
        self.cleaning(), self.crf_of(DEEPLAB), self.detect(), self.sources()  # each says what it needs

    def _rules(self) -> Mapping[str, tuple[bool, str]]:
        return {
            "split": (0 <= self.split <= 1, "a share `split` for fine masks in [0, 1]"),
            "box_share": (0 < self.box_share < 1, "a box_share between 0 and 1, for boxes are bought before tags"),
            "rejected": (
                self.rejected == "void" or self.background is not None,
                "a class `background` where what all sources reject is background",
            ),
            "edges": (
                self.edges == "gradient" or self.masks in ("proposals", "both"),
                "masks proposals or both where edges are learned, for no other source looks at edges",
            ),
            "tag_stride": (self.tag_stride is None or self.tag_stride >= 1, "a tag_stride of 1 or more, or null"),
            "tag_zoom": (1 <= self.tag_zoom <= 8, "a tag_zoom from 1 to 8"),
            "cam_share": (0 <= self.cam_share <= 1, "a cam_share in [0, 1]"),
            "rounds": (self.rounds >= 0, "rounds of 0 or more"),
            "round_lr": (_positive(self.round_lr), "a positive round_lr"),
            "scores_of": (self.scores_of == "network" or self.crf, "a CRF where scores are the CRF's"),
            "crf_scale": (_positive(self.crf_scale), "a positive crf_scale"),
            "box_term": (
                self.instances == "none" or self.box_term or self.global_term,
                "a box_term, a global_term or both where there is an instance module",
            ),
            "eps": (0 < self.eps < 1, "an eps between 0 and 1"),
            "weights_lr": (_positive(self.weights_lr), "a positive weights_lr"),
            "beside": (0 <= self.beside < math.inf, "a weight `beside` that is not negative"),
            "detector_width": (self.detector_width >= 1, "a detector_width of 1 or more"),
            "detector_hidden": (self.detector_hidden >= 1, "a detector_hidden of 1 or more"),
            "anchor": (_positive(self.anchor), "a positive anchor"),
            "lr": (self.lr is None or _positive(self.lr), "a positive lr, or null for the recipe's"),
            "momentum": (0 <= self.momentum < 1, "a momentum in [0, 1)"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "a weight_decay that is not negative"),
            "instance_lr": (_positive(self.instance_lr), "a positive instance_lr"),
            "tag_lr": (self.tag_lr is None or _positive(self.tag_lr), "a positive tag_lr, or null for the recipe's"),
            "detector_clip": (_positive(self.detector_clip), "a positive detector_clip"),
            "judged_scenes": (self.judged_scenes >= 0, "judged_scenes of 0 or more"),
            "background": (
                self.background is None or self.thing_tags != "tags",
                "thing_tags boxes or none beside a background, for no tags are bought there",
            ),
            "pictures": (self.pictures >= 0, "pictures of 0 scenes or more"),
        }  # fmt: skip

    def sources(self, background: int | None = None, *, classes: int = _VOID) -> BoxMasks:
        """What makes masks of boxes, of a world with so many classes."""
        crop, guard = (
            Crop(margin=self.margin, side=self.side),
            Guard(least=self.guard[0], most=self.guard[1], core=self.core),
        )
        return BoxMasks(
            masks=self.masks, grabcut=GrabCut(crop=crop, guard=guard, rounds=self.grabcut_rounds),
            proposals=Proposals(
                crop=crop, guard=guard, hierarchy=self.hierarchy, counts=self.regions, together=self.grouped,
                scales=self.edge_scales, edges=GRADIENT if self.edges == "gradient" else learned_origin(),
            ),
            background=background, rejected=self.rejected if background is not None else "void", clash=self.clash,
            num_classes=classes,
        )  # fmt: skip

    def cleaning(self, background: int | None = None, *, tags: bool = True) -> Cleaning:
        """How labels are cleaned; things' pixels outside their boxes are background, where there is such a class."""
        steps = tuple(step for step in self.steps if tags or step != "tags")
        return Cleaning(
            steps=steps, least_score=self.least_score, least_coverage=self.least_coverage,
            merge_rounds=self.merge_rounds, fill_groups=self.fill_groups,
            outside=_VOID if background is None else background,
        )  # fmt: skip

    def crf_of(self, kind: DenseCRF) -> DenseCRF:
        """A CRF whose widths are this study's pixels; `crf_rounds` are DeepLab's, the instance CRF has its own."""
        xy = {name: getattr(kind, name) * self.crf_scale for name in ("spatial_xy", "bilateral_xy")}
        return replace(kind, **xy, iterations=kind.iterations if kind is DIN else self.crf_rounds)

    def detect(self) -> Detect:
        """What counts as found."""
        return Detect(above=self.above, nms=self.nms)


def _positive(value: float) -> bool:
    """And finite: what is infinite trains nothing."""
    return 0 < value < math.inf
