"""What several branches of one network say of a pixel: how far they agree, and the label that they make together.

Paper 003 (Chitta, Feng, Hebert), Eqs. 1 to 3. As printed there, Eq. 1 takes an argmax over the networks of a maximum
over classes, and Eq. 3 divides by the set of networks: meant are the mode of their classes and their number.

Letters: E branch, N image, K class, * any further axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_integers, require_shape, require_word

Averaging = Literal["logits", "log_probabilities", "probabilities"]


def variation_ratio(labels_EN: Tensor) -> Tensor:
    """(N, *) the share of branches that do not name the class which most of them name: 0 where all agree.

    Two branches leave 0 and 0.5, three leave 0, 1/3 and 2/3. Where several classes are named equally often, any of them
    is the mode: the ratio is the same.
    """
    require_integers("the branches' labels", labels_EN)
    if not len(labels_EN):
        raise ValueError("agreement needs at least one branch; found none; pass the labels of each branch")
    backers_EN = torch.stack([(labels_EN == one).sum(0) for one in labels_EN])
    return 1 - backers_EN.amax(0) / len(labels_EN)


def branch_labels(logits: Sequence[Tensor]) -> Tensor:
    """(E, N, *) the likeliest class of every branch, from one (N, K, *) each."""
    _require_alike(logits)
    return torch.stack([each.argmax(1) for each in logits])


def proxy_labels(logits: Sequence[Tensor], *, of: Averaging = "logits") -> Tensor:
    """(N, *) the likeliest class of the branches' mean.

    Log-probabilities are logits less a number that is the same for all classes of a pixel, so their mean names the same
    class as that of the logits; probabilities may name another. Where all branches name one class, so does any mean.
    """
    require_word("of", of, Averaging)
    _require_alike(logits)
    if of == "log_probabilities":
        return torch.stack([each.float().log_softmax(1) for each in logits]).mean(0).argmax(1)
    if of == "probabilities":
        return torch.stack([each.float().softmax(1) for each in logits]).mean(0).argmax(1)
    # Half precision would round means of different classes to one number.
    return torch.stack([each if each.dtype == torch.float64 else each.float() for each in logits]).mean(0).argmax(1)


def _require_alike(logits: Sequence[Tensor]) -> None:
    if not logits:
        raise ValueError("branches must be at least one; found none; pass the logits of each branch")
    for i, each in enumerate(logits):
        require_shape(f"the logits of branch {i}", each, logits[0].shape)
