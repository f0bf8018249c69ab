"""The boundary loss of paper 000 (Eqs. 1 and 2): soft predictions should change where the truth does, and as strongly.

Letters: N image, K class, H W image size. A boundary map holds, for every class by itself, the length of the spatial
gradient of that class's map: central differences of a probability, or of a one-hot truth.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

Border = Literal["replicate", "one_sided", "zero"]
"""Outside the image lies the border's own value, nothing (differences become one-sided), or 0."""

_TINY = torch.finfo(torch.float32).tiny


def boundary_loss(
    logits_NKHW: Tensor,
    labels_NHW: Tensor,
    *,
    noise_NKHW: Tensor | None = None,
    temperature: float = 0.5,
    border: Border = "replicate",
    epsilon: float = 0.0,
    normalise: bool = False,
    threshold: float = 1e-8,
    weights: tuple[float, float] = (0.5, 0.5),
    void: int = 255,
) -> Tensor:
    """Mean absolute difference of the boundary maps over the truth's boundary and over the prediction's, weighted.

    The prediction is softmax((logits + noise) / temperature); give `gumbel_noise` for the paper's sampling. `epsilon`
    is added under the root; `normalise` divides each map by its largest value. A place that is void, or whose
    differences reach a void pixel, is on neither boundary, so void costs exactly nothing. An empty boundary costs 0.
    """
    logits_NKHW = logits_NKHW if logits_NKHW.dtype == torch.float64 else logits_NKHW.float()
    noisy_NKHW = logits_NKHW / temperature if noise_NKHW is None else (logits_NKHW + noise_NKHW).div_(temperature)
    predicted_NKHW = boundary_map(noisy_NKHW.softmax(1), border=border, epsilon=epsilon)
    classes_K11 = torch.arange(logits_NKHW.shape[1], device=labels_NHW.device)[:, None, None]
    one_hot_NKHW = (labels_NHW.unsqueeze(1) == classes_K11).to(predicted_NKHW)
    true_NKHW = boundary_map(one_hot_NKHW, border=border, epsilon=epsilon)
    counted_N1HW = _far_from_void(labels_NHW, void=void).unsqueeze(1)
    if normalise:
        predicted_NKHW = predicted_NKHW / _largest(predicted_NKHW, counted_N1HW)
        true_NKHW = true_NKHW / _largest(true_NKHW, counted_N1HW)
    shares_NKHW = _shares(true_NKHW, counted_N1HW, threshold, weights[0])
    shares_NKHW += _shares(predicted_NKHW.detach(), counted_N1HW, threshold, weights[1])
    return ((predicted_NKHW - true_NKHW).abs() * shares_NKHW).sum()


def boundary_map(maps_NKHW: Tensor, *, border: Border, epsilon: float = 0.0) -> Tensor:
    """The length of the gradient at every place of every map. Where it vanishes, so does its derivative."""
    length_NKHW: Tensor = _Length.apply(maps_NKHW, border, epsilon)
    return length_NKHW


class _Length(torch.autograd.Function):
    """The derivative written out: autograd's own, a slice at a time, takes several times as long."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, border: Border, epsilon: float) -> Tensor:
        """The lengths; the two differences are kept for the way back."""
        across = central_difference(maps, dim=-1, border=border)
        down = central_difference(maps, dim=-2, border=border)
        square = torch.addcmul(across * across, down, down)
        # Below the smallest normal number nothing is a boundary, and above it the derivative is finite.
        length = (square.add_(epsilon) if epsilon else square.clamp_min_(_TINY)).sqrt_()
        ctx.save_for_backward(across, down, length)
        ctx.border = border
        return length

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """What reaches the maps."""
        across, down, length = ctx.saved_tensors
        share = gradient / length
        total = _difference_transposed(share * across, dim=-1, border=ctx.border)
        return total.add_(_difference_transposed(share * down, dim=-2, border=ctx.border)), None, None


def central_difference(maps: Tensor, *, dim: int, border: Border) -> Tensor:
    """Half the difference of the two neighbours along `dim`; the border says what stands in for a missing one."""
    length = maps.shape[dim]
    if length < 2:
        return torch.zeros_like(maps)
    factors = {"replicate": (1, 1), "one_sided": (2, 1), "zero": (1, 0)}
    if border not in factors:
        raise ValueError(f"border must be 'replicate', 'one_sided' or 'zero'; found {border!r}; choose one of them")
    scale, own = factors[border]
    twice = torch.empty_like(maps)
    torch.sub(maps.narrow(dim, 2, length - 2), maps.narrow(dim, 0, length - 2), out=twice.narrow(dim, 1, length - 2))
    first, second = maps.narrow(dim, 0, 1), maps.narrow(dim, 1, 1)
    before, last = maps.narrow(dim, length - 2, 1), maps.narrow(dim, length - 1, 1)
    twice.narrow(dim, 0, 1).copy_(scale * (second - own * first))
    twice.narrow(dim, length - 1, 1).copy_(scale * (own * last - before))
    return twice.div_(2)


def _difference_transposed(gradient: Tensor, *, dim: int, border: Border) -> Tensor:
    """What reaches the maps of a gradient that reaches their central difference."""
    length = gradient.shape[dim]
    if length < 2:
        return torch.zeros_like(gradient)
    halved = gradient / 2
    first, last = halved.narrow(dim, 0, 1), halved.narrow(dim, length - 1, 1)
    if border == "one_sided":
        first.mul_(2)
        last.mul_(2)
    total = torch.zeros_like(gradient)
    total.narrow(dim, 1, length - 1).add_(halved.narrow(dim, 0, length - 1))
    total.narrow(dim, 0, length - 1).sub_(halved.narrow(dim, 1, length - 1))
    if border != "zero":
        total.narrow(dim, 0, 1).sub_(first)
        total.narrow(dim, length - 1, 1).add_(last)
    return total


def gumbel_noise(uniform: Tensor, *, epsilon: float = 1e-10) -> Tensor:
    """Gumbel noise from numbers drawn uniformly from [0, 1): -log(epsilon - log(u + epsilon))."""
    return (uniform + epsilon).log_().neg_().add_(epsilon).log_().neg_()


def _far_from_void(labels_NHW: Tensor, *, void: int) -> Tensor:
    """Where neither the pixel nor one of its four neighbours is void."""
    known_NHW = labels_NHW != void
    far_NHW = known_NHW.clone()
    far_NHW[:, 1:] &= known_NHW[:, :-1]
    far_NHW[:, :-1] &= known_NHW[:, 1:]
    far_NHW[..., 1:] &= known_NHW[..., :-1]
    far_NHW[..., :-1] &= known_NHW[..., 1:]
    return far_NHW


def _largest(map_NKHW: Tensor, counted_N1HW: Tensor) -> Tensor:
    return (map_NKHW * counted_N1HW).amax().clamp_min(_TINY)


def _shares(map_NKHW: Tensor, counted_N1HW: Tensor, threshold: float, weight: float) -> Tensor:
    """What each place of a boundary gives to a weighted mean over it; 0 elsewhere."""
    on_NKHW = (map_NKHW > threshold).logical_and_(counted_N1HW)
    return on_NKHW * (weight / on_NKHW.sum().clamp_min(1))
