"""Which pixels a loss leaves out because they are easy (paper 003, section 3.3, source hard mining).

Each image is dealt with by itself, with numbers of its own: what is dropped of it does not depend on the others in its
batch, so neither on how many workers share that.

Letters: N image, H W image size, P its pixels in a row.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_bools, require_shape, require_within, require_word

Dropping = Literal["exact", "bernoulli"]
_ROUNDING = 1e-9
"""A tenth of thirty pixels is three, whatever floating point makes of a tenth."""


def dropped_pixels(easy_NHW: Tensor, uniform_NHW: Tensor, *, share: float, how: Dropping = "exact") -> Tensor:
    """(N, H, W) a random share of the easy pixels; never one that is not easy.

    `exact`: as many of each image as the share says, rounded down. `bernoulli`: each by itself with that chance.
    `uniform_NHW` are independent draws from [0, 1), from which the choice follows.
    """
    require_word("how", how, Dropping)
    require_within("share", share, 0, 1)
    require_axes("easy", easy_NHW, "NHW")
    require_bools("easy", easy_NHW)
    require_shape("the draws", uniform_NHW, easy_NHW.shape)
    if share == 0:
        return torch.zeros_like(easy_NHW)
    if share == 1:
        return easy_NHW
    if how == "bernoulli":
        return easy_NHW & (uniform_NHW < share)
    easy_NP, uniform_NP = easy_NHW.flatten(1), uniform_NHW.flatten(1)
    count_N = (share * easy_NP.sum(1).double() + _ROUNDING).floor().long()
    order_NP = uniform_NP.masked_fill(~easy_NP, torch.inf).argsort(dim=1, stable=True)
    first_NP = torch.arange(easy_NP.shape[1], device=easy_NP.device) < count_N[:, None]
    return torch.zeros_like(easy_NP).scatter(1, order_NP, first_NP).view_as(easy_NHW)
