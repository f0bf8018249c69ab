"""The boundary loss: FACTS.md's vectors, a slow reference, and pixels that must cost nothing."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from segfrontier.maths import (
    boundary_loss,
    boundary_losses,
    boundary_map,
    boundary_truth,
    central_difference,
    gumbel_noise,
)
from segfrontier.maths.noise import GumbelNoise


def v0() -> tuple[Tensor, Tensor]:
    """FACTS 0e: 19 classes on 6x8 pixels."""
    place = torch.arange(19 * 6 * 8, dtype=torch.float32).view(1, 19, 6, 8)
    labels = torch.where(torch.arange(8) < 4, 0, 1).expand(1, 6, 8).contiguous()
    return 3 * torch.sin(0.37 * place), labels


def perfect(labels_NHW: Tensor, classes: int = 19) -> Tensor:
    one_hot = torch.nn.functional.one_hot(labels_NHW.clamp_max(classes - 1), classes).permute(0, 3, 1, 2).float()
    return one_hot * 100 - 50


@pytest.mark.parametrize(
    ("border", "epsilon", "normalise", "expected"),
    [
        ("zero", 1e-6, True, 0.311852),  # WDASS
        ("replicate", 0.0, False, 0.260296),
        ("replicate", 0.0, True, 0.533463),
        ("one_sided", 0.0, False, 0.264857),
        ("one_sided", 0.0, True, 0.535877),
        ("zero", 0.0, False, 0.288417),
        ("zero", 0.0, True, 0.436671),
    ],
)
def test_facts_0e_boundary_loss(border: str, epsilon: float, normalise: bool, expected: float) -> None:
    logits, labels = v0()
    loss = boundary_loss(logits, labels, border=border, epsilon=epsilon, normalise=normalise)
    assert loss.item() == pytest.approx(expected, abs=1.5e-6)


@pytest.mark.parametrize(("border", "share"), [("replicate", 0.026316), ("one_sided", 0.026316), ("zero", 0.048246)])
def test_facts_0e_share_of_places_on_the_true_boundary(border: str, share: float) -> None:
    _, labels = v0()
    edges = boundary_map((labels.unsqueeze(1) == torch.arange(19).view(1, -1, 1, 1)).float(), border=border)
    assert (edges > 1e-8).float().mean().item() == pytest.approx(share, abs=5e-7)


def test_facts_0e_boundary_map_of_a_step() -> None:
    step = (torch.arange(6) >= 3).float().expand(1, 1, 5, 6)
    edges = boundary_map(step, border="zero", epsilon=1e-6)
    row = (edges / edges.max())[0, 0, 2].tolist()
    assert row == pytest.approx([0.00141, 0.00141, 0.70711, 0.70711, 0.00141, 0.70711], abs=5e-6)
    assert boundary_map(step, border="replicate")[0, 0, 2].tolist() == pytest.approx([0, 0, 0.5, 0.5, 0, 0])


def test_facts_0e_a_perfect_prediction_costs_nothing() -> None:
    _, labels = v0()
    assert boundary_loss(perfect(labels), labels).item() == 0


@pytest.mark.parametrize("border", ["replicate", "one_sided", "zero"])
@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
def test_void_costs_exactly_nothing(border: str, normalise: bool, epsilon: float) -> None:
    _, labels = v0()
    logits = perfect(labels)
    labels[:, 0] = 255
    labels[0, 3, 5] = 255
    logits[:, :, 0] = torch.randn(19, 8, generator=torch.Generator().manual_seed(0)) * 9
    logits[0, :, 3, 5] = 7.0
    logits.requires_grad_()
    loss = boundary_loss(logits, labels, border=border, normalise=normalise, epsilon=epsilon)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert logits.grad is not None and torch.all(logits.grad[:, :, 0] == 0) and torch.all(logits.grad[0, :, 3, 5] == 0)


def test_what_a_void_pixel_says_changes_neither_loss_nor_gradient() -> None:
    logits, labels = v0()
    labels[0, 2, 3] = labels[0, 5, 7] = 255
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    outcomes = []
    for value in (0.0, 30.0):
        other = logits.clone()
        other[0, :5, 2, 3] = other[0, 4:, 5, 7] = value
        other.requires_grad_()
        loss = boundary_loss(other, labels, noise_NKHW=noise)
        loss.backward()
        outcomes.append((loss.item(), other.grad))
    assert outcomes[0][0] == outcomes[1][0] > 0
    assert torch.equal(outcomes[0][1], outcomes[1][1])


def test_an_image_that_is_all_void_costs_nothing_and_has_a_gradient() -> None:
    logits = torch.randn(2, 3, 4, 5, requires_grad=True)
    loss = boundary_loss(logits, torch.full((2, 4, 5), 255))
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and torch.all(logits.grad == 0)


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


def test_images_before_the_labelled_ones_have_no_part() -> None:
    source = torch.Generator().manual_seed(4)
    logits = torch.randn(5, 3, 4, 6, generator=source, requires_grad=True)
    labels = torch.randint(0, 3, (2, 4, 6), generator=source)
    for normalise in (False, True):
        last = logits[3:].detach().requires_grad_()
        losses = [boundary_loss(each, labels, normalise=normalise) for each in (logits, last)]
        (whole,), (part,) = (torch.autograd.grad(loss, at) for loss, at in zip(losses, (logits, last), strict=True))
        assert losses[0].item() == losses[1].item() > 0
        assert torch.equal(whole[3:], part) and torch.all(whole[:3] == 0)


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


def test_flat_predictions_have_a_finite_gradient() -> None:
    logits = torch.zeros(1, 3, 4, 4, requires_grad=True)
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[..., 2:] = 1
    boundary_loss(logits, labels).backward()
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_central_difference_is_numpy_s_gradient() -> None:
    numpy = pytest.importorskip("numpy")
    maps = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    for dim in (-1, -2):
        expected = torch.from_numpy(numpy.gradient(maps.numpy(), axis=dim))
        torch.testing.assert_close(central_difference(maps, dim=dim, border="one_sided"), expected)
    assert torch.all(central_difference(maps[..., :1], dim=-1, border="zero") == 0)
    with pytest.raises(ValueError, match="border must be 'replicate', 'one_sided' or 'zero'; found 'wrap'"):
        central_difference(maps, dim=-1, border="wrap")


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


def test_an_accelerator_takes_every_place_for_one_at_which_the_truth_may_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = torch.Generator().manual_seed(8)
    logits = torch.randn(2, 4, 5, 6, generator=source, requires_grad=True)
    labels = torch.randint(0, 4, (2, 5, 6), generator=source)
    labels[torch.rand(labels.shape, generator=source) < 0.1] = 255
    for border in ("replicate", "one_sided", "zero"):
        few = boundary_loss(logits, labels, border=border)
        with monkeypatch.context() as patch:
            patch.setattr(boundary_truth, "_places", lambda beside, limit: torch.arange(limit.numel()))
            every = boundary_loss(logits, labels, border=border)
        torch.testing.assert_close(every, few)
        torch.testing.assert_close(*(torch.autograd.grad(loss, logits)[0] for loss in (every, few)))


def test_half_precision_is_computed_in_float32() -> None:
    logits, labels = v0()
    assert boundary_loss(logits.bfloat16(), labels).dtype == torch.float32


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


def test_a_maps_largest_value_is_that_of_the_whole_batch() -> None:
    source = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, 5, 6, generator=source) * torch.tensor([0.1, 1.0]).view(2, 1, 1, 1)
    labels = torch.randint(0, 3, (2, 5, 6), generator=source)
    labels[0] = 1  # an image whose truth has no gradient must not be divided by nothing
    predicted = boundary_map((logits / 0.5).softmax(1), border="replicate")
    true = boundary_map((labels.unsqueeze(1) == torch.arange(3).view(1, 3, 1, 1)).float(), border="replicate")
    assert predicted[0].amax() < predicted[1].amax() / 3
    gap = (predicted / predicted.amax() - true / true.amax()).abs()
    expected = 0.5 * gap[true > 0].mean() + 0.5 * gap[predicted / predicted.amax() > 1e-8].mean()
    torch.testing.assert_close(boundary_loss(logits, labels, normalise=True), expected)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("strange", [-1, 4, 200])
def test_an_accelerator_takes_a_label_that_is_no_class_for_void(
    normalise: bool, strange: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not made to wait for a look at them; on a CPU the label is an error."""
    monkeypatch.setattr(boundary_losses, "require_labels", lambda *args, **kwargs: None)
    source = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 4, 5, 6, generator=source, requires_grad=True)
    labels = torch.randint(0, 4, (2, 5, 6), generator=source)
    void = labels.clone()
    labels[0, 2, 3], void[0, 2, 3] = strange, 255
    losses = [boundary_loss(logits, each, normalise=normalise) for each in (labels, void)]
    assert losses[0].item() == losses[1].item() > 0
    assert torch.equal(*(torch.autograd.grad(loss, logits)[0] for loss in losses))
