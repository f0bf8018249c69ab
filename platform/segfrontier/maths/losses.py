"""Cross-entropy over pixels, some of which have no label.

Letters: N image, K class, * any further axes (H, W for maps; none for whole images).
Computed in float32 whatever the logits' precision (float64 stays float64).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths.checks import (
    require_axes,
    require_integers,
    require_labels,
    require_shape,
    require_word,
    strange_label,
)
from segfrontier.maths.whole_batch import WholeBatch, mean_over, sum_over

Normalisation = Literal["mean", "sum", "pixels"]


def cross_entropy(
    logits_NK: Tensor,
    target_N: Tensor,
    *,
    class_weights_K: Tensor | None = None,
    normalisation: Normalisation = "mean",
    void: int = 255,
    over: WholeBatch | None = None,
) -> Tensor:
    """The weighted negative log-likelihood of the labelled pixels, as one number.

    `mean` divides by the summed class weights of the labelled pixels (their count without weights), `sum` by nothing,
    `pixels` by the number of all pixels, void ones included. With no labelled pixel at all the loss is 0 and still
    hangs on the graph: its gradient is zero, not missing and not NaN. `over` is the batch that these pixels are a share
    of, and the one that is meant: averaged over its shares, the loss is that of the whole batch.
    """
    require_word("normalisation", normalisation, Normalisation)
    require_shape("the target", target_N, (*logits_NK.shape[:1], *logits_NK.shape[2:]))
    require_integers("the target", target_N)
    if class_weights_K is not None:
        require_shape("class weights", class_weights_K, logits_NK.shape[1:2])
    logits_NK = logits_NK if logits_NK.dtype == torch.float64 else logits_NK.float()
    weights_K = None if class_weights_K is None else class_weights_K.to(logits_NK)
    try:
        total = F.cross_entropy(logits_NK, target_N.long(), weight=weights_K, ignore_index=void, reduction="sum")
    except IndexError as error:  # a CPU notices while it adds up; to look for it beforehand would take a third as long
        # torch says which: "Target 7 is out of bounds."
        number = next((word for word in str(error).split() if word.removeprefix("-").isdigit()), error)
        raise strange_label("the target", number, logits_NK.shape[1], void=void) from error
    if normalisation == "sum":
        return sum_over(over, total)
    if normalisation == "pixels":
        return total / max(target_N.numel(), 1)
    return mean_over(over, total, label_mass(target_N, class_weights_K=weights_K, void=void))


def label_mass(target_N: Tensor, *, class_weights_K: Tensor | None = None, void: int = 255) -> Tensor:
    """What the mean divides by: the summed class weights of the labelled pixels, or their count.

    Summed over the shards of a batch, it turns shard sums into the mean of the whole batch.
    """
    require_integers("the target", target_N)
    labelled_N = target_N != void
    if class_weights_K is None:
        return labelled_N.sum()
    require_axes("class weights", class_weights_K, "K")
    require_labels("the target", target_N, len(class_weights_K), void=void)
    # A look-up of every pixel, not only of the labelled ones: a dynamic shape would make a GPU wait.
    return (class_weights_K[torch.where(labelled_N, target_N, 0).long()] * labelled_N).sum()
