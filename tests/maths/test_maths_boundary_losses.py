"""The boundary loss: FACTS.md's vectors, and what must cost nothing: void, other images, a perfect prediction."""

from __future__ import annotations

import pytest
import torch
from boundaryhere import perfect, v0

from segfrontier.maths import boundary_loss, boundary_losses, boundary_map, boundary_truth, central_difference


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


def test_central_difference_is_numpy_s_gradient() -> None:
    numpy = pytest.importorskip("numpy")
    maps = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    for dim in (-1, -2):
        expected = torch.from_numpy(numpy.gradient(maps.numpy(), axis=dim))
        torch.testing.assert_close(central_difference(maps, dim=dim, border="one_sided"), expected)
    assert torch.all(central_difference(maps[..., :1], dim=-1, border="zero") == 0)
    with pytest.raises(ValueError, match="border must be 'replicate', 'one_sided' or 'zero'; found 'wrap'"):
        central_difference(maps, dim=-1, border="wrap")


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
