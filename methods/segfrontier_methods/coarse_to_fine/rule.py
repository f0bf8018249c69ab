"""The pseudo-label rule: all views agree, and their mean is confident; what people labelled is never touched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab import Known, Predictors, Rule, SceneLabels, keep_known, known_map
from segfrontier.maths import Glance, MeanOf, View, agreed_labels, apply_view, make_views

VOID = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreeAndConfident(Rule):
    """Section 3.2: the views are all `scales`, with and without a flip; see `Knobs` for the fields."""

    above: float = 0.9
    inclusive: bool = False
    mean_of: MeanOf = "logits"
    scales: tuple[float, ...] = (0.5, 1.0, 2.0)
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.above < 1:
            raise BadInput(f"a confidence threshold must lie in (0, 1); found {self.above}; the paper's is 0.9")

    @torch.inference_mode()
    def label(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> SceneLabels:
        """See `Rule.label`. Views are seen one by one; only their answers on the network's own grid are kept."""
        size, bought = (image.shape[0], image.shape[1]), known_map(known)
        wanted = torch.ones(size, dtype=torch.bool) if bought is None else torch.from_numpy(bought == VOID)
        pixels = torch.from_numpy(image).to(models.device).permute(2, 0, 1)[None].float().div_(255)
        views = make_views(scales=self.scales, flips=(False, True) if self.flips else (False,))
        glances = [_glance(models, pixels, view) for view in views]
        labels = agreed_labels(glances, wanted, above=self.above, inclusive=self.inclusive, of=self.mean_of)
        return SceneLabels(size=size, semantic=keep_known(labels.numpy(), bought))


def _glance(models: Predictors, pixels: Tensor, view: View) -> Glance:
    seen = apply_view(pixels, view)
    answer, shown = models.answer(seen), (seen.shape[-2], seen.shape[-1])
    return Glance.of(
        answer.logits[0], view, size=(pixels.shape[-2], pixels.shape[-1]), seen=shown, padded=answer.padded,
        align_corners=answer.align_corners,
    )  # fmt: skip
