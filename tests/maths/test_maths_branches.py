"""Agreement of branches and the label they make, against loops that count by hand, and the vectors of FACTS 3e."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from segfrontier.maths import branch_labels, proxy_labels, variation_ratio


def drawn(branches: int, *shape: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) * 3 for _ in range(branches)]


def ratio(*labels: int) -> float:
    return variation_ratio(torch.tensor(labels)[:, None]).item()


def test_facts_3e_variation_ratios() -> None:
    assert (ratio(1, 1), ratio(1, 2), ratio(1, 1, 2, 3)) == (0.0, 0.5, 0.5)


def test_the_ratio_counts_who_is_not_with_the_mode() -> None:
    assert ratio(4) == 0 and ratio(7, 7, 7) == 0
    assert ratio(1, 2, 3) == pytest.approx(2 / 3) and ratio(1, 2, 2) == pytest.approx(1 / 3)
    assert ratio(1, 2, 1, 2) == 0.5, "two modes: either leaves half"


@pytest.mark.parametrize("branches", [2, 3, 5])
def test_ratio_and_labels_equal_a_count_pixel_by_pixel(branches: int) -> None:
    logits = drawn(branches, 2, 4, 5, 6)
    labels = branch_labels(logits)
    found, proxies = variation_ratio(labels), proxy_labels(logits)
    for n, y, x in [(n, y, x) for n in range(2) for y in range(5) for x in range(6)]:
        named = [max(range(4), key=lambda k: one[n, k, y, x].item()) for one in logits]
        assert labels[:, n, y, x].tolist() == named
        most = Counter(named).most_common(1)[0][1]
        assert found[n, y, x].item() == pytest.approx(1 - most / branches)
        mean = [sum(one[n, k, y, x].item() for one in logits) / branches for k in range(4)]
        assert proxies[n, y, x] == max(range(4), key=mean.__getitem__)
    assert len(set(found.flatten().tolist())) >= 2


@pytest.mark.parametrize("of", ["logits", "log_probabilities", "probabilities"])
def test_where_all_agree_the_mean_names_the_same_class(of: str) -> None:
    """FACTS 3a: averaging cannot differ from an agreed class, unlike the third head of the paper's code."""
    logits = drawn(3, 4, 5, 20, 20, seed=1)
    labels = branch_labels(logits)
    agreed = variation_ratio(labels) == 0
    assert 0.02 < agreed.float().mean() < 0.9
    assert torch.equal(proxy_labels(logits, of=of)[agreed], labels[0][agreed])


def test_log_probabilities_name_what_logits_name_and_probabilities_do_not() -> None:
    logits = drawn(2, 4, 5, 20, 20, seed=2)
    names = {of: proxy_labels(logits, of=of) for of in ("logits", "log_probabilities", "probabilities")}
    assert torch.equal(names["logits"], names["log_probabilities"])
    assert not torch.equal(names["logits"], names["probabilities"])
    mild_and_sure = [torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[9.0, 0.0, 0.0]])]
    assert proxy_labels(mild_and_sure).item() == 0, "logits of 9 outweigh two of 1"
    assert proxy_labels(mild_and_sure, of="probabilities").item() == 0
    two_sure = [torch.tensor([[0.0, 4.0]]), torch.tensor([[0.0, 4.0]]), torch.tensor([[9.0, 0.0]])]
    assert proxy_labels(two_sure).item() == 0 and proxy_labels(two_sure, of="probabilities").item() == 1


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        proxy_labels([])
    with pytest.raises(ValueError, match="logits of branch 1 must have the shape"):
        branch_labels([torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, 2)])
    with pytest.raises(ValueError, match="must be integers"):
        variation_ratio(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="of must be"):
        proxy_labels(drawn(2, 1, 2, 1), of="votes")


def test_half_precision_does_not_round_an_agreed_class_away() -> None:
    far, near = torch.tensor([[193.0, 194.0]]).bfloat16(), torch.tensor([[0.0, 2.0**-20]]).bfloat16()
    logits = [far, near, near]
    assert branch_labels(logits).flatten().tolist() == [1, 1, 1]
    assert torch.stack(logits).mean(0).argmax(1).item() == 0, "64 1/3 and 64 2/3 are both 64.5"
    assert proxy_labels(logits).item() == 1
