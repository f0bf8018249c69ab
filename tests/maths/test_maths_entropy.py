"""Self-information and entropy: the published vectors, the corners, half precision."""

from __future__ import annotations

import math

import pytest
import torch

from segfrontier.maths import normalised_entropy, self_information


def test_facts_1e_self_information_of_three_classes() -> None:
    channels = self_information(torch.tensor([0.7, 0.2, 0.1]).view(1, 3, 1, 1)).flatten()
    assert channels.tolist() == pytest.approx([0.227262, 0.292995, 0.209590], abs=1e-6)
    assert channels.sum().item() == pytest.approx(0.729847, abs=1e-6)
    assert channels.mean().item() == pytest.approx(0.243282, abs=1e-6)


def test_facts_1e_uniform_and_certain() -> None:
    uniform = self_information(torch.full((2, 19, 3, 4), 1 / 19))
    torch.testing.assert_close(uniform, torch.full((2, 19, 3, 4), 0.0526316), atol=1e-6, rtol=0)
    torch.testing.assert_close(normalised_entropy(torch.full((2, 19, 3, 4), 1 / 19)), torch.ones(2, 3, 4))
    certain = torch.zeros(1, 19, 1, 1)
    certain[0, 4] = 1
    assert self_information(certain).abs().max().item() == 0.0


def test_facts_1a_a_channel_never_exceeds_an_eighth_of_19_classes() -> None:
    share = torch.linspace(0, 1, 10_001)
    probs = torch.stack([share, 1 - share, *[torch.zeros_like(share)] * 17])[None]
    assert 0.1245 < self_information(probs).max().item() <= 0.125


def test_facts_1e_patch_scores() -> None:
    probs = (4 * torch.sin(0.13 * torch.arange(19 * 16 * 32.0))).view(1, 19, 16, 32).softmax(1)
    patches = normalised_entropy(probs).view(8, 2, 16, 2).sum(dim=(1, 3)).flatten()
    values, top = patches.topk(10)
    assert top.tolist() == [111, 22, 119, 14, 62, 71, 70, 63, 13, 120]
    assert values[0].item() == pytest.approx(2.703760, abs=1e-5)


def test_against_a_sum_written_out() -> None:
    probs = torch.randn(2, 5, 3, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64).softmax(1)
    for n, y, x in [(0, 0, 0), (1, 2, 1)]:
        expected = -sum(float(p) * math.log(float(p)) for p in probs[n, :, y, x]) / math.log(5)
        assert normalised_entropy(probs)[n, y, x].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_no_nan(dtype: torch.dtype) -> None:
    probs = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).to(dtype).requires_grad_()
    entropy = normalised_entropy(probs)
    assert entropy.dtype == torch.float32 and entropy.item() == 0.0
    entropy.sum().backward()
    assert bool(probs.grad.isfinite().all())


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 classes on axis 1; found 1"):
        self_information(torch.ones(1, 1, 2, 2))
