"""Which places are on a boundary: thresholds met exactly, flat maps, maps divided by their largest value."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from boundaryhere import perfect, v0
from torch import Tensor

from segfrontier.maths import boundary_loss, boundary_map


def test_flat_predictions_have_a_finite_gradient() -> None:
    logits = torch.zeros(1, 3, 4, 4, requires_grad=True)
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[..., 2:] = 1
    boundary_loss(logits, labels).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("border", ["replicate", "one_sided"])
@pytest.mark.parametrize("threshold", [0.0, 1e-8])
def test_a_map_without_any_gradient_has_no_boundary(border: str, threshold: float) -> None:
    """Divided by its largest value it is still nowhere on a boundary: over the truth's boundary there is no mean."""
    logits, labels = v0()
    uniform, flat = torch.zeros_like(labels), torch.zeros_like(logits)
    settings: dict[str, Any] = {"border": border, "threshold": threshold, "normalise": True}
    assert boundary_loss(logits, uniform, **settings, weights=(1.0, 0.0)).item() == 0
    assert boundary_loss(flat, uniform, **settings).item() == 0
    assert boundary_loss(perfect(uniform), uniform, **settings).item() == 0
    # Of a flat prediction only the truth's boundary is left, where the truth's map is 1 and the prediction's 0.
    assert boundary_loss(flat, labels, **settings).item() == 0.5
    predicted = boundary_map((logits / 0.5).softmax(1), border=border)
    alone = (predicted / predicted.amax())[predicted / predicted.amax() > threshold].mean()
    assert boundary_loss(logits, uniform, **settings).item() == pytest.approx(alone.item() / 2, rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("settings", [{}, {"normalise": True}])
def test_a_threshold_of_nothing_takes_just_what_changes(dtype: torch.dtype, settings: dict[str, Any]) -> None:
    _, labels = v0()
    logits = torch.zeros(1, 19, 6, 8, dtype=dtype)
    logits[0, 3, :, 2] = 1.0
    losses = [boundary_loss(logits, labels, threshold=t, **settings).item() for t in (0.0, 1e-30, 1e-20, 1e-18, 1e-8)]
    assert losses == [losses[0]] * 5 and losses[0] > 0


@pytest.mark.parametrize("shift", [1.0, -3.0, 100.0])
def test_a_vanishing_gradient_is_0_and_so_is_its_derivative(shift: float) -> None:
    maps = torch.full((1, 2, 3, 4), shift, requires_grad=True)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        lengths = boundary_map(maps.to(dtype), border="replicate")
        (gradient,) = torch.autograd.grad(lengths.sum(), maps)
        assert torch.all(lengths == 0) and torch.all(gradient == 0)
        assert lengths.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)


def halves_and_ones() -> Tensor:
    """Two classes on one row: probabilities of .5, .5, 1; the lengths are 0, .25, .25, and floats hold them exactly."""
    logits = torch.tensor([[0.0, 0.0, 400.0], [0.0, 0.0, 0.0]]).view(1, 2, 1, 3)
    assert boundary_map((logits / 0.5).softmax(1), border="replicate")[0, 0, 0].tolist() == [0, 0.25, 0.25]
    return logits.requires_grad_()


@pytest.mark.parametrize("epsilon", [0.0, 1e-30])  # so little that it changes no length, but goes the other way
@pytest.mark.parametrize("changing", [False, True])
def test_a_prediction_exactly_at_the_threshold_is_on_no_boundary(epsilon: float, changing: bool) -> None:
    labels = torch.tensor([[[0, 0, int(changing)]]])
    for threshold, counts in ((0.25, False), (0.2499, True)):
        logits = halves_and_ones()
        loss = boundary_loss(logits, labels, epsilon=epsilon, threshold=threshold, weights=(0.0, 1.0))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert (loss.item() > 0) == counts and bool(gradient.any()) == counts


@pytest.mark.parametrize("epsilon", [0.0, 1e-30])
def test_a_truth_exactly_at_the_threshold_is_on_no_boundary(epsilon: float) -> None:
    """A step of the truth has the length .5."""
    labels = torch.tensor([[[0, 0, 1]]])
    for threshold, expected in ((0.5, 0.0), (0.4999, 0.25)):
        logits = halves_and_ones()
        loss = boundary_loss(logits, labels, epsilon=epsilon, threshold=threshold, weights=(1.0, 0.0))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert loss.item() == pytest.approx(expected) and bool(gradient.any()) == (expected > 0)


def test_the_largest_value_of_an_image_s_maps_is_its_own() -> None:
    """An image costs the same whatever stands beside it in the batch: the steeper one does not flatten the other."""
    source = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, 5, 6, generator=source) * torch.tensor([0.1, 1.0]).view(2, 1, 1, 1)
    labels = torch.randint(0, 3, (2, 5, 6), generator=source)
    labels[0] = 1  # an image whose truth has no gradient must not be divided by nothing
    predicted = boundary_map((logits / 0.5).softmax(1), border="replicate")
    true = boundary_map((labels.unsqueeze(1) == torch.arange(3).view(1, 3, 1, 1)).float(), border="replicate")
    largest = predicted.amax((1, 2, 3), keepdim=True)
    assert largest[0] < largest[1] / 3
    gap = (predicted / largest - true / true.amax()).abs()
    expected = 0.5 * gap[true > 0].mean() + 0.5 * gap[predicted / largest > 1e-8].mean()
    torch.testing.assert_close(boundary_loss(logits, labels, normalise=True), expected)
