"""How alike decoders are: the vectors of FACTS 3e, and sums by hand."""

from __future__ import annotations

import pytest
import torch

from segfrontier.maths import mean_similarity, weight_similarity

F1 = torch.arange(6).double().sin().view(2, 3).float()
F2 = torch.arange(6).double().cos().view(2, 3).float()


@pytest.mark.parametrize(("form", "value"), [("product", 7.003987), ("dot", 0.159208), ("cosine", 0.0530760)])
def test_facts_3e_vectors(form: str, value: float) -> None:
    assert weight_similarity([F1], [F2], form=form).item() == pytest.approx(value, rel=2e-6)


def test_the_forms_are_what_they_say() -> None:
    one, other = [F1, torch.tensor([2.0, -1.0])], [-F2, torch.tensor([0.5, 3.0])]
    flat = [[x for each in weights for x in each.flatten().tolist()] for weights in (one, other)]
    dot = sum(a * b for a, b in zip(*flat, strict=True))
    size = [sum(a * a for a in each) ** 0.5 for each in flat]
    assert weight_similarity(one, other, form="dot").item() == pytest.approx(dot, abs=1e-6)
    cosine = dot / (size[0] * size[1])
    assert cosine < 0
    assert weight_similarity(one, other).item() == pytest.approx(cosine, abs=1e-6)
    assert weight_similarity(one, other, form="absolute").item() == pytest.approx(-cosine, abs=1e-6)
    product = sum(abs(sum(F1[k, i] * F2[k, j] for k in range(2))) for i in range(3) for j in range(3))
    assert weight_similarity([F1], [-F2], form="product").item() == pytest.approx(float(product), rel=1e-6)


def test_the_same_weights_are_wholly_alike_and_no_weights_are_not_nan() -> None:
    assert weight_similarity([F1], [3 * F1]).item() == pytest.approx(1)
    assert weight_similarity([F1], [-F1]).item() == pytest.approx(-1)
    zero = torch.zeros(2, 3, requires_grad=True)
    found = weight_similarity([zero], [F1])
    found.backward()
    assert found.item() == 0 and torch.isfinite(zero.grad).all()


def test_its_gradient_pushes_decoders_apart() -> None:
    one, other = F1.clone().requires_grad_(), (F1 + 0.1 * F2).requires_grad_()
    before = weight_similarity([one], [other])
    before.backward()
    with torch.no_grad():
        after = weight_similarity([one - 0.1 * one.grad], [other - 0.1 * other.grad])
    assert after < before


def test_of_several_decoders_it_is_the_mean_over_pairs() -> None:
    three = [[F1], [F2], [F1 + F2]]
    pairs = [weight_similarity(three[i], three[j]).item() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert mean_similarity(three).item() == pytest.approx(sum(pairs) / 3)
    assert mean_similarity(three[:2]).item() == pytest.approx(pairs[0])


def test_decoders_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="same shapes"):
        weight_similarity([F1], [F2.T])
    with pytest.raises(ValueError, match="two decoders or more; found 1"):
        mean_similarity([[F1]])
    with pytest.raises(ValueError, match="form must be"):
        weight_similarity([F1], [F2], form="euclid")
