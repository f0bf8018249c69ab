"""Cross-domain mixing: pasting the pixels of some classes of one labelled image over another (ClassMix, DACS).

Letters: N image, C channel, K class, H W image size. All draws are made from numbers that the caller drew, so the same
numbers give the same choice on any device.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_bools,
    require_labels,
    require_shape,
    require_word,
)

Selection = Literal["bernoulli", "half", "half_down", "quarter"]
"""How many of an image's n classes are pasted: each with p = 0.5 by itself; ceil(n / 2), as DACS does; floor(n / 2), as
ClassMix does; floor(n / 4) after rounding n up to an even number, as the code next to paper 000 does."""


def classes_present(labels_NHW: Tensor, *, num_classes: int, void: int = 255) -> Tensor:
    """(N, K) truth values: does the image show the class? Void is no class."""
    require_at_least("num_classes", num_classes, 1)
    columns = _columns(labels_NHW, num_classes, void=void)
    shown = torch.zeros(len(columns), num_classes + 1, dtype=torch.bool, device=columns.device)
    return shown.scatter_(1, columns, True)[:, :num_classes]


def choose_classes(present_NK: Tensor, uniform_NK: Tensor, *, selection: Selection) -> Tensor:
    """(N, K) truth values: the classes of each image that are pasted; never one that the image lacks."""
    require_word("selection", selection, Selection)
    require_axes("present", present_NK, "NK")
    require_bools("present", present_NK)
    require_shape("uniform", uniform_NK, present_NK.shape)
    if selection == "bernoulli":
        return present_NK & (uniform_NK < 0.5)
    count_N1 = present_NK.sum(1, keepdim=True)
    if selection == "half":
        chosen_N1 = (count_N1 + 1) // 2
    elif selection == "half_down":
        chosen_N1 = count_N1 // 2
    else:
        chosen_N1 = (count_N1 + count_N1 % 2) // 4
    last = torch.where(present_NK, uniform_NK, torch.full_like(uniform_NK, 2.0))  # absent classes come last
    return present_NK & (last.argsort(dim=1).argsort(dim=1) < chosen_N1)


def class_mask(labels_NHW: Tensor, chosen_NK: Tensor, *, void: int = 255) -> Tensor:
    """(N, H, W) truth values: the pixels of the chosen classes. Void is never among them."""
    require_axes("chosen", chosen_NK, "NK")
    require_bools("chosen", chosen_NK)
    require_shape("chosen", chosen_NK, (len(labels_NHW), chosen_NK.shape[1]))
    table = torch.cat([chosen_NK, chosen_NK.new_zeros(len(chosen_NK), 1)], dim=1)
    return table.gather(1, _columns(labels_NHW, chosen_NK.shape[1], void=void)).view(labels_NHW.shape)


def _columns(labels_NHW: Tensor, num_classes: int, *, void: int) -> Tensor:
    """(N, pixels) each label's column in a table that has one more for void."""
    require_axes("labels", labels_NHW, "NHW")
    require_labels("labels", labels_NHW, num_classes, void=void)
    flat = labels_NHW.flatten(1).long()
    # What an accelerator is not made to wait for: there a label that is no class goes the way of void.
    is_class = (flat >= 0) & (flat < num_classes) & (flat != void)
    return torch.where(is_class, flat, num_classes)


def paste(mask_NHW: Tensor, over_NHW: Tensor, under_NHW: Tensor) -> Tensor:
    """`over` where the mask holds and `under` elsewhere, for label maps (N, H, W) and for images (N, C, H, W) alike."""
    require_axes("a mask", mask_NHW, "NHW")
    require_bools("a mask", mask_NHW)
    require_shape("what lies under", under_NHW, over_NHW.shape)
    if over_NHW.dim() != 3:
        require_axes("images", over_NHW, "NCHW")
    require_shape("a mask", mask_NHW, (len(over_NHW), *over_NHW.shape[-2:]))
    mask = mask_NHW if over_NHW.dim() == 3 else mask_NHW.unsqueeze(1)
    return torch.where(mask, over_NHW, under_NHW)
