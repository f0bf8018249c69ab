"""Means over a whole batch, of which a loss sees a share: divided by what is labelled in all of it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

_TINY = torch.finfo(torch.float32).tiny


class WholeBatch(Protocol):
    """The shares that a batch is cut into: one a worker and accumulated part. What they yield is averaged over them."""

    @property
    def shares(self) -> int:
        """How many there are."""

    def total(self, amount: Tensor) -> Tensor:
        """The sum of an amount over all of them, without a gradient."""


def sum_over(whole: WholeBatch | None, summed: Tensor) -> Tensor:
    """What a share yields of a sum over the whole batch: averaged over the shares, it is that sum."""
    return summed if whole is None or whole.shares == 1 else summed * whole.shares


def mean_over(whole: WholeBatch | None, summed: Tensor, mass: Tensor) -> Tensor:
    """What a share yields of a mean over the whole batch: its sum, over the mass of all shares; 0 over no mass."""
    everything = mass if whole is None else whole.total(mass)
    return sum_over(whole, summed) / everything.to(summed).clamp_min(_TINY)
