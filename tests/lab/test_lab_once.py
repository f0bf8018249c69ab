"""One pass of a critic that two losses read: what it gives is what two passes give, number for number."""

from dataclasses import dataclass, replace

import pytest
import torch
from elsewhere import together
from toylab import Adversarial, bce, streams_for

from segfrontier.errors import BadInput
from segfrontier.lab import Bench, Loss, Plan
from segfrontier.lab.training.learners import Learners
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier.maths import cross_entropy

ALONE = Worker(device=torch.device("cpu"))
BENCH = Bench(device="cpu", threads=1, log_steps=2, checkpoint_seconds=1e9)
GAME = Plan(steps=6, seed=3)


@dataclass(frozen=True, kw_only=True)
class Game(Adversarial):
    """The same game with one look at the target's answers, or with two."""

    looks: int

    def step(self, nets, batch, at):
        mine = nets["segmenter"](batch["source"].image).logits[0]
        yield Loss("ce", cross_entropy(mine, batch["source"].label, over=at))
        theirs = nets["segmenter"](batch["target"].image).logits[0].softmax(1)
        if self.looks == 1:
            fooled, judged = nets.once("critic", theirs)
        else:
            fooled, judged = nets.frozen("critic")(theirs), nets["critic"](theirs.detach())
        yield Loss("fool", 0.3 * bce(fooled, 0))
        yield Loss("critic_target", bce(judged, 1) / 2)
        yield Loss("critic_source", bce(nets["critic"](mine.detach().softmax(1)), 0) / 2)


def job(looks, world, folder, plan=GAME):
    game = Game(looks=looks, norm=False, noise=0.0)
    return Job(objective=game, streams=streams_for(game, world, folder / "labels"), plan=plan)


def play(worker, game, folder):
    """Train to the end; of many workers the leader writes."""
    (folder / "work").mkdir(parents=True, exist_ok=True)
    run(game, worker, BENCH, work=folder / "work", out=folder / "out")


def weights(folder):
    stored = torch.load(folder / "out" / "weights.pt", weights_only=True)
    return {f"{net}.{key}": value for net, tensors in stored.items() for key, value in tensors.items()}


@pytest.mark.parametrize(
    "plan", [GAME, replace(GAME, accumulate=2), replace(GAME, precision="bf16")], ids=["plain", "parts", "bf16"]
)
def test_one_look_teaches_both_as_two_do(toy_world, tmp_path, plan):
    for looks in (1, 2):
        play(ALONE, job(looks, toy_world, tmp_path, plan), tmp_path / str(looks))
    one, two = weights(tmp_path / "1"), weights(tmp_path / "2")
    assert {name.partition(".")[0] for name in one} == {"segmenter", "critic"}
    for name, value in two.items():
        assert torch.equal(one[name], value), name


def test_two_workers_share_one_look_as_they_share_two(toy_world, tmp_path, pools):
    for looks in (1, 2):
        together(pools, play, tmp_path / f"meet{looks}", job(looks, toy_world, tmp_path), tmp_path / str(looks))
    play(ALONE, job(1, toy_world, tmp_path), tmp_path / "alone")
    one, two, alone = (weights(tmp_path / name) for name in ("1", "2", "alone"))
    for name, value in two.items():
        assert torch.equal(one[name], value), name
        torch.testing.assert_close(one[name], alone[name], rtol=1e-4, atol=1e-5)


def learners(game, **bench):
    return Learners(game, ALONE, seed=1, **bench)


def passes(network):
    """A list that grows by the size of what the network is shown, at each of its passes."""
    seen = []
    network.register_forward_hook(lambda _, shown, __: seen.append(shown[0].shape))
    return seen


@pytest.mark.parametrize(("looks", "wanted"), [(1, 1), (2, 2)])
def test_the_network_is_passed_once(looks, wanted):
    nets = learners(Game(looks=looks)).nets
    seen, shown = passes(nets.bare("critic")), torch.rand(2, 3, 8, 8, requires_grad=True)
    if looks == 1:
        nets.once("critic", shown)
    else:
        nets.frozen("critic")(shown), nets["critic"](shown.detach())
    assert seen == [(2, 3, 8, 8)] * wanted


def test_each_loss_reaches_its_own_side_alone():
    nets = learners(Game(looks=1)).nets
    critic, shown = nets.bare("critic"), torch.rand(2, 3, 8, 8, requires_grad=True)
    fooled, judged = nets.once("critic", shown)
    bce(fooled, 0).backward()
    assert shown.grad.abs().sum() > 0 and critic.weight.grad is None
    before = shown.grad.clone()
    bce(judged, 1).backward()
    assert torch.equal(shown.grad, before) and critic.weight.grad.abs().sum() > 0


def test_a_compiled_network_looks_twice(monkeypatch):
    """What it keeps for its way back may be gone after the first."""
    monkeypatch.setattr(torch, "compile", lambda module: module)
    nets = learners(Game(looks=1), compiled=True).nets
    seen, shown = passes(nets.bare("critic")), torch.rand(2, 3, 8, 8, requires_grad=True)
    fooled, judged = nets.once("critic", shown)
    bce(fooled, 0).backward()
    bce(judged, 1).backward()
    assert len(seen) == 2 and shown.grad.abs().sum() > 0 and nets.bare("critic").weight.grad is not None


@dataclass(frozen=True, kw_only=True)
class Careless(Game):
    """A critic that is passed again before its first answer's loss is out, or one that learns outside its wrapper."""

    how: str

    def step(self, nets, batch, at):
        yield from list(super().step(nets, batch, at)) if self.how == "late" else super().step(nets, batch, at)
        if self.how == "bare":
            yield Loss("bare", bce(nets.bare("critic")(batch["source"].image), 0))


def play_and_tell(worker, game, folder):
    try:
        play(worker, game, folder)
    except BadInput as error:
        (folder / f"said-{worker.rank}").write_text(str(error))


@pytest.mark.parametrize("how", ["late", "bare"])
def test_gradients_that_differ_between_workers_are_refused_by_all(toy_world, tmp_path, pools, how):
    """Else each worker would train a network of its own, and the leader's would be what is kept."""
    game = Careless(looks=2, how=how, norm=False, noise=0.0)
    streams = streams_for(game, toy_world, tmp_path / "labels")
    together(pools, play_and_tell, tmp_path / "meet", Job(objective=game, streams=streams, plan=GAME), tmp_path)
    said = [(tmp_path / f"said-{rank}").read_text() for rank in (0, 1)]
    assert said[0] == said[1] and not (tmp_path / "out").exists()
    name = "segmenter" if how == "late" else "critic"
    assert said[0].startswith(f"every worker must come to the same gradients; a gradient of {name} differs among 2 at ")
    play(ALONE, Job(objective=game, streams=streams, plan=GAME), tmp_path / "alone")
