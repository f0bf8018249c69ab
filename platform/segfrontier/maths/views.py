"""Test-time augmentation: looking at an image flipped and rescaled, and folding what was seen into one answer.

Letters: N image, C channel, K class, H W the answer's size, h w a view's size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_finite,
    require_positive,
    require_shape,
    require_word,
)

Of = Literal["logits", "probabilities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One way to look at an image: resized by `scale`, then mirrored left to right if `flip`."""

    scale: float = 1.0
    flip: bool = False

    def __post_init__(self) -> None:
        require_positive("the scale of a view", self.scale)


def make_views(*, scales: Sequence[float], flips: Sequence[bool] = (False, True)) -> tuple[View, ...]:
    """Every flip with every scale."""
    return tuple(View(scale=scale, flip=flip) for flip in flips for scale in scales)


def six_views() -> tuple[View, ...]:
    """The pseudo-labelling views of paper 000: {as it is, mirrored} x {0.5, 1, 2}."""
    return make_views(scales=(0.5, 1.0, 2.0))


def apply_view(images_NCHW: Tensor, view: View, *, align_corners: bool = False) -> Tensor:
    """The images as the view shows them."""
    require_axes("images", images_NCHW, "NCHW")
    height, width = (max(1, round(side * view.scale)) for side in images_NCHW.shape[-2:])
    images_NChw = _resize(images_NCHW, (height, width), align_corners)
    return images_NChw.flip(-1) if view.flip else images_NChw


def undo_view(scores_NKhw: Tensor, view: View, *, size: tuple[int, int], align_corners: bool = False) -> Tensor:
    """Scores seen through the view, back in the image's own frame at `size` (height, width)."""
    require_axes("scores", scores_NKhw, "NKhw")
    require_at_least("height and width", min(size), 1)
    upright_NKhw = scores_NKhw.flip(-1) if view.flip else scores_NKhw
    return _resize(upright_NKhw, size, align_corners)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewMean:
    """What several views say together: their mean scores, and where all of them name the same class."""

    scores_NKHW: Tensor
    agree_NHW: Tensor
    of: Of

    def confidence(self) -> tuple[Tensor, Tensor]:
        """The highest class probability of the mean and the class it belongs to, both NHW.

        `Diverged` where there is none, because a logit is not finite: NaN is below every threshold, and would pass for
        a network that is unsure.
        """
        probs_NKHW = self.scores_NKHW.softmax(1) if self.of == "logits" else self.scores_NKHW
        confidence_NHW, labels_NHW = probs_NKHW.max(dim=1)
        require_finite("the confidence of a network", confidence_NHW)
        return confidence_NHW, labels_NHW


def mean_over_views(
    forward: Callable[[Tensor], Tensor],
    images_NCHW: Tensor,
    *,
    views: Sequence[View],
    of: Of = "logits",
    size: tuple[int, int] | None = None,
    align_corners: bool = False,
) -> ViewMean:
    """Fold the views one by one: only a running sum and the view at hand ever exist at full size.

    `forward` maps images to logits; `size` is the answer's (height, width), the images' own unless told. The mean of
    logits and the mean of probabilities decide differently near a threshold; paper 000 takes the logits.
    """
    if not views:
        raise ValueError("a mean over views needs at least one view; found none; pass e.g. six_views()")
    require_word("of", of, Of)
    size = (images_NCHW.shape[-2], images_NCHW.shape[-1]) if size is None else size
    total_NKHW, first_NHW, agree_NHW = None, None, None
    for view in views:
        logits_NKhw = forward(apply_view(images_NCHW, view, align_corners=align_corners)).float()
        logits_NKHW = undo_view(logits_NKhw, view, size=size, align_corners=align_corners)
        labels_NHW = logits_NKHW.argmax(dim=1)
        scores_NKHW = logits_NKHW.softmax(1) if of == "probabilities" else logits_NKHW
        if total_NKHW is None or first_NHW is None or agree_NHW is None:
            total_NKHW, first_NHW = scores_NKHW.clone(), labels_NHW
            agree_NHW = torch.ones_like(labels_NHW, dtype=torch.bool)
        else:
            require_shape("the scores of a view", scores_NKHW, total_NKHW.shape)
            total_NKHW += scores_NKHW
            agree_NHW &= labels_NHW == first_NHW
        del logits_NKhw, logits_NKHW, scores_NKHW  # or they would stay in memory during the next forward
    assert total_NKHW is not None and agree_NHW is not None
    return ViewMean(scores_NKHW=total_NKHW.div_(len(views)), agree_NHW=agree_NHW, of=of)


def _resize(maps_NCHW: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    if tuple(maps_NCHW.shape[-2:]) == tuple(size):
        return maps_NCHW
    return F.interpolate(maps_NCHW, size=size, mode="bilinear", align_corners=align_corners)
