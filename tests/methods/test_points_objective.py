"""One step of adaptation against the published loop written out by hand, and each of its terms by itself."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from segfrontier.lab import Adam, Batch, Moment, Network, Sgd
from segfrontier.lab.training.learners import Learners
from segfrontier.lab.worker import Worker
from segfrontier.models.discriminator import PatchDiscriminatorSpec
from segfrontier_methods.active_points.objective import Adapt


class TwoLevels(nn.Module):
    """Logits at two depths."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.aux, self.main = nn.Conv2d(8, 3, 1), nn.Conv2d(8, 3, 1)

    def forward(self, images):
        shallow = self.first(images).relu()
        logits = self.main(self.second(shallow).relu())
        return SimpleNamespace(logits=(logits,), aux=self.aux(shallow), mean_logits=logits)


@dataclass(frozen=True)
class TwoLevelSpec:
    def build(self, *, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return TwoLevels()

    def origin(self):
        return "random"


def objective(**changes):
    settings = {
        "segmenter": Network(blueprint=TwoLevelSpec(), optimiser=Sgd(lr=0.1, momentum=0.9, weight_decay=1e-4)),
        "critic": Network(
            blueprint=PatchDiscriminatorSpec(channels=3, width=2), optimiser=Adam(lr=1e-2, betas=(0.9, 0.99))
        ),
        "seg_weights": (1.0, 0.1),
        "target_weights": (1e-3, 2e-4),
    }
    return Adapt(**(settings | changes))


def batches(*, labelled=False):
    torch.manual_seed(1)

    def one(label):
        return Batch(torch.rand(2, 3, 32, 32), label, None, ["a", "b"])

    points = torch.full((2, 32, 32), 255)
    if labelled:
        points[:, ::8, ::8] = torch.randint(0, 3, (2, 4, 4))
    return {"source": one(torch.randint(0, 3, (2, 32, 32))), "target": one(points)}


def learners(goal):
    return Learners(goal, Worker(torch.device("cpu")), seed=0, precision="fp32", compiled=False, channels_last=False)


def do_steps(goal, batch, *, steps=3):
    mine = learners(goal)
    values = []
    for step in range(steps):
        at = Moment(step=step, steps=10, epoch=0, steps_an_epoch=1)
        values.append({loss.name: loss.value.item() for loss in mine.losses(goal, batch, at, share=1.0, hold=False)})
        mine.update(step=step, steps=10, steps_an_epoch=1)
    return mine, values


def published_loop(start, batch, *, steps, target_weight):
    """AdvEnt's train_adversarial_net in its own order, two critics, no shared code with the objective."""
    g, d_main, d_aux = (start.bare[n] for n in ("segmenter", "critic", "aux_critic"))
    optimisers = [start.optimisers[n] for n in ("segmenter", "critic", "aux_critic")]
    rates = [0.1, 1e-2, 1e-2]

    def info(logits):
        p = F.softmax(logits, 1)
        return -p * torch.log2(p + 1e-30) / torch.log2(torch.tensor(3.0))

    def judge(d, x, label):
        y = d(x)
        return F.binary_cross_entropy_with_logits(y, torch.full(y.shape, float(label)))

    for step in range(steps):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 - step / 10) ** 0.9
        for p in [*d_main.parameters(), *d_aux.parameters()]:
            p.requires_grad = False
        out = g(batch["source"].image)
        src_main, src_aux = out.logits[0], out.aux
        label = batch["source"].label
        (F.cross_entropy(src_main, label) + 0.1 * F.cross_entropy(src_aux, label)).backward()
        out = g(batch["target"].image)
        trg_main, trg_aux = out.logits[0], out.aux
        points = batch["target"].label
        loss = 1e-3 * judge(d_main, info(trg_main), 0) + 2e-4 * judge(d_aux, info(trg_aux), 0)
        if target_weight:
            known = [F.cross_entropy(x, points, ignore_index=255) for x in (trg_main, trg_aux)]
            loss = loss + target_weight * (known[0] + 0.1 * known[1])
        loss.backward()
        for p in [*d_main.parameters(), *d_aux.parameters()]:
            p.requires_grad = True
        for d, src, trg in ((d_main, src_main, trg_main), (d_aux, src_aux, trg_aux)):
            (judge(d, info(src.detach()), 0) / 2).backward()
            (judge(d, info(trg.detach()), 1) / 2).backward()
        for optimiser in optimisers:
            optimiser.step()
    return start


@pytest.mark.parametrize("label_weight", [0.0, 2.0])
def test_three_steps_are_those_of_the_published_loop(label_weight):
    goal, batch = objective(label_weight=label_weight), batches(labelled=True)
    mine, _ = do_steps(goal, batch)
    theirs = published_loop(learners(goal), batch, steps=3, target_weight=label_weight)
    assert list(mine.bare) == ["segmenter", "critic", "aux_critic"]
    before = learners(goal)
    for name, module in mine.bare.items():
        for key, value in module.state_dict().items():
            torch.testing.assert_close(theirs.bare[name].state_dict()[key], value, rtol=1e-5, atol=1e-7)
        assert any(
            not torch.equal(a, b) for a, b in zip(module.parameters(), before.bare[name].parameters(), strict=True)
        )


def test_minimum_entropy_has_no_critic_and_adds_the_mean_entropy():
    goal, batch = objective(pull="entropy"), batches()
    mine, values = do_steps(goal, batch, steps=1)
    assert list(mine.bare) == ["segmenter"]
    start = learners(goal).bare["segmenter"](batch["target"].image)
    expected = 0.0
    for weight, logits in ((1e-3, start.logits[0]), (2e-4, start.aux)):
        p = logits.softmax(1)
        expected += weight * -(p * p.log2()).sum(1).mean().item() / torch.log2(torch.tensor(3.0)).item()
    assert values[0]["target"] == pytest.approx(expected, rel=1e-5)


def test_the_source_alone_needs_no_target():
    goal = objective(target_weights=())
    mine, values = do_steps(goal, {"source": batches()["source"]}, steps=1)
    assert list(mine.bare) == ["segmenter"] and list(values[0]) == ["source"]


def test_one_level_has_one_critic():
    goal = objective(seg_weights=(1.0,), target_weights=(1e-3,))
    _, values = do_steps(goal, batches(), steps=1)
    assert list(values[0]) == ["source", "target", "critic/target", "critic/source"]


@pytest.mark.parametrize(("normalisation", "factor"), [("mean", 1.0), ("pixels", 32 / 2048), ("sum", 32.0)])
def test_how_the_targets_loss_is_normalised(normalisation, factor):
    """32 of 2048 pixels are labelled; the source's loss stays a mean."""
    batch = batches(labelled=True)
    only = {"target_weights": (0.0, 0.0), "label_weight": 1.0}
    _, mean = do_steps(objective(**only), batch, steps=1)
    _, other = do_steps(objective(**only, normalisation=normalisation), batch, steps=1)
    assert other[0]["target"] == pytest.approx(mean[0]["target"] * factor, rel=1e-5)
    assert other[0]["source"] == mean[0]["source"]


def test_a_target_without_any_answer_adds_nothing():
    _, values = do_steps(objective(label_weight=1.0, target_weights=(0.0, 0.0)), batches(), steps=1)
    assert values[0]["target"] == 0.0
