"""The boundary loss of paper 000 (Eqs. 1 and 2): soft predictions should change where the truth does, and as strongly.

Letters: B image of the batch, N image with labels, K class, H W image size. A boundary map holds, for every class by
itself, the length of the spatial gradient of that class's map: central differences of a probability, or of a one-hot
truth. Inside, differences and lengths stay doubled: to halve them all would cost more than to halve what comes of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

Border = Literal["replicate", "one_sided", "zero"]
"""Outside the image lies the border's own value, nothing (differences become one-sided), or 0."""

Noise = Tensor | Literal["gumbel"] | None
"""What is added to the logits: numbers of one's own, numbers drawn as the paper does, or nothing."""

_TINY = torch.finfo(torch.float32).tiny
_BLOCK = 2**19
"""How many values a CPU works on at a time: what lies between stays in its caches and takes no new memory."""


def boundary_loss(
    logits_BKHW: Tensor,
    labels_NHW: Tensor,
    *,
    noise_NKHW: Noise = None,
    temperature: float = 0.5,
    border: Border = "replicate",
    epsilon: float = 0.0,
    normalise: bool = False,
    threshold: float = 1e-8,
    weights: tuple[float, float] = (0.5, 0.5),
    void: int = 255,
) -> Tensor:
    """Mean absolute difference of the boundary maps over the truth's boundary and over the prediction's, weighted.

    The labels are those of the last N images of the batch; what comes before them has no part. The prediction is
    softmax((logits + noise) / temperature); "gumbel" draws the paper's noise, as `gumbel_noise(torch.rand(...))` does.
    `epsilon` is added under the root; `normalise` divides each map by its largest value. A place that is void, or whose
    differences reach a void pixel, is on neither boundary, so void costs exactly nothing. An empty boundary costs 0.
    """
    logits_BKHW = logits_BKHW if logits_BKHW.dtype == torch.float64 else logits_BKHW.float()
    labels_N1HW = labels_NHW.unsqueeze(1).to(logits_BKHW)
    far_N1HW = _far_from_void(labels_NHW, void=void).unsqueeze(1)
    rules = _Rules(temperature, border, epsilon, threshold, weights)
    loss: Tensor
    if normalise:
        loss = _normalised(logits_BKHW[len(logits_BKHW) - len(labels_NHW) :], noise_NKHW, labels_N1HW, far_N1HW, rules)
    else:
        limit_N1HW = torch.full_like(labels_N1HW, 2 * threshold).masked_fill_(~far_N1HW, math.inf)
        loss = _Loss.apply(logits_BKHW, noise_NKHW, labels_N1HW, limit_N1HW, rules)
    return loss


class _Rules(NamedTuple):
    """The arguments of `boundary_loss` that are not tensors."""

    temperature: float
    border: Border
    epsilon: float
    threshold: float
    weights: tuple[float, float]


class _Loss(torch.autograd.Function):
    """The loss with its derivative written out, a block at a time. Above its `limit` a length is on a boundary.

    Only the probabilities and the truth's lengths are kept: the way back finds the rest anew faster than in memory.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, noise: Noise, labels: Tensor, limit: Tensor, rules: _Rules) -> Tensor:
        """Weighted means over two boundaries, of which first the sizes and the sums are found."""
        ctx.shape, ctx.rules = logits.shape, rules
        logits = logits[len(logits) - len(labels) :]
        soft, true = torch.empty_like(logits), torch.empty_like(logits)
        found = logits.new_zeros(4)
        for images, blocks in _blocks(logits):
            noisy = _noisy(logits[images], noise[images] if isinstance(noise, Tensor) else noise, rules.temperature)
            torch.softmax(noisy, 1, out=soft[images])
            for block in blocks:
                one_hot = _one_hot(labels[images], block[1], out=true[block])
                across, down = _differences(one_hot, rules.border)
                true_length = _length(across.square_(), down, rules.epsilon, out=true[block])
                on_true = torch.gt(true_length, limit[images], out=down)
                across, down = _differences(soft[block], rules.border)
                length = _length(across.square_(), down, rules.epsilon, out=across)
                on_predicted = torch.gt(length, limit[images], out=down)
                gap, sizes = length.sub_(true_length).abs_(), (on_true.sum(), on_predicted.sum())
                found += torch.stack([*sizes, on_true.mul_(gap).sum(), on_predicted.mul_(gap).sum()])
        sizes_of_both = found[:2].clamp_min(1)
        shares = torch.stack([weight / 2 / size for weight, size in zip(rules.weights, sizes_of_both, strict=True)])
        ctx.save_for_backward(soft, true, limit, shares)
        return (shares * found[2:]).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """What reaches the logits: through the lengths block by block, then through the softmax."""
        soft, true, limit, shares = ctx.saved_tensors
        for_true, for_predicted = shares * (gradient / ctx.rules.temperature)
        result = soft.new_zeros(ctx.shape)
        reached = result[len(result) - len(soft) :]
        for images, blocks in _blocks(soft):
            mean = torch.zeros_like(limit[images])
            for block in blocks:
                across, down = _differences(soft[block], ctx.rules.border)
                length = _length(across.square(), down, ctx.rules.epsilon)
                share = torch.gt(true[block], limit[images], out=torch.empty_like(length)).mul_(for_true)
                share.addcmul_(torch.gt(length, limit[images], out=reached[block]), for_predicted)
                share.div_(length).mul_(length.sub_(true[block]).sign_())
                total = _transposed(across.mul_(share), down.mul_(share), ctx.rules.border, out=reached[block])
                mean += torch.mul(total, soft[block], out=share).sum(1, keepdim=True)
            reached[images].sub_(mean).mul_(soft[images])
        return result, None, None, None, None


def _blocks(maps: Tensor) -> Iterator[tuple[slice, list[tuple[slice, slice]]]]:
    """Groups of images, each with blocks of its classes. An accelerator takes all at once."""
    images, classes, height, width = maps.shape
    planes = max(1, _BLOCK // (height * width)) if maps.device.type == "cpu" else images * classes
    for image in range(0, images, max(1, planes // classes)):
        group = slice(image, image + max(1, planes // classes))
        yield group, [(group, slice(k, min(k + planes, classes))) for k in range(0, classes, planes)]


def _normalised(logits: Tensor, noise: Noise, labels: Tensor, far: Tensor, rules: _Rules) -> Tensor:
    """The loss of maps divided by their largest values, through which gradients pass too: autograd's."""
    soft = _noisy(logits, noise, rules.temperature).softmax(1)
    one_hot = _one_hot(labels, slice(0, soft.shape[1]), out=torch.empty_like(soft))
    maps = [boundary_map(each, border=rules.border, epsilon=rules.epsilon) for each in (one_hot, soft)]
    true, predicted = (each / (each * far).amax().clamp_min(_TINY) for each in maps)
    on_each = [(each > rules.threshold).logical_and_(far) for each in (true, predicted)]
    shares = [on * (weight / on.sum().clamp_min(1)) for on, weight in zip(on_each, rules.weights, strict=True)]
    return ((predicted - true).abs() * (shares[0] + shares[1])).sum()


def boundary_map(maps_NKHW: Tensor, *, border: Border, epsilon: float = 0.0) -> Tensor:
    """The length of the gradient at every place of every map. Where it vanishes, so does its derivative."""
    length_NKHW: Tensor = _Length.apply(maps_NKHW, border, epsilon)
    return length_NKHW


class _Length(torch.autograd.Function):
    """The derivative written out: autograd's own, a slice at a time, takes several times as long."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, border: Border, epsilon: float) -> Tensor:
        """The lengths; the differences are kept for the way back."""
        across, down = _differences(maps, border)
        length = _length(across.square(), down, epsilon)
        ctx.save_for_backward(across, down, length)
        ctx.border = border
        return length / 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """What reaches the maps."""
        across, down, length = ctx.saved_tensors
        share = gradient / length / 2
        return _transposed(share * across, share * down, ctx.border, out=torch.empty_like(length)), None, None


def _noisy(logits: Tensor, noise: Noise, temperature: float) -> Tensor:
    if noise is None:
        return logits / temperature
    if isinstance(noise, Tensor):
        return (logits + noise).div_(temperature)
    opposite = _opposite_noise(torch.rand_like(logits), 1e-10)
    return torch.sub(logits, opposite, out=opposite).div_(temperature)


def gumbel_noise(uniform: Tensor, *, epsilon: float = 1e-10) -> Tensor:
    """Gumbel noise from numbers drawn uniformly from [0, 1): -log(epsilon - log(u + epsilon))."""
    return _opposite_noise(uniform.clone(), epsilon).neg_()


def _opposite_noise(uniform: Tensor, epsilon: float) -> Tensor:
    """In the place of the uniform numbers."""
    logs = uniform.add_(epsilon).log_()
    return torch.sub(epsilon, logs, out=logs).log_()


def _one_hot(labels: Tensor, classes: slice, *, out: Tensor) -> Tensor:
    index = torch.arange(classes.start, classes.stop, dtype=labels.dtype, device=labels.device)
    return torch.eq(labels, index[:, None, None], out=out)


def _length(squared: Tensor, other: Tensor, epsilon: float, *, out: Tensor | None = None) -> Tensor:
    """Double lengths of doubled differences, one of them squared already; that one is used up."""
    squared.addcmul_(other, other)
    # Below the smallest normal number nothing is a boundary, and above it the derivative is finite.
    squared = squared.add_(4 * epsilon) if epsilon else squared.clamp_min_(_TINY)
    return torch.sqrt(squared, out=squared if out is None else out)


def _differences(maps: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    return _difference(maps, dim=-1, border=border), _difference(maps, dim=-2, border=border)


def central_difference(maps: Tensor, *, dim: int, border: Border) -> Tensor:
    """Half the difference of the two neighbours along `dim`; the border says what stands in for a missing one."""
    return _difference(maps, dim=dim, border=border) / 2


def _difference(maps: Tensor, *, dim: int, border: Border) -> Tensor:
    size = maps.shape[dim]
    if size < 2:
        return torch.zeros_like(maps)
    if border not in ("replicate", "one_sided", "zero"):
        raise ValueError(f"border must be 'replicate', 'one_sided' or 'zero'; found {border!r}; choose one of them")
    doubled = torch.empty_like(maps)
    torch.sub(maps.narrow(dim, 2, size - 2), maps.narrow(dim, 0, size - 2), out=doubled.narrow(dim, 1, size - 2))
    first, last = doubled.narrow(dim, 0, 1), doubled.narrow(dim, size - 1, 1)
    first.copy_(maps.narrow(dim, 1, 1))
    torch.neg(maps.narrow(dim, size - 2, 1), out=last)
    if border != "zero":
        first.sub_(maps.narrow(dim, 0, 1))
        last.add_(maps.narrow(dim, size - 1, 1))
    if border == "one_sided":
        first.mul_(2)
        last.mul_(2)
    return doubled


def _transposed(across: Tensor, down: Tensor, border: Border, *, out: Tensor) -> Tensor:
    """What reaches the maps of gradients that reach their doubled differences; those are used up."""
    _difference_transposed(across, dim=-1, border=border, out=out)
    return out.add_(_difference_transposed(down, dim=-2, border=border, out=across))


def _difference_transposed(gradient: Tensor, *, dim: int, border: Border, out: Tensor) -> Tensor:
    size = gradient.shape[dim]
    if size < 2:
        return out.zero_()
    first, last = gradient.narrow(dim, 0, 1), gradient.narrow(dim, size - 1, 1)
    if border == "one_sided":
        first.mul_(2)
        last.mul_(2)
    torch.sub(gradient.narrow(dim, 0, size - 2), gradient.narrow(dim, 2, size - 2), out=out.narrow(dim, 1, size - 2))
    torch.neg(gradient.narrow(dim, 1, 1), out=out.narrow(dim, 0, 1))
    out.narrow(dim, size - 1, 1).copy_(gradient.narrow(dim, size - 2, 1))
    if border != "zero":
        out.narrow(dim, 0, 1).sub_(first)
        out.narrow(dim, size - 1, 1).add_(last)
    return out


def _far_from_void(labels_NHW: Tensor, *, void: int) -> Tensor:
    """Where neither the pixel nor one of its four neighbours is void."""
    known_NHW = labels_NHW != void
    far_NHW = known_NHW.clone()
    far_NHW[:, 1:] &= known_NHW[:, :-1]
    far_NHW[:, :-1] &= known_NHW[:, 1:]
    far_NHW[..., 1:] &= known_NHW[..., :-1]
    far_NHW[..., :-1] &= known_NHW[..., 1:]
    return far_NHW
