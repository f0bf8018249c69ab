"""Gumbel noise in the boundary loss: its distribution, drawn alike whatever the blocks, passed by gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from boundaryhere import v0

from segfrontier.maths import boundary_loss, boundary_losses, gumbel_noise
from segfrontier.maths.noise import GumbelNoise


def test_the_noise_is_that_of_its_uniform_numbers() -> None:
    uniform = torch.rand(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = gumbel_noise(uniform)
    torch.testing.assert_close(noise, -(-uniform.log()).log(), atol=1e-5, rtol=1e-5)
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.06) and torch.isfinite(gumbel_noise(torch.zeros(1))).all()
    logits, labels = v0()
    drawn = gumbel_noise(torch.rand(logits.shape, generator=torch.Generator().manual_seed(1)))
    same = [boundary_loss(logits, labels, noise_NKHW=drawn).item() for _ in range(2)]
    assert same[0] == same[1] == boundary_loss(logits + drawn, labels).item() != boundary_loss(logits, labels).item()


@pytest.mark.parametrize("epsilon", [0.0, 1e-4])
@pytest.mark.parametrize("size", [(5, 6), (5, 7)])
def test_gumbel_draws_the_same_noise_whatever_the_blocks(
    epsilon: float, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = torch.Generator().manual_seed(7)
    logits = torch.randn(4, 3, *size, generator=source)
    labels = torch.randint(0, 3, (4, *size), generator=source)
    torch.manual_seed(3)
    noise = GumbelNoise(logits.device).added_to(torch.zeros_like(logits))
    by_hand = boundary_loss(logits, labels, noise_NKHW=noise, epsilon=epsilon).item()
    assert by_hand != boundary_loss(logits, labels, epsilon=epsilon).item()
    for block in (1, 30, 180, 10**9):
        monkeypatch.setattr(boundary_losses, "_BLOCK", block)
        torch.manual_seed(3)
        drawn = boundary_loss(logits, labels, noise_NKHW="gumbel", epsilon=epsilon)
        assert drawn.item() == pytest.approx(by_hand, rel=1e-6)


def test_gumbel_noise_is_drawn_anew_each_time_and_again_from_the_same_seed() -> None:
    logits, labels = v0()
    torch.manual_seed(3)
    first, second = (boundary_loss(logits, labels, noise_NKHW="gumbel").item() for _ in range(2))
    torch.manual_seed(3)
    assert boundary_loss(logits, labels, noise_NKHW="gumbel").item() == first != second


@pytest.mark.parametrize("settings", [{}, {"epsilon": 1e-6}, {"normalise": True}])
def test_gradients_pass_the_drawn_noise(settings: dict[str, Any]) -> None:
    logits, labels = v0()
    gradients = []
    for drawn in (True, False):
        torch.manual_seed(5)
        noise = "gumbel" if drawn else GumbelNoise(logits.device).added_to(torch.zeros_like(logits))
        given = logits.clone().requires_grad_()
        gradients += torch.autograd.grad(boundary_loss(given, labels, noise_NKHW=noise, **settings), given)
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().sum() > 0


def test_drawn_noise_follows_gumbel_s_distribution() -> None:
    torch.manual_seed(0)
    noise = GumbelNoise(torch.device("cpu")).added_to(torch.zeros(3, 5, 101, 103)).flatten().double()
    # Where u = exp(-exp(-noise)) is uniform, noise is Gumbel's; 0.006 is four times what chance leaves.
    uniform = noise.neg().exp().neg().exp().sort().values
    assert (uniform - torch.linspace(0, 1, len(uniform), dtype=torch.float64)).abs().max() < 0.006
    neighbours = noise[:-1] - noise.mean(), noise[1:] - noise.mean()
    assert abs((neighbours[0] * neighbours[1]).mean()) / noise.var() < 0.012 and torch.isfinite(noise).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [0.05, 1 / 3, 0.5, 1.0, 7.0])
def test_a_soft_draw_is_the_softmax_of_logits_with_the_same_noise(temperature: float, dtype: torch.dtype) -> None:
    source = torch.Generator().manual_seed(9)
    for spread in (1.0, 30.0, 1e4):
        logits = spread * torch.randn(3, 5, 7, 11, generator=source, dtype=dtype)
        torch.manual_seed(4)
        noisy = GumbelNoise(logits.device).added_to(logits)
        torch.manual_seed(4)
        drawn = GumbelNoise(logits.device).soft_draw(logits, temperature, out=torch.empty_like(logits))
        expected = (noisy.double() / temperature).softmax(1).to(dtype)
        torch.testing.assert_close(drawn, expected, atol=1e-9, rtol=1e-3 if spread > 30 else 1e-4)
        torch.testing.assert_close(drawn.sum(1), torch.ones_like(drawn[:, 0]))
