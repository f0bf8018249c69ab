"""The boundary loss and its written-out derivative against slow references: pixel by pixel, and by autograd."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from segfrontier.maths import boundary_loss, boundary_losses


def by_hand(logits: Tensor, labels: Tensor, temperature: float, weights: tuple[float, float]) -> float:
    """Pixel by pixel, replicated border; N = 1."""
    soft = (logits[0] / temperature).softmax(0)
    _, height, width = soft.shape
    true, predicted = [], []
    for k, y, x in torch.cartesian_prod(*(torch.arange(n) for n in soft.shape)).tolist():
        cross = [
            (y, x),
            (max(y - 1, 0), x),
            (min(y + 1, height - 1), x),
            (y, max(x - 1, 0)),
            (y, min(x + 1, width - 1)),
        ]
        if any(labels[0][p] == 255 for p in cross):
            continue
        (t, b), (le, r) = cross[1:3], cross[3:]
        want = math.hypot(*(((labels[0][q] == k).float() - (labels[0][p] == k).float()).item() / 2
                            for p, q in ((t, b), (le, r))))  # fmt: skip
        have = math.hypot(*((soft[k][q] - soft[k][p]).item() / 2 for p, q in ((t, b), (le, r))))
        if want > 1e-8:
            true.append(abs(have - want))
        if have > 1e-8:
            predicted.append(abs(have - want))
    return weights[0] * sum(true) / len(true) + weights[1] * sum(predicted) / len(predicted)


@pytest.mark.parametrize("seed", range(3))
def test_it_equals_the_sum_pixel_by_pixel(seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 4, 5, 6, generator=source)
    labels = torch.randint(0, 4, (1, 5, 6), generator=source)
    labels[torch.rand(labels.shape, generator=source) < 0.08] = 255
    loss = boundary_loss(logits, labels, temperature=0.7, weights=(0.3, 0.6))
    assert loss.item() == pytest.approx(by_hand(logits, labels, 0.7, (0.3, 0.6)), rel=1e-5)


def slowly(
    logits: Tensor, labels: Tensor, border: str, epsilon: float, threshold: float, weights: tuple[float, float]
) -> Tensor:
    """By autograd, on a frame of what stands outside the image; a root only where there is something under it."""
    soft, known = (logits / 0.6).softmax(1), (labels != 255).unsqueeze(1)
    one_hot = (labels.unsqueeze(1) == torch.arange(soft.shape[1])[:, None, None]).to(soft)
    shifts = {d: [torch.roll(known, s, d) | edge(known, s, d) for s in (1, -1)] for d in (2, 3)}
    counted = torch.stack([known, *shifts[2], *shifts[3]]).all(0)
    want, have = (steepness(each, border, epsilon) for each in (one_hot, soft))
    loss = soft.sum() * 0
    for each, weight in zip((want, have), weights, strict=True):
        on = (each > threshold) & counted
        loss = loss + (weight * (have - want).abs()[on].mean() if on.any() else 0)
    return loss


def edge(like: Tensor, shift: int, dim: int) -> Tensor:
    """Where a shift brings in what lies outside."""
    outside = torch.zeros_like(like)
    outside.select(dim, 0 if shift == 1 else -1).fill_(True)
    return outside


def steepness(maps: Tensor, border: str, epsilon: float) -> Tensor:
    square = torch.full_like(maps, epsilon)
    for dim in (2, 3):
        if maps.shape[dim] == 1:
            continue
        first, second = maps.narrow(dim, 0, 1), maps.narrow(dim, 1, 1)
        last, before = maps.narrow(dim, -1, 1), maps.narrow(dim, -2, 1)
        frame = {"replicate": (first, last), "zero": (0 * first, 0 * last),
                 "one_sided": (2 * first - second, 2 * last - before)}[border]  # fmt: skip
        framed = torch.cat([frame[0], maps, frame[1]], dim)
        inside = maps.shape[dim]
        square = square + ((framed.narrow(dim, 2, inside) - framed.narrow(dim, 0, inside)) / 2) ** 2
    return torch.where(square > 0, square, 1).sqrt() * (square > 0)


@pytest.mark.parametrize("border", ["replicate", "one_sided", "zero"])
@pytest.mark.parametrize("epsilon", [0.0, 1e-3])
@pytest.mark.parametrize("block", [1, 40, 10**9])
def test_value_and_gradient_are_those_of_a_slow_reference(
    border: str, epsilon: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boundary_losses, "_BLOCK", block)
    source = torch.Generator().manual_seed(block)
    for size in ((5, 7), (1, 6), (4, 1), (2, 2), (1, 1), (3, 2)):
        for dtype, weights, threshold in ((torch.float64, (0.3, 0.6), 0.1), (torch.float32, (0.5, 0.5), 1e-8)):
            logits = 2 * torch.randn(3, 5, *size, generator=source, dtype=dtype).requires_grad_()
            labels = torch.randint(0, 5, (3, *size), generator=source, dtype=torch.uint8)
            labels[torch.rand(labels.shape, generator=source) < 0.06] = 255
            settings = {"border": border, "epsilon": epsilon, "threshold": threshold, "weights": weights}
            fast = boundary_loss(logits, labels, temperature=0.6, **settings)
            slow = slowly(logits, labels, **settings)
            torch.testing.assert_close(fast, slow)
            torch.testing.assert_close(*(torch.autograd.grad(3 * loss, logits)[0] for loss in (fast, slow)))


def test_the_way_back_may_be_taken_twice_and_from_any_memory_format() -> None:
    source = torch.Generator().manual_seed(6)
    logits = torch.randn(2, 3, 4, 6, generator=source)
    labels = torch.randint(0, 3, (2, 4, 6), generator=source)
    gradients = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        given = logits.contiguous(memory_format=memory_format).requires_grad_()
        loss = boundary_loss(given, labels)
        gradients += [torch.autograd.grad(loss, given, retain_graph=True)[0] for _ in range(2)]
    assert all(torch.equal(gradients[0], each) for each in gradients[1:])


@pytest.mark.parametrize("border", ["replicate", "one_sided", "zero"])
def test_the_gradient_is_right(border: str) -> None:
    source = torch.Generator().manual_seed(5)
    logits = torch.randn(1, 3, 4, 5, generator=source, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 3, (1, 4, 5), generator=source)
    labels[0, 0, 0] = 255
    for normalise in (False, True):
        assert torch.autograd.gradcheck(
            lambda x, n=normalise: boundary_loss(x, labels, border=border, normalise=n), (logits,)
        )
