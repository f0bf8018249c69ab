"""How unsure class probabilities are: weighted self-information and its sum, the normalised entropy.

Letters: N image, K class, * any further axes. The maps of AdvEnt (Vu et al., CVPR 2019), which paper 001 builds on:
-p log2(p + 1e-30) / log2(K), so that the K channels of a pixel add up to a number in [0, 1].
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_EPSILON = 1e-30


def self_information(probs_NK: Tensor) -> Tensor:
    """Each class's share of the normalised entropy; the shape stays, half precision becomes float32."""
    num_classes = probs_NK.shape[1] if probs_NK.dim() > 1 else 0
    if num_classes < 2:
        raise ValueError(
            f"entropy needs at least 2 classes on axis 1; found {num_classes}; pass probabilities, N first"
        )
    # 1e-30 is 0 in half precision, where a probability of 0 would give 0 * -inf.
    probs_NK = probs_NK if probs_NK.dtype == torch.float64 else probs_NK.float()
    return -probs_NK * torch.log2(probs_NK + _EPSILON) / math.log2(num_classes)


def normalised_entropy(probs_NK: Tensor) -> Tensor:
    """0 where one class is certain, 1 where all are equally likely; the class axis is gone."""
    return self_information(probs_NK).sum(dim=1)
