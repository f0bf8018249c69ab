"""The two branches together: a class that the classifier does not see is silenced in the segmenter's answer (eq. 7).

`TwoBranch` is the pair as one network, which is what the method returns. `Fusion` is the same as a rule of two models,
for labelling and scoring without joining them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from segfrontier.lab import Known, Predictor, Predictors, Rule, SceneLabels, keep_known, known_map
from segfrontier.maths import AllMasked, large_classes, likely_classes, mask_classes
from segfrontier.models.classifier import ClassifierSpec, TagClassifier
from segfrontier.models.model import ModelSpec, SegModel

Size = tuple[int, int]


class Fused(NamedTuple):
    """What a segmenter says after classes were silenced."""

    logits: tuple[Tensor, ...]

    @property
    def mean_logits(self) -> Tensor:
        """The prediction."""
        return self.logits[0]


@dataclass(frozen=True, kw_only=True)
class TwoBranchSpec:
    """A segmenter and a classifier, trained apart, as one network."""

    segmenter: ModelSpec
    classifier: ClassifierSpec
    tau: float = 0.2
    tau_inclusive: bool = False
    all_masked: AllMasked = "unmasked"
    size: Size | None = None

    def origin(self) -> str:
        """All weights are those of the parts."""
        return "random"

    def build(self, *, seed: int) -> TwoBranch:
        """The network; the weights of its parts are filled in later, so none are looked for."""
        segmenter = replace(self.segmenter, pretrained="never").build(seed=seed)
        return TwoBranch(self, segmenter, replace(self.classifier, pretrained="never").build(seed=seed))


class TwoBranch(nn.Module):
    """Made by `TwoBranchSpec`."""

    def __init__(self, spec: TwoBranchSpec, segmenter: SegModel, classifier: TagClassifier) -> None:
        super().__init__()
        self.spec, self.segmenter, self.classifier = spec, segmenter, classifier

    def forward(self, images: Tensor) -> Fused:
        """(N, K, H, W) logits of images (N, 3, H, W) in [0, 1], absent classes below all others."""
        spec = self.spec
        tags_NK = self.classifier(resized(images, spec.size)).logits
        kept = likely_classes(tags_NK.sigmoid(), tau=spec.tau, inclusive=spec.tau_inclusive, all_masked=spec.all_masked)
        # A classifier that diverged must show: NaN is not above tau, and would pass for classes that are absent.
        unsound_N111 = 0 * tags_NK.sum(1)[:, None, None, None]
        return Fused((mask_classes(self.segmenter(images).mean_logits, kept) + unsound_N111,))


@dataclass(frozen=True, kw_only=True)
class LargeOnlySpec:
    """A segmenter whose small classes are silenced: the heuristics of Table 5, `least` a share of the image a class."""

    segmenter: ModelSpec
    least: tuple[float, ...]
    all_masked: AllMasked = "unmasked"

    def origin(self) -> str:
        """All weights are those of the segmenter."""
        return "random"

    def build(self, *, seed: int) -> LargeOnly:
        """The network; see `TwoBranchSpec.build`."""
        return LargeOnly(self, replace(self.segmenter, pretrained="never").build(seed=seed))


class LargeOnly(nn.Module):
    """Made by `LargeOnlySpec`."""

    def __init__(self, spec: LargeOnlySpec, segmenter: SegModel) -> None:
        super().__init__()
        self.spec, self.segmenter = spec, segmenter

    def forward(self, images: Tensor) -> Fused:
        """(N, K, H, W) logits of images (N, 3, H, W) in [0, 1], small classes below all others."""
        logits = self.segmenter(images).mean_logits
        least_K = torch.tensor(self.spec.least, dtype=torch.float64)
        return Fused((mask_classes(logits, large_classes(logits.argmax(1), least_K, all_masked=self.spec.all_masked)),))


@dataclass(frozen=True, kw_only=True)
class Tagging(Rule):
    """Which classes a classifier sees in an image."""

    size: Size | None = None

    def scores(self, classifier: Predictor, image: NDArray[np.uint8]) -> Tensor:
        """(1, K) probabilities."""
        pixels = torch.from_numpy(image).to(classifier.device).permute(2, 0, 1)[None].float().div_(255)
        with torch.inference_mode():
            logits_NK: Tensor = classifier.module(resized(pixels, self.size)).logits.float()
        return classifier.sound(logits_NK).sigmoid()

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:  # noqa: ARG002
        """See `Rule.label`; one model, the classifier."""
        scores_NK = self.scores(models.only, image)
        return SceneLabels(size=(image.shape[0], image.shape[1]), tag_scores=scores_NK[0].cpu().numpy())


@dataclass(frozen=True, kw_only=True)
class Fusion(Tagging):
    """Equation 7 as a rule of the models `segmenter` and `classifier`; labels that exist are never touched."""

    tau: float = 0.2
    tau_inclusive: bool = False
    all_masked: AllMasked = "unmasked"

    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:
        """See `Rule.label`."""
        scores_NK = self.scores(models["classifier"], image)
        kept = likely_classes(scores_NK, tau=self.tau, inclusive=self.tau_inclusive, all_masked=self.all_masked)
        logits = mask_classes(models["segmenter"].look(image).scores_NKHW, kept)
        confidence, labels = logits.softmax(1).max(1)
        semantic = labels[0].to(torch.uint8).cpu().numpy()
        return SceneLabels(
            size=(image.shape[0], image.shape[1]), semantic=keep_known(semantic, known_map(known)),
            confidence=confidence[0].cpu().numpy(), tag_scores=scores_NK[0].cpu().numpy(),
        )  # fmt: skip


def resized(images: Tensor, size: Size | None) -> Tensor:
    """Images at the size (height, width) that a classifier was trained at; None leaves them as they are."""
    if size is None or tuple(images.shape[-2:]) == tuple(size):
        return images
    return nn.functional.interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
