"""Learning from one's own best answers: images that a judge trusts are labelled with what the network says of them.

Letters: N image, K class, H W.
"""

from __future__ import annotations

import torch
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_bools, require_shape, require_within
from segfrontier.maths.losses import cross_entropy
from segfrontier.maths.whole_batch import WholeBatch


def trusted(scores_N: Tensor, *, least: float, strict: bool = False) -> Tensor:
    """(N) truth values: whose score is at least so high (equation 3 of paper 004), or strictly higher (its code)."""
    require_within("the least score", least, 0, 1)
    return scores_N > least if strict else scores_N >= least


def self_training_loss(logits_NKHW: Tensor, trusted_N: Tensor, *, over: WholeBatch | None = None) -> Tensor:
    """Cross-entropy with the likeliest classes, over all pixels of the trusted images; of pixels, with NHW trust.

    The mean over the trusted pixels of the whole batch `over`; 0, with a gradient of zero, where nothing is trusted.
    """
    require_axes("logits", logits_NKHW, "NKHW")
    require_bools("trust", trusted_N)
    labels_NHW = logits_NKHW.detach().argmax(1)
    if trusted_N.dim() == 1:
        require_shape("trust", trusted_N, labels_NHW.shape[:1])
        trusted_N = trusted_N[:, None, None].expand_as(labels_NHW)
    require_shape("trust", trusted_N, labels_NHW.shape)
    void = torch.full_like(labels_NHW, 255)
    return cross_entropy(logits_NKHW, torch.where(trusted_N, labels_NHW, void), over=over)
