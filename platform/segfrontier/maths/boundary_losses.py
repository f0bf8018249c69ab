"""The boundary loss of paper 000 (Eqs. 1 and 2): soft predictions should change where the truth does, and as strongly.

Letters: B image of the batch, N image with labels, K class, H W image size. A boundary map holds, for every class by
itself, the length of the spatial gradient of that class's map: central differences of a probability, or of a one-hot
truth. Lengths inside are doubled, as those of `differences`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from segfrontier.maths.boundary_truth import BoundaryTruth, boundary_truth
from segfrontier.maths.checks import (
    require_at_least,
    require_axes,
    require_labels,
    require_positive,
    require_shape,
    require_word,
)
from segfrontier.maths.differences import (
    SHORTEST,
    Border,
    boundary_map,
    differences,
    differences_transposed,
    length_of,
)
from segfrontier.maths.noise import GumbelNoise
from segfrontier.maths.whole_batch import WholeBatch, sum_over

Noise = Literal["gumbel"]
_Noise = Tensor | GumbelNoise | None
_BLOCK = 2**19
"""How many values a CPU works on at a time: what lies between stays in its caches and takes no new memory."""


def boundary_loss(
    logits_BKHW: Tensor,
    labels_NHW: Tensor,
    *,
    noise_NKHW: Tensor | Noise | None = None,
    temperature: float = 0.5,
    border: Border = "replicate",
    epsilon: float = 0.0,
    normalise: bool = False,
    threshold: float = 1e-8,
    weights: tuple[float, float] = (0.5, 0.5),
    void: int = 255,
    over: WholeBatch | None = None,
) -> Tensor:
    """Mean absolute difference of the boundary maps over the truth's boundary and over the prediction's, weighted.

    The labels are those of the last N images of the batch; what comes before them has no part. The prediction is
    softmax((logits + noise) / temperature); "gumbel" draws the paper's noise, `gumbel_noise` of uniform numbers.
    `epsilon` is added under the root, `normalise` divides the maps of each image by their largest value; each makes it
    slower. A largest value is an image's own, so that it is the same whichever images share a worker. A place
    that is void, or whose differences reach a void pixel, is on neither boundary, so void costs exactly nothing. An
    empty boundary costs 0, and so do no labels at all. A label that is no class is an error on a CPU, and void on an
    accelerator, which is not made to wait. Lengths of 2^-64 and less count as 0, whatever the threshold. `over` is the
    batch that these images are a share of: the sizes are those of its boundaries.
    """
    _check_maps(logits_BKHW, labels_NHW, noise_NKHW, void=void)
    require_positive("temperature", temperature)
    require_word("border", border, Border)
    for what, number in (("epsilon", epsilon), ("threshold", threshold)):
        require_at_least(what, number, 0)
    logits_BKHW = logits_BKHW if logits_BKHW.dtype == torch.float64 else logits_BKHW.float()
    logits_NKHW = logits_BKHW[len(logits_BKHW) - len(labels_NHW) :]
    if not labels_NHW.numel():
        return logits_NKHW.sum()
    far_N1HW = _far_from_void(labels_NHW, classes=logits_BKHW.shape[1], void=void).unsqueeze(1)
    threshold = max(threshold, SHORTEST / 2)
    rules = _Rules(temperature, border, threshold, weights, over)
    noise: _Noise = noise_NKHW if noise_NKHW is None or isinstance(noise_NKHW, Tensor) else GumbelNoise(far_N1HW.device)
    if epsilon or normalise:
        return _plainly(logits_NKHW, noise, labels_NHW, far_N1HW, rules, epsilon=epsilon, normalise=normalise)
    limit_N1HW = torch.full_like(far_N1HW, 2 * threshold, dtype=logits_BKHW.dtype).masked_fill_(~far_N1HW, math.inf)
    truth = boundary_truth(labels_NHW, limit_N1HW[:, 0], border, classes=logits_BKHW.shape[1])
    loss: Tensor = _Loss.apply(logits_BKHW, noise, limit_N1HW, truth, rules)
    return loss


def _check_maps(logits_BKHW: Tensor, labels_NHW: Tensor, noise_NKHW: Tensor | Noise | None, *, void: int) -> None:
    require_axes("logits", logits_BKHW, "BKHW")
    require_axes("labels", labels_NHW, "NHW")
    images, (batch, classes, height, width) = len(labels_NHW), logits_BKHW.shape
    require_shape("labels", labels_NHW, (min(images, batch), height, width))
    require_labels("labels", labels_NHW, classes, void=void)
    if isinstance(noise_NKHW, Tensor):
        require_shape("noise", noise_NKHW, (images, classes, height, width))
    elif noise_NKHW is not None and noise_NKHW != "gumbel":
        raise ValueError(f"noise must be a tensor, 'gumbel' or None; found {noise_NKHW!r}; choose one of them")


class _Rules(NamedTuple):
    """What every way of computing the loss goes by."""

    temperature: float
    border: Border
    threshold: float
    weights: tuple[float, float]
    over: WholeBatch | None

    def divided(self, sizes: Tensor) -> Tensor:
        """The weight of each place of the two boundaries, which have these sizes here."""
        sizes = (sizes if self.over is None else self.over.total(sizes)).clamp_min(1)
        return sum_over(self.over, sizes.new_tensor(self.weights)).div(sizes)


class _Loss(torch.autograd.Function):
    """The loss with its derivative written out.

    All is taken as if the truth's maps were 0; then the places are put right where they may not be. Differences are
    found a block at a time, and again on the way back: that is faster than to keep them in memory.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, noise: _Noise, limit: Tensor, truth: BoundaryTruth, rules: _Rules) -> Tensor:
        """Weighted means over two boundaries, of which first the sizes and the sums are found."""
        ctx.shape, ctx.rules = logits.shape, rules
        logits = logits[len(logits) - len(limit) :].contiguous()
        soft, gap = torch.empty_like(logits), torch.empty_like(logits)
        for images, blocks in _blocks(soft):
            if isinstance(noise, GumbelNoise):
                noise.soft_draw(logits[images], rules.temperature, out=soft[images])
            else:
                noise_here = noise if noise is None else noise[images]
                torch.softmax(_noisy(logits[images], noise_here, rules.temperature), 1, out=soft[images])
            for block in blocks:
                across, down = differences(soft[block], rules.border)
                length_of(across.square_(), down, out=gap[block])
        on_predicted = torch.gt(gap, limit, out=torch.empty_like(gap))
        nearby = gap.view(-1)[truth.index_4P]
        gap_nearby = (nearby - truth.length_4P).abs_()
        gap.view(-1)[truth.index_4P] = gap_nearby
        sums = [_dot(truth.share_4P, gap_nearby), _dot(on_predicted, gap)]
        weights = rules.divided(torch.stack([truth.share_4P.sum(), on_predicted.sum()])).div_(2)
        ctx.save_for_backward(soft, gap, nearby, limit, *truth, weights)
        return weights.dot(torch.stack(sums))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """What reaches the logits: through the lengths block by block, then through the softmax."""
        soft, gap, nearby, limit, index, true, share_of_true, limit_nearby, weights = ctx.saved_tensors
        for_true, for_predicted = weights * (gradient / ctx.rules.temperature)
        share = torch.gt(gap, limit, out=torch.empty_like(gap)).div_(gap).mul_(for_predicted)
        on_either = (share_of_true > 0) * for_true + (nearby > limit_nearby) * for_predicted
        share.view(-1)[index] = on_either.div_(nearby).mul_((nearby - true).sign_())
        result = soft.new_empty(ctx.shape)
        result[: len(result) - len(soft)] = 0
        reached = result[len(result) - len(soft) :]
        for images, blocks in _blocks(soft):
            for block in blocks:
                across, down = differences(soft[block], ctx.rules.border)
                across, down = across.mul_(share[block]), down.mul_(share[block])
                differences_transposed(across, down, ctx.rules.border, out=reached[block])
            mean = torch.mul(reached[images], soft[images], out=share[images]).sum(1, keepdim=True)
            reached[images].sub_(mean).mul_(soft[images])
        return result, None, None, None, None


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return torch.dot(first.view(-1), second.view(-1))


def _blocks(maps: Tensor) -> Iterator[tuple[slice, list[tuple[slice, slice]]]]:
    """Groups of images, each with blocks of its classes. An accelerator takes all at once."""
    images, classes, height, width = maps.shape
    planes = max(1, _BLOCK // (height * width)) if maps.device.type == "cpu" else images * classes
    for image in range(0, images, max(1, planes // classes)):
        group = slice(image, image + max(1, planes // classes))
        yield group, [(group, slice(k, min(k + planes, classes))) for k in range(0, classes, planes)]


def _plainly(
    logits: Tensor, noise: _Noise, labels: Tensor, far: Tensor, rules: _Rules, *, epsilon: float, normalise: bool
) -> Tensor:
    """The loss by autograd: here the truth's maps are nowhere 0, or gradients pass through the largest values too."""
    soft = _noisy(logits, noise, rules.temperature).softmax(1)
    one_hot = (labels.unsqueeze(1) == torch.arange(soft.shape[1], device=soft.device)[:, None, None]).to(soft)
    true, predicted = (boundary_map(each, border=rules.border, epsilon=epsilon) for each in (one_hot, soft))
    if normalise:
        true, predicted = (
            each / (each * far).amax((1, 2, 3), keepdim=True).clamp_min(torch.finfo(soft.dtype).tiny)
            for each in (true, predicted)
        )
    on_each = [(each > rules.threshold).logical_and_(far) for each in (true, predicted)]
    sizes = torch.stack([on.sum() for on in on_each]).to(soft.dtype)
    shares = [on * weight for on, weight in zip(on_each, rules.divided(sizes), strict=True)]
    return ((predicted - true).abs() * (shares[0] + shares[1])).sum()


def _noisy(logits: Tensor, noise: _Noise, temperature: float) -> Tensor:
    if noise is None:
        return logits / temperature
    return (logits + noise if isinstance(noise, Tensor) else noise.added_to(logits)).div_(temperature)


def _far_from_void(labels_NHW: Tensor, *, classes: int, void: int) -> Tensor:
    """Where the pixel and its four neighbours are all labelled."""
    known_NHW = (labels_NHW != void).logical_and_(labels_NHW >= 0).logical_and_(labels_NHW < classes)
    far_NHW = known_NHW.clone()
    far_NHW[:, 1:] &= known_NHW[:, :-1]
    far_NHW[:, :-1] &= known_NHW[:, 1:]
    far_NHW[..., 1:] &= known_NHW[..., :-1]
    far_NHW[..., :-1] &= known_NHW[..., 1:]
    return far_NHW
