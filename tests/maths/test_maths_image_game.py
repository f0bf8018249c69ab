"""The maths of paper 004: FACTS.md 4e's vectors, slow references, and shares that add up to the whole batch."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from segfrontier.maths import (
    feature_matching,
    large_classes,
    likely_classes,
    mask_classes,
    ramp_up,
    real_or_fake,
    self_training_loss,
    softmax_mse,
    tag_consistency,
    trusted,
)


def shared(*amounts: torch.Tensor) -> SimpleNamespace:
    """A whole batch whose other shares report these amounts, one after another."""
    others = iter(amounts)
    return SimpleNamespace(shares=2, total=lambda own: own + next(others))


# ------------------------------------------------------------------------------------------------ feature matching


def test_facts_4e_feature_matching() -> None:
    real, fake = torch.tensor([[1.0, 2], [3, 4]]), torch.tensor([[0.0, 0], [2, 4]])
    assert feature_matching(real, fake).item() == 1.0
    assert feature_matching(real, fake, norm="l2").item() == pytest.approx(1.414214, abs=1e-6)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_shares_of_a_batch_match_the_means_of_the_whole(norm: str) -> None:
    """Means of shares differ in their signs: the mean of their distances is not the distance of the means."""
    torch.manual_seed(0)
    real, fake = torch.randn(4, 5), torch.randn(4, 5, requires_grad=True)
    whole = feature_matching(real, fake, norm=norm)  # type: ignore[arg-type]
    (wanted,) = torch.autograd.grad(whole, fake)
    values, gradient = [], torch.zeros_like(fake)
    for mine, theirs in ((slice(0, 2), slice(2, 4)), (slice(2, 4), slice(0, 2))):
        other = (real[theirs].mean(0) - fake[theirs].mean(0)).detach()
        value = feature_matching(real[mine], fake[mine], norm=norm, over=shared(other))  # type: ignore[arg-type]
        values.append(value.item())
        gradient += torch.autograd.grad(value / 2, fake)[0]
    assert values == pytest.approx([whole.item()] * 2)
    torch.testing.assert_close(gradient, wanted)
    apart = [feature_matching(real[s], fake[s], norm=norm).item() for s in (slice(0, 2), slice(2, 4))]  # type: ignore[arg-type]
    assert np.mean(apart) > whole.item() + 0.05


# ------------------------------------------------------------------------------------------------ real or fake


def test_real_or_fake_is_the_cross_entropy_of_goodfellow() -> None:
    logits = torch.tensor([2.0, -1.0, 0.5])
    d = 1 / (1 + np.exp(-logits.numpy().astype(np.float64)))
    assert real_or_fake(logits, real=True).item() == pytest.approx(-np.log(d).mean(), abs=1e-6)
    assert real_or_fake(logits, real=False).item() == pytest.approx(-np.log(1 - d).mean(), abs=1e-6)
    counts = torch.tensor([True, False, True])
    assert real_or_fake(logits, real=True, counts=counts).item() == pytest.approx(-np.log(d[[0, 2]]).mean(), abs=1e-6)
    nothing = real_or_fake(logits.requires_grad_(), real=True, counts=torch.zeros(3, dtype=torch.bool))
    assert nothing.item() == 0 and nothing.requires_grad


def test_what_counts_is_divided_by_the_mass_of_all_shares() -> None:
    """One share has one labelled pixel, the other three."""
    logits, counts = torch.randn(8), torch.tensor([1, 0, 0, 0, 1, 1, 1, 0]).bool()
    whole = real_or_fake(logits, real=True, counts=counts)
    parts = [
        real_or_fake(logits[s], real=True, counts=counts[s], over=shared(counts[o].sum()))
        for s, o in ((slice(0, 4), slice(4, 8)), (slice(4, 8), slice(0, 4)))
    ]
    assert (parts[0] + parts[1]).item() / 2 == pytest.approx(whole.item())


# ------------------------------------------------------------------------------------------------ self-training


def test_an_image_exactly_at_gamma_is_trusted_unless_strict() -> None:
    scores = torch.tensor([0.59, 0.6, 0.61])
    assert trusted(scores, least=scores[1].item()).tolist() == [False, True, True]
    assert trusted(scores, least=scores[1].item(), strict=True).tolist() == [False, False, True]
    with pytest.raises(ValueError, match=r"the least score must lie in \[0, 1\]; found 1.5"):
        trusted(scores, least=1.5)


def test_self_training_is_the_mean_over_all_pixels_of_trusted_images() -> None:
    torch.manual_seed(0)
    logits = torch.randn(3, 4, 2, 5, requires_grad=True)
    chosen = torch.tensor([True, False, True])
    slow = [
        -math.log(max(np.exp(x) / np.exp(x).sum()))
        for n in (0, 2)
        for x in logits[n].detach().double().numpy().reshape(4, -1).T
    ]
    loss = self_training_loss(logits, chosen)
    assert loss.item() == pytest.approx(np.mean(slow), rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[1].any() and gradient[0].any()
    nothing = self_training_loss(logits, torch.zeros(3, dtype=torch.bool))
    assert nothing.item() == 0 and not torch.autograd.grad(nothing, logits)[0].any()


def test_pixels_can_be_trusted_one_by_one() -> None:
    logits = torch.randn(2, 3, 2, 2)
    chosen = torch.zeros(2, 2, 2, dtype=torch.bool)
    chosen[1, 0, 1] = True
    wanted = -logits[1, :, 0, 1].log_softmax(0).max()
    assert self_training_loss(logits, chosen).item() == pytest.approx(wanted.item(), rel=1e-5)


# ------------------------------------------------------------------------------------------------ masking classes


def test_facts_4b_masking_probabilities_is_not_masking_logits() -> None:
    """Logits (-3, -1, -2), the third class masked: a zero logit would win, a zero probability does not."""
    logits, kept = torch.tensor([-3.0, -1.0, -2.0]).reshape(1, 3, 1, 1), torch.tensor([[True, True, False]])
    assert (logits * kept[:, :, None, None]).argmax(1).item() == 2, "the published form"
    assert mask_classes(logits, kept).argmax(1).item() == 1
    assert mask_classes(logits, kept).softmax(1)[0, 2].item() < 1e-9


def test_masked_logits_decide_like_masked_probabilities() -> None:
    torch.manual_seed(0)
    logits, kept = torch.randn(4, 5, 6, 7) * 3, torch.rand(4, 5) < 0.5
    kept[:, 1] = True
    wanted = (logits.double().softmax(1) * kept[:, :, None, None]).argmax(1)
    assert torch.equal(mask_classes(logits, kept).argmax(1), wanted)
    assert torch.equal(mask_classes(logits, torch.ones_like(kept)), logits)
    extreme = torch.tensor([90.0, -90, -95]).reshape(1, 3, 1, 1)  # the likelier kept class has a probability of 0
    assert mask_classes(extreme, torch.tensor([[False, True, True]])).argmax(1).item() == 1


def test_a_class_at_tau_is_off_in_the_paper_and_on_in_its_code() -> None:
    scores = torch.tensor([[0.1, 0.25, 0.5]])
    assert likely_classes(scores, tau=0.25, all_masked="unmasked").tolist() == [[False, False, True]]
    assert likely_classes(scores, tau=0.25, inclusive=True, all_masked="unmasked").tolist() == [[False, True, True]]


def test_an_image_without_any_likely_class_follows_the_stated_rule() -> None:
    scores = torch.tensor([[0.1, 0.1, 0.1], [0.1, 0.1, 0.9]])
    assert likely_classes(scores, tau=0.2, all_masked="unmasked").tolist() == [[True] * 3, [False, False, True]]
    assert likely_classes(scores, tau=0.2, all_masked="first").tolist() == [[True, False, False], [False, False, True]]


def test_small_classes_are_those_below_their_own_share() -> None:
    labels = torch.zeros(2, 4, 5, dtype=torch.long)
    labels[0, 0, :2], labels[0, 1, :3] = 1, 2  # 2 and 3 pixels of 20
    least = torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64)
    assert large_classes(labels, least, all_masked="unmasked").tolist() == [[True, True, False], [True, False, False]]
    assert large_classes(labels, least + 1.1, all_masked="first").tolist() == [[True, False, False]] * 2


# ------------------------------------------------------------------------------------------------ teachers


def test_facts_4e_consistency() -> None:
    student, teacher = torch.tensor([[1.0, 2, 3], [0, 0, 0]]), torch.tensor([[3.0, 2, 1], [0, 1, 0]])
    assert tag_consistency(student, teacher, form="cosine").item() == pytest.approx(0.642857, abs=1e-6)
    assert 2 * softmax_mse(student, teacher).item() == pytest.approx(0.250050, abs=1e-6), "a sum over two images there"
    p, q = (1 / (1 + np.exp(-x.numpy().astype(np.float64))) for x in (student, teacher))
    assert tag_consistency(student, teacher, form="mse").item() == pytest.approx(((p - q) ** 2).mean(), abs=1e-6)


def softmax_kl(student: np.ndarray, teacher: np.ndarray) -> float:
    """Mean teacher's other distance of answers, a sum over the images. No method here has it: it checks the vectors."""
    mine, theirs = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (student, teacher))
    return float((theirs * (np.log(theirs) - np.log(mine))).sum())


def test_facts_4e_softmax_kl() -> None:
    student, teacher = np.array([[1.0, 2, 3], [0, 0, 0]]), np.array([[3.0, 2, 1], [0, 1, 0]])
    assert softmax_kl(student, teacher) == pytest.approx(1.273705, abs=1e-6)
    assert softmax_kl(teacher, teacher) == 0
    inputs = torch.from_numpy(student).log_softmax(1), torch.from_numpy(teacher).softmax(1)
    assert torch.nn.functional.kl_div(*inputs, reduction="sum").item() == pytest.approx(1.273705, abs=1e-6)


@pytest.mark.parametrize("form", ["mse", "cosine"])
def test_no_gradient_reaches_the_teacher(form: str) -> None:
    student, teacher = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    (tag_consistency(student, teacher, form=form) + softmax_mse(student, teacher)).backward()  # type: ignore[arg-type]
    assert student.grad is not None and student.grad.any() and teacher.grad is None


def test_facts_4e_ramps() -> None:
    """Over the code's 100 epochs, and mean teacher's over 10."""
    assert [ramp_up(e / 100, ramp="linear") for e in (0, 10, 11, 35, 60, 100)] == pytest.approx([0, 0, 0.02, 0.5, 1, 1])
    found = [ramp_up(t / 10, ramp="sigmoid") for t in (0, 1, 5, 9, 10)]
    assert found == pytest.approx([0.00673795, 0.01742237, 0.2865048, 0.95122942, 1.0], rel=1e-6)
    assert ramp_up(0.0, ramp="none") == 1.0
    with pytest.raises(ValueError, match="ramp must be 'linear', 'sigmoid' or 'none'"):
        ramp_up(0.5, ramp="cosine")  # type: ignore[arg-type]
