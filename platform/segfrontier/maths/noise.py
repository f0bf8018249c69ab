"""Gumbel noise: added to logits, it turns their softmax into a soft draw of a class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_EPSILON = 1e-10


def gumbel_noise(uniform: Tensor, *, epsilon: float = _EPSILON) -> Tensor:
    """Gumbel noise from numbers drawn uniformly from [0, 1): -log(epsilon - log(u + epsilon))."""
    return _opposite(uniform.clone(), epsilon).neg_()


def _opposite(uniform: Tensor, epsilon: float) -> Tensor:
    """In the place of the uniform numbers."""
    logs = uniform.add_(epsilon).log_()
    return torch.sub(epsilon, logs, out=logs).log_()


class GumbelNoise:
    """A source of it. What it draws depends on torch's random state alone, and on the kind of device.

    On a CPU, where torch takes long for uniform numbers, numpy draws them from a seed of torch's: two of every word.
    """

    def __init__(self, device: torch.device) -> None:
        """Takes the seed, so that later draws of others change nothing."""
        self._words = np.random.SFC64(int(torch.randint(2**63 - 1, ()))) if device.type == "cpu" else None

    def added_to(self, logits_NKHW: Tensor) -> Tensor:
        """To every image its own noise, the same whether images come one by one or together."""
        return logits_NKHW - _opposite(self._uniform(logits_NKHW), _EPSILON)

    def _uniform(self, like: Tensor) -> Tensor:
        """Of 24 bits, as `torch.rand` draws them."""
        if self._words is None:
            return torch.rand_like(like)
        size = like[0].numel()
        words = self._words.random_raw(len(like) * ((size + 1) // 2)).view(np.int32)
        bits = torch.from_numpy(words).view(len(like), -1)[:, :size].bitwise_right_shift_(8)
        return bits.to(like.dtype).mul_(2.0**-24).add_(0.5).view(like.shape)
