"""Cross-entropy with void: the published vectors, the empty batch, weights, normalisations, half precision."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import cross_entropy, label_mass

VOID = 255
PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=40)


def facts_logits() -> torch.Tensor:
    return torch.sin(torch.arange(24.0)).view(1, 3, 2, 4)


FACTS_TARGET = torch.tensor([[[0, 1, 2, 255], [1, 1, 0, 255]]])


def slow(logits: torch.Tensor, target: torch.Tensor, weights: list[float] | None, void: int = VOID) -> list[float]:
    """Sum, weight and pixel count, one pixel at a time."""
    total = mass = 0.0
    n, k, h, w = logits.shape
    for i in range(n):
        for y in range(h):
            for x in range(w):
                label = int(target[i, y, x])
                if label == void:
                    continue
                scores = [float(logits[i, c, y, x]) for c in range(k)]
                top = max(scores)
                log_sum = top + math.log(sum(math.exp(s - top) for s in scores))
                weight = 1.0 if weights is None else weights[label]
                total += weight * (log_sum - scores[label])
                mass += weight
    return [total, mass, n * h * w]


def test_facts_1e_and_4e_cross_entropy() -> None:
    assert cross_entropy(facts_logits(), FACTS_TARGET).item() == pytest.approx(1.520119, abs=1e-6)


@PROPERTY
@given(seed=st.integers(0, 10_000), weighted=st.booleans(), void=st.sampled_from([255, -1, 250, 0]))
def test_every_normalisation_against_loops(seed: int, weighted: bool, void: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, 3, 5, generator=generator)
    target = torch.randint(0, 4, (2, 3, 5), generator=generator)
    target[torch.rand(2, 3, 5, generator=generator) < 0.3] = void
    weights = [0.5, 2.0, 0.0, 1.25] if weighted else None
    tensor = None if weights is None else torch.tensor(weights)
    total, mass, pixels = slow(logits, target, weights, void)
    expected = {"sum": total, "pixels": total / pixels, "mean": total / mass if mass else 0.0}
    for normalisation, value in expected.items():
        found = cross_entropy(logits, target, class_weights_K=tensor, normalisation=normalisation, void=void)
        assert found.item() == pytest.approx(value, rel=1e-5, abs=1e-6)
    assert label_mass(target, class_weights_K=tensor, void=void).item() == pytest.approx(mass, rel=1e-6)


def test_the_weighted_mean_is_torchs() -> None:
    weights = torch.tensor([1.0, 2.0, 0.25])
    expected = F.cross_entropy(facts_logits(), FACTS_TARGET, weight=weights, ignore_index=VOID)
    found = cross_entropy(facts_logits(), FACTS_TARGET, class_weights_K=weights)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("normalisation", ["mean", "sum", "pixels"])
@pytest.mark.parametrize("weights", [None, torch.ones(3)])
def test_an_empty_set_costs_nothing_but_keeps_its_gradient(normalisation: str, weights: torch.Tensor | None) -> None:
    parameter = torch.nn.Parameter(facts_logits())
    loss = cross_entropy(
        parameter * 2, torch.full((1, 2, 4), VOID), class_weights_K=weights, normalisation=normalisation
    )
    assert loss.item() == 0.0
    loss.backward()
    assert parameter.grad is not None
    assert torch.equal(parameter.grad, torch.zeros_like(parameter))


def test_labels_that_all_weigh_nothing_cost_nothing() -> None:
    logits = facts_logits().requires_grad_()
    loss = cross_entropy(logits, torch.zeros(1, 2, 4, dtype=torch.long), class_weights_K=torch.tensor([0.0, 1, 1]))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_mean_divides_by_weights_that_add_up_to_less_than_1() -> None:
    """Whatever the weight of a single class, the mean over it is the plain one."""
    logits, target = facts_logits(), torch.where(FACTS_TARGET == 1, 1, VOID)
    for weight in (1e-20, 1e-3, 0.25, 7.0):
        found = cross_entropy(logits, target, class_weights_K=torch.tensor([1.0, weight, 1.0]))
        torch.testing.assert_close(found, cross_entropy(logits, target))


def test_void_pixels_never_count() -> None:
    logits, changed = facts_logits(), facts_logits()
    changed[:, :, :, 3] = 100.0
    assert cross_entropy(logits, FACTS_TARGET).item() == cross_entropy(changed, FACTS_TARGET).item()
    logits.requires_grad_()
    cross_entropy(logits, FACTS_TARGET).backward()
    assert torch.equal(logits.grad[..., 3], torch.zeros(1, 3, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    logits = (100 * facts_logits()).to(dtype).requires_grad_()
    loss = cross_entropy(logits, FACTS_TARGET, class_weights_K=torch.ones(3, dtype=dtype))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(cross_entropy(logits.float(), FACTS_TARGET).item(), rel=1e-6)
    loss.backward()
    assert logits.grad is not None and logits.grad.dtype == dtype and bool(logits.grad.isfinite().all())


def test_float64_stays_float64() -> None:
    assert cross_entropy(facts_logits().double(), FACTS_TARGET).dtype == torch.float64


def test_byte_targets_and_whole_images() -> None:
    byte = cross_entropy(facts_logits(), FACTS_TARGET.to(torch.uint8))
    assert byte.item() == cross_entropy(facts_logits(), FACTS_TARGET).item()
    logits = torch.tensor([[1.0, 2.0], [0.5, -1.0]])
    target = torch.tensor([1, 0])
    torch.testing.assert_close(cross_entropy(logits, target), F.cross_entropy(logits, target))


def test_shards_sum_to_the_whole_batchs_mean() -> None:
    logits, target = facts_logits(), FACTS_TARGET
    total = sum(cross_entropy(logits[:, :, y], target[:, y], normalisation="sum") for y in range(2))
    mass = sum(label_mass(target[:, y]) for y in range(2))
    torch.testing.assert_close(total / mass, cross_entropy(logits, target))


def test_an_unknown_normalisation_is_refused() -> None:
    with pytest.raises(ValueError, match="'mean', 'sum' or 'pixels'; found 'average'"):
        cross_entropy(facts_logits(), FACTS_TARGET, normalisation="average")  # type: ignore[arg-type]
