"""Cross-domain mixing: pasting the pixels of some classes of one labelled image over another (ClassMix, DACS).

Letters: N image, C channel, K class, H W image size. All draws are made from numbers that the caller drew, so the same
numbers give the same choice on any device.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Selection = Literal["bernoulli", "half", "half_down", "quarter"]
"""How many of an image's n classes are pasted: each with p = 0.5 by itself; ceil(n / 2), as DACS does; floor(n / 2), as
ClassMix does; floor(n / 4) after rounding n up to an even number, as the code next to paper 000 does."""


def classes_present(labels_NHW: Tensor, *, num_classes: int) -> Tensor:
    """(N, K) truth values: does the image show the class? Void is no class."""
    flat = labels_NHW.flatten(1).clamp_max(num_classes)  # void falls into one column more, which is dropped
    shown = torch.zeros(len(flat), num_classes + 1, dtype=torch.bool, device=flat.device)
    return shown.scatter_(1, flat, True)[:, :num_classes]


def choose_classes(present_NK: Tensor, uniform_NK: Tensor, *, selection: Selection) -> Tensor:
    """(N, K) truth values: the classes of each image that are pasted; never one that the image lacks."""
    if selection == "bernoulli":
        return present_NK & (uniform_NK < 0.5)
    count_N1 = present_NK.sum(1, keepdim=True)
    if selection == "half":
        chosen_N1 = (count_N1 + 1) // 2
    elif selection == "half_down":
        chosen_N1 = count_N1 // 2
    elif selection == "quarter":
        chosen_N1 = (count_N1 + count_N1 % 2) // 4
    else:
        raise ValueError(
            f"selection must be 'bernoulli', 'half', 'half_down' or 'quarter'; found {selection!r}; choose one of them"
        )
    last = torch.where(present_NK, uniform_NK, torch.full_like(uniform_NK, 2.0))  # absent classes come last
    return present_NK & (last.argsort(dim=1).argsort(dim=1) < chosen_N1)


def class_mask(labels_NHW: Tensor, chosen_NK: Tensor) -> Tensor:
    """(N, H, W) truth values: the pixels of the chosen classes. Void is never among them."""
    count, num_classes = chosen_NK.shape
    table = torch.cat([chosen_NK, chosen_NK.new_zeros(count, 1)], dim=1)
    flat = labels_NHW.flatten(1).clamp_max(num_classes)
    return table.gather(1, flat).view(labels_NHW.shape)


def paste(mask_NHW: Tensor, over_NHW: Tensor, under_NHW: Tensor) -> Tensor:
    """`over` where the mask holds and `under` elsewhere, for label maps (N, H, W) and for images (N, C, H, W) alike."""
    mask = mask_NHW if over_NHW.dim() == 3 else mask_NHW.unsqueeze(1)
    return torch.where(mask, over_NHW, under_NHW)
