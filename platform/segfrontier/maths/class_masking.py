"""Silencing classes that an image does not show (equation 7 of paper 004, and the heuristics of its Table 5).

Letters: N image, K class, H W. Masked classes must not win anywhere: zero probability, or a logit below all others.
Zero *logits*, as in the published code, beat negative ones.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_bools, require_shape, require_within, require_word

AllMasked = Literal["unmasked", "first"]
"""Where every class of an image is masked: nothing is known against any of them, so none is; or the argmax of zeros,
which is the first class (VOC's background)."""
_BELOW = 20.0  # exp(-20) = 2e-9: less than float32 resolves beside the image's least likely class


def likely_classes(scores_NK: Tensor, *, tau: float, inclusive: bool = False, all_masked: AllMasked) -> Tensor:
    """(N, K) truth values: classes whose score is above tau, or at it too if `inclusive`; never none of an image."""
    require_axes("scores", scores_NK, "NK")
    require_within("tau", tau, 0, 1)
    return _never_none(scores_NK >= tau if inclusive else scores_NK > tau, all_masked)


def large_classes(labels_NHW: Tensor, least_K: Tensor, *, all_masked: AllMasked) -> Tensor:
    """(N, K) truth values: classes that cover at least a share of the image, each its own; never none of an image."""
    require_axes("labels", labels_NHW, "NHW")
    size = labels_NHW.shape[1] * labels_NHW.shape[2]
    counts_NK = torch.stack([(labels_NHW == label).sum((1, 2)) for label in range(len(least_K))], dim=1)
    return _never_none((counts_NK > 0) & (counts_NK >= least_K.to(counts_NK.device) * size), all_masked)


def mask_classes(logits_NKHW: Tensor, kept_NK: Tensor) -> Tensor:
    """Logits with every class that is not kept below all of its image's own: its probability is zero, up to rounding.

    Finite, so that logits can still be averaged and resized.
    """
    require_axes("logits", logits_NKHW, "NKHW")
    require_bools("kept", kept_NK)
    require_shape("kept", kept_NK, logits_NKHW.shape[:2])
    below_N111 = logits_NKHW.amin((1, 2, 3), keepdim=True) - _BELOW
    return torch.where(kept_NK[:, :, None, None], logits_NKHW, below_N111)


def _never_none(kept_NK: Tensor, all_masked: AllMasked) -> Tensor:
    require_word("all_masked", all_masked, AllMasked)
    none_N1 = ~kept_NK.any(1, keepdim=True)
    instead_NK = torch.ones_like(kept_NK)
    if all_masked == "first":
        instead_NK = torch.arange(kept_NK.shape[1], device=kept_NK.device).eq(0).expand_as(kept_NK)
    return kept_NK | (none_N1 & instead_NK)
