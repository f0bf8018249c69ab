"""Where branches agree: measured and drawn at several moments of a training, like the paper's Fig. 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.lab import Gauge, Known, Part, Predictor, Predictors, Sketch
from segfrontier.maths import branch_labels, variation_ratio

_EASY, _HARD = (225, 232, 240), (200, 30, 30)


@torch.inference_mode()
def ratios(predictor: Predictor, image: NDArray[np.uint8]) -> Tensor:
    """(H, W) the variation ratio of a model's branches."""
    pixels = torch.from_numpy(image).to(predictor.device).permute(2, 0, 1)[None].float().div_(255)
    logits = [predictor.sound(branch) for branch in predictor.module(pixels).logits]
    return variation_ratio(branch_labels(logits))[0]


@dataclass(frozen=True, kw_only=True)
class EasyShare(Gauge):
    """The share of an image's pixels that are easy, at every look."""

    looks: tuple[str, ...]
    easy_up_to: float

    def shapes(self, classes: int) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """See `Gauge.shapes`."""
        return {"easy": (len(self.looks),)}

    def measure(
        self,
        models: Predictors,
        image: NDArray[np.uint8],
        known: Known,  # noqa: ARG002
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Gauge.measure`."""
        easy = [(ratios(models[look], image) <= self.easy_up_to).float().mean().item() for look in self.looks]
        return {"easy": np.asarray(easy, np.float32)}


@dataclass(frozen=True, kw_only=True)
class Growing(Sketch):
    """Prediction and agreement over training: pale where the branches agree, the redder the less they do."""

    note: ClassVar[str] = "Beside each prediction: pale where the branches agree, the redder the less they do."

    easy_up_to: float

    def panels(self, models: Predictors, part: Part, scene: str) -> Sequence[tuple[str, NDArray[np.uint8]]]:
        """See `Sketch.panels`."""
        image = part.images.image(scene)
        panels = [(scene, image)]
        for look, predictor in models.items():
            seen = predictor.classes.palette[predictor.look(image).confidence()[1][0].cpu().numpy()]
            ratios_HW = ratios(predictor, image).cpu().numpy()
            easy = float((ratios_HW <= self.easy_up_to).mean())
            panels += [(f"{look}: prediction", seen), (f"{look}: {1 - easy:.0%} hard", agreement_map(ratios_HW))]
        return panels


def agreement_map(ratios_HW: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(H, W, 3): pale at ratio 0, red at the largest that is there."""
    largest = max(float(ratios_HW.max()), 1e-9)
    share = np.asarray(ratios_HW / largest)[..., None]
    return np.asarray(np.rint(np.asarray(_EASY) * (1 - share) + np.asarray(_HARD) * share), np.uint8)
