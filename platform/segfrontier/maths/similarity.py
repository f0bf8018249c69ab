"""How alike decoders are by their weights: the penalty that keeps them apart (paper 003, Eq. 4).

The text says cosine similarity and prints a product that is not normalised, which has no lower bound; the paper's code
computes something else again. All of them are here by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from segfrontier.maths.checks import require_word

Similarity = Literal["cosine", "absolute", "dot", "product"]


def weight_similarity(first: Sequence[Tensor], second: Sequence[Tensor], *, form: Similarity = "cosine") -> Tensor:
    """One number for the weights of two decoders, tensor by tensor of equal shapes; a gradient reaches both.

    `cosine` of all weights in a row; `absolute`, its absolute value; `dot`, Eq. 4 as printed; `product`, the paper's
    code: the summed absolute values of F1^T F2, where F are filters as rows.
    """
    require_word("form", form, Similarity)
    shapes = [[tuple(each.shape) for each in weights] for weights in (first, second)]
    if shapes[0] != shapes[1] or not first:
        raise ValueError(
            f"two decoders are compared by weights of the same shapes, at least one each; found {shapes[0]} and "
            f"{shapes[1]}; compare decoders of one kind"
        )
    with torch.autocast(first[0].device.type, enabled=False):
        if form == "product":
            rows = [torch.cat([each.flatten(1).float() for each in weights], dim=1) for weights in (first, second)]
            return (rows[0].T @ rows[1]).abs().sum()
        one, other = (torch.cat([each.flatten().float() for each in weights]) for weights in (first, second))
        dot = one @ other
        if form == "dot":
            return dot
        cosine = dot / (one.norm() * other.norm()).clamp_min(torch.finfo(torch.float32).tiny)
        return cosine.abs() if form == "absolute" else cosine


def mean_similarity(decoders: Sequence[Sequence[Tensor]], *, form: Similarity = "cosine") -> Tensor:
    """The mean over all pairs of decoders: with two, Eq. 4's term; with more, a weight of it means as much."""
    pairs = [(one, other) for i, one in enumerate(decoders) for other in decoders[i + 1 :]]
    if not pairs:
        raise ValueError(f"similarity is that of two decoders or more; found {len(decoders)}; leave it out")
    return torch.stack([weight_similarity(one, other, form=form) for one, other in pairs]).mean()
