"""One worker, two, and accumulated parts: the same gradient, whatever was labelled where, and the same shared draws."""

import json
from dataclasses import dataclass, replace
from functools import partial

import pytest
import torch
from elsewhere import together
from toylab import Plain, Tiny, fine_part, streams_for

from segfrontier.errors import StageError
from segfrontier.lab import Bench, Loss, Network, Objective, Plan, Sgd, Stream
from segfrontier.lab.shares import Shares
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier.maths import boundary_loss, cross_entropy, label_mass

ALONE = Worker(device=torch.device("cpu"))
BENCH = Bench(device="cpu", threads=1, log_steps=2)


@dataclass(frozen=True, kw_only=True)
class Weighed(Objective):
    """Class weights, a sum, a boundary loss, and an own mean by `at.mean`: all that divides by what is labelled."""

    dropout: bool = False

    def networks(self):
        return {"segmenter": Network(blueprint=Tiny(norm=False), optimiser=Sgd(lr=0.05))}

    def step(self, nets, batch, at):
        one = batch["labelled"]
        logits = nets["segmenter"](one.image).logits[0]
        if self.dropout:
            logits = torch.nn.functional.dropout(logits, 0.5)
        weights = torch.tensor([0.2, 1.0, 5.0])
        yield Loss(
            "all",
            cross_entropy(logits, one.label, class_weights_K=weights, over=at)
            + 1e-4 * cross_entropy(logits, one.label, normalisation="sum", over=at)
            + boundary_loss(logits, one.label, over=at)
            + boundary_loss(logits, one.label, epsilon=1e-3, over=at)
            + boundary_loss(logits, one.label, normalise=True, over=at)
            + at.mean((logits.square().mean(1) * (one.label != 255)).sum(), label_mass(one.label)),
        )
        each = (one.label != 255).float().mean((1, 2))
        at.log(known=each.mean(), mass=at.total(label_mass(one.label)))
        if (each > 0.9).any():  # not so on every worker, nor in every part
            at.log(most=each.max())


@dataclass(frozen=True, kw_only=True)
class DrawnDomain(Objective):
    """A domain is drawn at random for each step; every worker and every part must draw the same one."""

    def networks(self):
        return {"segmenter": Network(blueprint=Tiny(norm=False), optimiser=Sgd(lr=0.1))}

    def streams(self, at, names):
        return [names[at.rng.integers(len(names))]]

    def step(self, nets, batch, at):
        (name,) = batch
        assert name == ["source", "target"][at.rng.integers(2)], "`step` sees the draws that `streams` saw"
        noise = torch.from_numpy(at.rng.normal(size=(3, 1, 1))).float()
        logits = nets["segmenter"](batch[name].image + noise).logits[0]
        yield Loss("ce", cross_entropy(logits, batch[name].label, over=at))
        at.log(**{name: 1.0})


def two_domains(world, folder):
    parts = {d: fine_part(world, folder / d, domain=d, uneven=True) for d in ("source", "target")}
    return {name: Stream(parts=(part,), batch=4) for name, part in parts.items()}


def weights(folder):
    return torch.load(folder / "weights.pt", weights_only=True)["segmenter"]


def assert_close(found, wanted):
    for key, value in wanted.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-5)


def jobs(world, folder, **plan):
    uneven = streams_for(Plain(), world, folder / "labels", uneven=True)
    plan = Plan(steps=6, seed=3, **plan)
    return {
        "weighed": Job(objective=Weighed(), streams=uneven, plan=plan),
        "drawn": Job(objective=DrawnDomain(), streams=two_domains(world, folder / "two"), plan=plan),
    }


def assert_same_log(found, wanted):
    lines = [[json.loads(line) for line in (f / "log.jsonl").read_text().splitlines()] for f in (found, wanted)]
    assert len(lines[0]) == len(lines[1]) == 3
    for ours, theirs in zip(*lines, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4) and 0.1 < theirs.get("known", 0.5) < 0.9


def train_all(worker, jobs, folder):
    for name, job in jobs.items():
        (folder / name / "work").mkdir(parents=True, exist_ok=True)
        run(job, worker, BENCH, work=folder / name / "work", out=folder / name / "out")


def test_parts_give_the_gradient_of_the_whole(toy_world, tmp_path):
    train_all(ALONE, jobs(toy_world, tmp_path), tmp_path / "whole")
    for parts in (2, 4):
        train_all(ALONE, jobs(toy_world, tmp_path, accumulate=parts), tmp_path / str(parts))
        for name in ("weighed", "drawn"):
            assert_close(weights(tmp_path / str(parts) / name / "out"), weights(tmp_path / "whole" / name / "out"))
            assert_same_log(tmp_path / str(parts) / name / "out", tmp_path / "whole" / name / "out")


def test_two_workers_give_the_gradient_of_one(toy_world, tmp_path, pools):
    train_all(ALONE, jobs(toy_world, tmp_path), tmp_path / "one")
    for parts in (1, 2):
        shared = jobs(toy_world, tmp_path, accumulate=parts)
        together(pools, train_all, tmp_path / f"meet{parts}", shared, tmp_path / f"two{parts}")
        for name in ("weighed", "drawn"):
            assert_close(weights(tmp_path / f"two{parts}" / name / "out"), weights(tmp_path / "one" / name / "out"))
            assert_same_log(tmp_path / f"two{parts}" / name / "out", tmp_path / "one" / name / "out")


def test_one_pixel_on_one_worker_and_all_on_the_other_give_the_gradient_of_one(toy_world, tmp_path, pools):
    """The widest that shares can differ: a mean of the workers' means would weigh that pixel like all of a scene."""
    (part,) = streams_for(Plain(), toy_world, tmp_path / "labels", uneven=True)["labelled"].parts
    part = replace(part, scenes=part.names()[:2])
    known = [(part.pixels(scene).map() != 255).sum() for scene in part.names()]
    assert known == [24 * 30, 1], "all but the strip of void, and a single pixel"
    stream = Stream(parts=(part,), batch=2)
    job = {"apart": Job(objective=Weighed(), streams={"labelled": stream}, plan=Plan(steps=6, seed=3))}
    train_all(ALONE, job, tmp_path / "one")
    together(pools, train_all, tmp_path / "meet", job, tmp_path / "two")
    assert_close(weights(tmp_path / "two" / "apart" / "out"), weights(tmp_path / "one" / "apart" / "out"))


def test_one_share_is_divided_as_it_always_was(toy_world):
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 3, 8, 9, requires_grad=True), torch.randint(0, 3, (2, 8, 9))
    labels[0, :5] = 255
    share = Shares(ALONE)
    whole = type("Whole", (), {"shares": 1, "total": staticmethod(share.total)})
    changes = ({}, {"epsilon": 1e-3}, {"normalise": True})
    for loss in (cross_entropy, *(partial(boundary_loss, **change) for change in changes)):
        plain, over = loss(logits, labels), loss(logits, labels, over=whole)
        assert torch.equal(plain, over)
        assert torch.equal(*(torch.autograd.grad(x, logits)[0] for x in (plain, over)))


def test_counting_leaves_no_trace(toy_world, tmp_path):
    """Running statistics move once a part, both passes draw alike, and totals are those of all parts."""
    seen = []

    @dataclass(frozen=True, kw_only=True)
    class Spying(Plain):
        def step(self, nets, batch, at):
            draw = torch.rand(()).item()
            logits = nets["segmenter"](batch["labelled"].image).logits[0]
            own = label_mass(batch["labelled"].label)
            seen.append((torch.is_grad_enabled(), draw, int(own), int(at.total(own))))
            yield Loss("ce", cross_entropy(logits, batch["labelled"].label, over=at))

    streams = streams_for(Plain(), toy_world, tmp_path / "labels", uneven=True)
    job = Job(objective=Spying(), streams=streams, plan=Plan(steps=2, accumulate=2))
    run(job, ALONE, BENCH, work=tmp_path / "work", out=tmp_path / "out")
    assert [learns for learns, *_ in seen] == [False, False, True, True] * 2
    for first in (0, 4):
        counted, learned = seen[first : first + 2], seen[first + 2 : first + 4]
        assert [c[1:3] for c in counted] == [c[1:3] for c in learned], "the same draws and masses in both passes"
        assert counted[0][1] != counted[1][1], "each part draws its own"
        assert {total for *_, total in learned} == {sum(own for _, _, own, _ in learned)}
    assert weights(tmp_path / "out")["norm.num_batches_tracked"] == 4


def test_parts_that_ask_for_different_totals_are_refused():
    cut = Shares(ALONE, parts=2)
    with pytest.raises(StageError, match="ask for the same totals"), cut.counting():
        for asked in (2, 1):
            cut.next_part()
            for _ in range(asked):
                cut.total(torch.ones(()))


def test_plain_weights_can_be_read(toy_world, tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Reading(Plain):
        def step(self, nets, batch, at):
            at.log(norm=nets.bare("segmenter").head.weight.detach().norm())
            yield from super().step(nets, batch, at)

    job = Job(objective=Reading(), streams=streams_for(Plain(), toy_world, tmp_path / "labels"), plan=Plan(steps=2))
    run(job, ALONE, BENCH, work=tmp_path / "work", out=tmp_path / "out")
    assert '"norm"' in (tmp_path / "out" / "log.jsonl").read_text()
