"""Gumbel noise: added to logits, it turns their softmax into a soft draw of a class."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.maths.checks import require_at_least

_EPSILON = 1e-10
_COLD = 1 / 3
"""Below this temperature powers of the smallest number that is drawn may be too large for float32."""


def gumbel_noise(uniform: Tensor, *, epsilon: float = _EPSILON) -> Tensor:
    """Gumbel noise from numbers drawn uniformly from [0, 1): -log(epsilon - log(u + epsilon))."""
    require_at_least("epsilon", epsilon, 0)
    return -torch.log(epsilon - torch.log(uniform + epsilon))


class GumbelNoise:
    """A source of it. What it draws depends on torch's random state alone, and on the kind of device.

    On a CPU numpy makes it, from a seed of torch's, two numbers of every word: torch takes about three times as long
    there for uniform numbers, and twice for logarithms and powers of e.
    """

    def __init__(self, device: torch.device) -> None:
        """Takes the seed, so that later draws of others change nothing."""
        self._words = np.random.SFC64(int(torch.randint(2**63 - 1, ()))) if device.type == "cpu" else None

    def added_to(self, logits_NKHW: Tensor) -> Tensor:
        """To every image its own noise, the same whether images come one by one or together."""
        if self._words is None:
            return logits_NKHW + gumbel_noise(torch.rand_like(logits_NKHW))
        exponential = _exponential(self._words, logits_NKHW)
        return logits_NKHW - torch.from_numpy(np.log(exponential, out=exponential))

    def soft_draw(self, logits_NKHW: Tensor, temperature: float, *, out: Tensor) -> Tensor:
        """The softmax over the classes of logits with noise, divided by the temperature."""
        if self._words is None or temperature < _COLD:
            return torch.softmax(self.added_to(logits_NKHW).div_(temperature), 1, out=out)
        # exp((l - log e) / t) is exp(l / t) / e^(1 / t), which saves a logarithm.
        powers = torch.from_numpy(_exponential(self._words, logits_NKHW)).pow_(1 / temperature)
        torch.sub(logits_NKHW, logits_NKHW.amax(1, keepdim=True), out=out).mul_(1 / temperature)
        np.exp(out.numpy(), out=out.numpy())
        out.div_(powers)
        return out.div_(out.sum(1, keepdim=True))


def _exponential(words: np.random.SFC64, like: Tensor) -> NDArray[np.floating]:
    """Of numbers of 24 bits, as `torch.rand` draws them; minus its logarithm is `gumbel_noise` of them."""
    count, size = len(like), like[0].numel()
    bits = words.random_raw(count * ((size + 1) // 2)).view(np.int32)
    bits >>= 8
    dtype = np.float64 if like.dtype == torch.float64 else np.float32
    drawn: NDArray[np.floating] = bits.reshape(count, -1)[:, :size].astype(dtype)
    drawn *= 2.0**-24
    drawn += 0.5
    drawn += _EPSILON
    np.log(drawn, out=drawn)
    return np.subtract(_EPSILON, drawn, out=drawn).reshape(like.shape)
