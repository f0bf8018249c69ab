"""What speaks for each instance at each pixel: the unary of the instance CRF (paper 002; Arnab and Torr, CVPR 2017).

The labels of that CRF are the detections and, behind them, one dummy detection of the whole image for each class of
stuff. Letters: K class, D detection, L label of the CRF, H W image size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_shape, require_word

DetectionScore = Literal["paper", "code"]
"""The score as it is, or as the published code has it: sigmoid(2 s - 1), which is e^s / (e^s + e^(1 - s))."""


def instance_evidence(
    probs_KHW: Tensor,
    masks_DHW: Tensor,
    labels_D: Tensor,
    scores_D: Tensor,
    *,
    stuff: Sequence[int],
    box_weight: Tensor | float,
    global_weight: Tensor | float,
    score: DetectionScore = "paper",
    boxed_stuff: bool = True,
    eps: float,
) -> Tensor:
    """(L, H, W) ln(w1 s Q [in the box] + w2 Q + eps), which is minus the unary energy.

    Q is the probability of the label's class at the pixel. A dummy detection has score 1 and the whole image for its
    box; without `boxed_stuff`, as in the published settings, the global term alone. There may be no detection at all.
    """
    require_axes("probabilities", probs_KHW, "KHW")
    require_shape("masks", masks_DHW, (len(labels_D), *probs_KHW.shape[1:]))
    require_shape("scores", scores_D, (len(labels_D),))
    require_word("score", score, DetectionScore)
    dummies_S = torch.tensor(list(stuff), dtype=torch.long, device=probs_KHW.device)
    scores_L = torch.cat([scores_D.to(probs_KHW), probs_KHW.new_ones(len(dummies_S))])
    if score == "code":
        scores_L = torch.sigmoid(2 * scores_L - 1)
    whole_SHW = probs_KHW.new_full((len(dummies_S), *probs_KHW.shape[1:]), float(boxed_stuff))
    inside_LHW = torch.cat([masks_DHW.to(probs_KHW), whole_SHW])
    probs_LHW = probs_KHW[torch.cat([labels_D.to(dummies_S), dummies_S])]
    return (box_weight * (scores_L[:, None, None] * inside_LHW) * probs_LHW + global_weight * probs_LHW + eps).log()
