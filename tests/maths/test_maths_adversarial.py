"""The domain game: FACTS.md 1e's vectors, and the gradient that does not vanish."""

from __future__ import annotations

import pytest
import torch

from segfrontier.maths import domain_loss


def test_facts_1e_binary_cross_entropy() -> None:
    assert domain_loss(torch.zeros(1, 1, 2, 3), "source").item() == pytest.approx(0.693147, abs=1e-6)
    logits = torch.tensor([2.0, -1.0])
    assert domain_loss(logits, "source").item() == pytest.approx(1.220095, abs=1e-6)
    assert domain_loss(logits, "target").item() == pytest.approx(0.720095, abs=1e-6)


def test_fooling_a_sure_critic_still_has_a_gradient() -> None:
    """The critic is sure of `target` (logit 9): asking for `source` pulls with almost 1, log(1 - D) with almost 0."""
    logits = torch.tensor([9.0], requires_grad=True)
    domain_loss(logits, "source").backward()
    assert logits.grad is not None and logits.grad.item() > 0.999
    saturating = torch.tensor([9.0], requires_grad=True)
    (-domain_loss(saturating, "target")).backward()
    assert saturating.grad is not None and abs(saturating.grad.item()) < 1e-3


def test_half_precision_is_judged_in_full() -> None:
    assert domain_loss(torch.tensor([60.0], dtype=torch.bfloat16), "source").dtype == torch.float32
