"""A model made of several: their very weights, no training, found again, planned without any weights."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from passhere import trained
from torch import nn
from toylab import Plain, Recorder, Tiny, toy_lab

from segfrontier.errors import BadInput
from segfrontier.lab import Bench, Fine

BENCH = Bench(device="cpu", threads=1)


class Pair(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, images):
        logits = self.first(images).mean_logits - self.second(images).mean_logits
        return SimpleNamespace(logits=(logits,), aux=None, mean_logits=logits)


@dataclass(frozen=True)
class PairSpec:
    """Two tiny networks, one against the other."""

    part: Tiny = Tiny()

    def build(self, *, seed):
        return Pair(self.part.build(seed=seed), self.part.build(seed=seed + 1))

    def origin(self):
        return "random"


def test_parts_keep_their_weights_and_nothing_is_trained(toy_world, tmp_path):
    with toy_lab(tmp_path, toy_world, bench=BENCH, watcher=Recorder()) as lab:
        fine = lab.buy(Fine(lab.pool.scenes()[:3]))
        one, other = trained(lab, fine), trained(lab, fine, objective=Plain(lr=0.05)).teacher()
        before = lab.trained.steps
        pair = lab.join(PairSpec(), {"first": one, "second": other})
        assert lab.trained.steps == before
        cpu, images = torch.device("cpu"), torch.rand(2, 3, 24, 32)
        found, a, b = (model.build(cpu)(images).mean_logits for model in (pair, one, other))
        assert torch.equal(found, a - b) and not torch.equal(a, b)
        assert lab.score(pair).miou != lab.score(one).miou
        assert lab.oracle_best(pair)[0] == 0 and lab.oracle_best(pair)[1].values == lab.score(pair).values
        assert lab.join(PairSpec(), {"first": one, "second": other}).key == pair.key
        assert lab.join(PairSpec(), {"first": other, "second": one}).key != pair.key


def test_a_part_that_the_network_lacks_is_refused(toy_world, tmp_path):
    with toy_lab(tmp_path, toy_world, bench=BENCH) as lab:
        model = trained(lab, lab.buy(Fine(lab.pool.scenes()[:3])))
        with pytest.raises(BadInput, match=r"names of a network's parts \(first, second\); found 'third'"):
            lab.join(PairSpec(), {"third": model})
