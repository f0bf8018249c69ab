"""The step with the first NaN is not taken: by no optimiser, no teacher, no checkpoint, on no worker."""

import time
from dataclasses import dataclass

import pytest
import torch
from elsewhere import together
from toylab import Plain, streams_for

from segfrontier.errors import Diverged
from segfrontier.lab import Bench, Loss, Plan
from segfrontier.lab.training.learners import Learners
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker

ALONE = Worker(device=torch.device("cpu"))
BENCH = Bench(device="cpu", threads=1, log_steps=100, checkpoint_seconds=0)


@dataclass(frozen=True, kw_only=True)
class Spoiled(Plain):
    """At step 4 the loss is NaN, or infinite, or has a gradient that is not finite though the loss is."""

    how: str
    rank: int = 0

    def step(self, nets, batch, at):
        for loss in super().step(nets, batch, at):
            here = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
            wrong = {"nan": float("nan"), "inf": float("inf"), "gradient": 1.0}[self.how]
            value = loss.value
            if at.step == 3 and here == self.rank:
                value = value + (value - value.detach()).sqrt() if self.how == "gradient" else value * wrong
            yield Loss(loss.name, value)


def job(objective, world, folder):
    return Job(objective=objective, streams=streams_for(objective, world, folder / "labels"), plan=Plan(steps=6))


@pytest.mark.parametrize(("how", "what"), [("nan", "ce"), ("inf", "ce"), ("gradient", "a gradient of segmenter")])
def test_the_first_step_that_is_not_finite_is_not_taken(toy_world, tmp_path, how, what):
    with pytest.raises(Diverged, match=f"; {what} became (nan|inf) at step 4, which was not taken. Lower the learning"):
        run(job(Spoiled(how=how), toy_world, tmp_path), ALONE, BENCH, work=tmp_path / "w", out=tmp_path / "o")
    newest = sorted((tmp_path / "w" / "checkpoints").glob("step-*.pt"))[-1]
    state = torch.load(newest, weights_only=True)
    assert state["step"] == 3 and state["learners"]["updates"] == 3
    tensors = [t for weights in state["learners"]["weights"].values() for t in weights.values()]
    assert all(torch.isfinite(t).all() for t in tensors) and not (tmp_path / "o").exists()


def _diverge(worker, job, folder):
    (folder / "w").mkdir(parents=True, exist_ok=True)
    try:
        run(job, worker, BENCH, work=folder / "w", out=folder / "o")
    except Diverged as error:
        (folder / f"said-{worker.rank}").write_text(str(error))


def test_all_workers_leave_together(toy_world, tmp_path, pools):
    spoiled = job(Spoiled(how="nan", rank=1), toy_world, tmp_path)
    together(pools, _diverge, tmp_path / "meet", spoiled, tmp_path)
    words = [(tmp_path / f"said-{rank}").read_text() for rank in range(2)]
    assert words[0] == words[1] and "ce became nan at step 4" in words[0]


def test_scaled_gradients_are_left_to_the_scaler(toy_world):
    learners = Learners(Plain(), ALONE, seed=0, precision="fp32", compiled=False, channels_last=False)
    for parameter in learners.bare["segmenter"].parameters():
        parameter.grad = torch.full_like(parameter, float("inf"))
    assert learners.gradient_sizes()["segmenter"] == float("inf")
    learners.scaler = torch.amp.GradScaler("cpu")
    assert learners.gradient_sizes() == {}


def test_looking_costs_next_to_nothing():
    """Against a forward and backward pass of a convolution as small as they come."""
    learners = Learners(Plain(), ALONE, seed=0, precision="fp32", compiled=False, channels_last=False)
    images = torch.rand(4, 3, 256, 256)

    def seconds(work):
        work()
        spent = []
        for _ in range(7):
            began = time.process_time()
            work()
            spent.append(time.process_time() - began)
        return min(spent)

    step = seconds(lambda: learners.bare["segmenter"](images).mean_logits.mean().backward())
    assert seconds(lambda: bool(torch.isfinite(learners.gradient_sizes()["segmenter"]))) < 0.05 * step
