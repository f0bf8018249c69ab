"""The game over whole images: a discriminator tells real label maps from made ones, a segmenter imitates the real.

Letters: N image, F feature. Paper 004's terms of it (Mittal, Tatarchenko, Brox), after Goodfellow and Salimans.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_shape, require_word
from segfrontier.maths.whole_batch import WholeBatch

MatchingNorm = Literal["l1", "l2"]


def real_or_fake(logits: Tensor, *, real: bool, counts: Tensor | None = None, over: WholeBatch | None = None) -> Tensor:
    """Mean binary cross-entropy of a discriminator's logits with one answer for all of them: 1 for real, 0 for fake.

    A discriminator learns with the true answer. A segmenter that wants to fool it asks for `real` on its own maps: the
    non-saturating form. `counts` says which logits count, e.g. pixels that have a label: then the mean is that of the
    whole batch `over`, however the counted ones lie in its shares, and 0 where none counts.
    """
    logits = logits if logits.dtype == torch.float64 else logits.float()
    wanted = torch.full_like(logits, float(real))
    if counts is None:
        return F.binary_cross_entropy_with_logits(logits, wanted) if logits.numel() else logits.sum()
    require_shape("what counts", counts, logits.shape)
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    mass = counts.sum() if over is None else over.total(counts.sum()) / over.shares
    return (each * counts).sum() / mass.to(each).clamp_min(1)


def feature_matching(
    real_NF: Tensor, fake_NF: Tensor, *, norm: MatchingNorm = "l1", over: WholeBatch | None = None
) -> Tensor:
    """How far the mean features of real and of made maps are apart (equation 2): mean |difference|, or its L2 norm.

    The means are those of the whole batch `over`, of which these are a share: every share sees the same distance, and
    the gradients that its shares contribute are those of the whole.
    """
    require_word("norm", norm, MatchingNorm)
    require_axes("real features", real_NF, "NF")
    require_shape("fake features", fake_NF, (len(fake_NF), real_NF.shape[1]))
    apart_F = real_NF.float().mean(0) - fake_NF.float().mean(0)
    if over is not None and over.shares > 1:
        apart_F = apart_F + (over.total(apart_F.detach()) / over.shares - apart_F).detach()
    return apart_F.abs().mean() if norm == "l1" else apart_F.norm()
