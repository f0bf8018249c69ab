"""The panoptic network: a segmenter and a detector, and the instance CRF that unites what both say.

Letters: N image, K class, D detection, L label of the CRF (the detections, then one dummy a class of stuff), H W.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.lab import Detections
from segfrontier.maths import DIN, DenseCRF, DetectionScore, Filtering, instance_evidence, mean_field
from segfrontier.models.detector import Detector, DetectorSpec
from segfrontier.models.model import ModelSpec, SegModel

Learns = Literal["crf", "all"]
"""What an instance stage trains: the weights of the two terms alone (piecewise), or the segmenter through them too."""


@dataclass(frozen=True, kw_only=True)
class PanopticSpec:
    """How segmenter and detector are united. The parts have their names; `lab.join` fills them with trained weights."""

    segmenter: ModelSpec
    detector: DetectorSpec
    stuff: tuple[int, ...]
    """Labels of the world's classes that cannot be counted; each has a dummy detection."""
    crf: DenseCRF | None = DIN
    """None leaves the pairwise terms out."""
    filtering: Filtering = "lattice"
    box_term: bool = True
    global_term: bool = True
    score: DetectionScore = "paper"
    boxed_stuff: bool = True
    eps: float = 1e-6
    weights_lr: float = 10.0
    """How much faster than all else the two weights learn."""
    learns: Learns = "all"

    def __post_init__(self) -> None:
        object.__setattr__(self, "stuff", tuple(self.stuff))
        if set(self.stuff) & set(self.detector.things) or not (self.box_term or self.global_term):
            raise BadInput(
                f"an instance CRF needs its box term, its global term or both, and no class that is stuff and thing; "
                f"found stuff {self.stuff}, things {self.detector.things}. Correct them."
            )
        if not (0 < self.eps < 1 and 0 < self.weights_lr < math.inf):
            raise BadInput(
                f"an instance CRF needs 0 < eps < 1 and weights_lr above 0; found {self.eps} and {self.weights_lr}. "
                f"Correct them."
            )

    def origin(self) -> str:
        """All weights are those of the parts."""
        return "random"

    def build(self, *, seed: int) -> PanopticNet:
        """The network; the weights of its parts are filled in later, so none are looked for."""
        segmenter = replace(self.segmenter, pretrained="never").build(seed=seed)
        return PanopticNet(self, segmenter, replace(self.detector, pretrained="never").build(seed=seed))


class Boxed(NamedTuple):
    """The detections of one image, on the device where they are wanted."""

    masks_DHW: Tensor
    labels_D: Tensor
    scores_D: Tensor

    @classmethod
    def of(cls, found: Detections, device: torch.device) -> Self:
        """Detections as a label set keeps them."""
        arrays = (found.mask, found.label.astype("int64"), found.score)
        return cls(*(torch.from_numpy(each).to(device) for each in arrays))


class Semantic(NamedTuple):
    """What the network says of single pixels' classes: the segmenter's own answer."""

    logits: tuple[Tensor, ...]

    @property
    def mean_logits(self) -> Tensor:
        """The prediction."""
        return self.logits[0]


class United(NamedTuple):
    """The segmenter's logits of a batch and, by image, the CRF's scores of its labels."""

    logits_NKHW: Tensor
    scores: list[Tensor]
    """(L, H, W) each, not normalised: their softmax over L is the marginal."""


class PanopticNet(nn.Module):
    """Made by `PanopticSpec`. The detector is fixed: it learned from the boxes, and knows nothing of masks."""

    def __init__(self, spec: PanopticSpec, segmenter: SegModel, detector: Detector) -> None:
        super().__init__()
        self.spec, self.segmenter, self.detector = spec, segmenter, detector
        detector.requires_grad_(False)
        if spec.learns == "crf":
            segmenter.requires_grad_(False)
        self.terms = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name, on in self._terms().items() if on})

    def train(self, mode: bool = True) -> Self:
        """Switch to training or evaluation; what does not learn stays in evaluation."""
        super().train(mode)
        self.detector.eval()
        if self.spec.learns == "crf":
            self.segmenter.eval()
        return self

    def forward(self, images: Tensor, found: Sequence[Boxed] | None = None) -> Semantic | United:
        """Of images (N, 3, H, W) in [0, 1] what any segmentation network says; with detections, instances too."""
        logits = self.segmenter(images).mean_logits
        if found is None:
            return Semantic((logits,))
        return United(logits, [self.unite(*each) for each in zip(logits, images, found, strict=True)])

    def unite(self, logits_KHW: Tensor, image_3HW: Tensor, found: Boxed) -> Tensor:
        """(L, H, W) scores of one image, in float32 whatever the logits' precision; L may be 0."""
        spec = self.spec
        kind = torch.float64 if logits_KHW.dtype == torch.float64 else torch.float32
        with torch.autocast(logits_KHW.device.type, enabled=False):
            evidence = instance_evidence(
                logits_KHW.to(kind).softmax(0), *found, stuff=spec.stuff, box_weight=self.weight("box"),
                global_weight=self.weight("global"), score=spec.score, boxed_stuff=spec.boxed_stuff, eps=spec.eps,
            )  # fmt: skip
            if spec.crf is None or not len(evidence):
                return evidence
            return mean_field(evidence, 255 * image_3HW.to(kind), spec.crf, by=spec.filtering)

    def weight(self, term: str) -> Tensor | float:
        """w1 or w2: 1 at first and never below 0; 0 for a term that is left out.

        A step of the root's size that changes a weight by the root again: under SGD it learns `weights_lr` times as
        fast as a plain parameter, with no optimiser of its own.
        """
        if term not in self.terms:
            return 0.0
        return (1 + math.sqrt(self.spec.weights_lr) * self.terms[term]).clamp_min(0)

    def _terms(self) -> dict[str, bool]:
        return {"box": self.spec.box_term, "global": self.spec.global_term}
