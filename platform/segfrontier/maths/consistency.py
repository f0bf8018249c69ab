"""How far a student's answers are from its teacher's, where both saw the same sample in different ways.

Letters: N image or pixel, K class. No gradient reaches the teacher.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import require_axes, require_shape, require_word

Consistency = Literal["mse", "cosine"]
"""Of two sets of tags: the mean squared difference of probabilities (equation 6 of paper 004), or, as in its code, one
minus the cosine between the logits."""


def tag_consistency(student_NK: Tensor, teacher_NK: Tensor, *, form: Consistency) -> Tensor:
    """Between logits of independent classes; a mean over the images, and for `mse` over their classes."""
    require_word("form", form, Consistency)
    require_axes("the student's logits", student_NK, "NK")
    require_shape("the teacher's logits", teacher_NK, student_NK.shape)
    student_NK, teacher_NK = _exact(student_NK), _exact(teacher_NK.detach())
    if form == "mse":
        return F.mse_loss(student_NK.sigmoid(), teacher_NK.sigmoid())
    return (1 - F.cosine_similarity(student_NK, teacher_NK, dim=1)).mean()


def softmax_mse(student_NK: Tensor, teacher_NK: Tensor) -> Tensor:
    """The mean squared difference of softmax probabilities over everything: mean teacher's, for images or pixels.

    The published code sums over the images and divides by the classes; this also divides by the images and pixels.
    """
    require_shape("the teacher's logits", teacher_NK, student_NK.shape)
    return F.mse_loss(_exact(student_NK).softmax(1), _exact(teacher_NK.detach()).softmax(1))


def _exact(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()
