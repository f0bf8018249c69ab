"""The training loop: exact resume, accumulation, teachers, schedules, and what it refuses."""

import copy
import json
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn
from toylab import Adversarial, Plain, Tiny, streams_for

from segfrontier.errors import BadInput, StageError, Stopped
from segfrontier.lab import Adam, Bench, Ema, Loss, Network, Objective, Plan, Schedule, Sgd
from segfrontier.lab.training.learners import Learners, follow
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker

CPU = Worker(device=torch.device("cpu"))
BENCH = Bench(device="cpu", threads=1, log_steps=3, checkpoint_seconds=0)


def train(
    objective, world, folder, *, steps=10, name="run", stop_after=None, bench=BENCH, start=None, uneven=False, **plan
):
    """Run a job to its end or to a stop after so many steps; returns the weights, or None where it was stopped."""
    job = Job(
        objective=objective,
        streams=streams_for(objective, world, folder / "labels", uneven=uneven),
        plan=Plan(steps=steps, seed=1, **plan),
        start=start or {},
    )
    calls = iter(range(1, 1000))
    stop = (lambda: next(calls) == stop_after) if stop_after else (lambda: False)
    try:
        run(job, CPU, bench, work=folder / name / "work", out=folder / name / "out", stop=stop)
    except Stopped:
        return None
    return torch.load(folder / name / "out" / "weights.pt", weights_only=True)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        for key in a[name]:
            assert torch.equal(a[name][key], b[name][key]), f"{name}.{key} differs"


@pytest.mark.parametrize("objective", [Plain(), Adversarial()], ids=["one network", "two networks"])
@pytest.mark.parametrize("stop_after", [1, 4, 9])
def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(toy_world, tmp_path, objective, stop_after):
    whole = train(objective, toy_world, tmp_path, name="whole")
    assert train(objective, toy_world, tmp_path, name="cut", stop_after=stop_after) is None
    assert not (tmp_path / "cut" / "out").exists()
    assert_same(train(objective, toy_world, tmp_path, name="cut"), whole)
    logs = [(tmp_path / n / "out" / "log.jsonl").read_text() for n in ("whole", "cut")]
    assert logs[0] == logs[1] and len(logs[0].splitlines()) == 4


def test_the_seed_decides_everything(toy_world, tmp_path):
    first = train(Plain(), toy_world, tmp_path, name="a")
    torch.manual_seed(99)
    assert_same(train(Plain(), toy_world, tmp_path, name="b"), first)
    job_seed = replace(Plan(steps=10), seed=2)
    assert job_seed != Plan(steps=10)
    other = train(Plain(blueprint=Tiny(norm=False)), toy_world, tmp_path, name="c")
    assert other["segmenter"].keys() != first["segmenter"].keys()


def test_training_learns(toy_world, tmp_path):
    train(Plain(), toy_world, tmp_path, steps=60)
    log = [json.loads(line) for line in (tmp_path / "run" / "out" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["ce"] < 0.5 * log[0]["ce"]
    assert log[-1]["step"] == 60 and log[0]["lr/segmenter"] > log[-1]["lr/segmenter"] > 0
    assert 0 < log[0]["progress"] < log[-1]["progress"] < 1


def test_accumulated_parts_equal_the_whole_batch(toy_world, tmp_path):
    plain = Plain(blueprint=Tiny(norm=False), ema=None)
    whole = train(plain, toy_world, tmp_path, name="whole", steps=5, uneven=True)
    for count in (2, 4):
        parts = train(plain, toy_world, tmp_path, name=f"{count} parts", steps=5, uneven=True, accumulate=count)
        for key, value in whole["segmenter"].items():
            torch.testing.assert_close(parts["segmenter"][key], value, rtol=1e-4, atol=1e-5)
    with pytest.raises(BadInput, match="4 samples of a worker must divide into 3"):
        train(plain, toy_world, tmp_path, name="odd", accumulate=3)


def test_a_loss_reaches_only_the_networks_it_should(toy_world, tmp_path):
    """The critic's update must not see the gradient of the loss that fools it, and the other way round."""

    @dataclass(frozen=True, kw_only=True)
    class FoolOnly(Adversarial):
        def step(self, nets, batch, at):
            theirs = nets["segmenter"](batch["target"].image).logits[0].softmax(1)
            yield Loss("fool", nets.frozen("critic")(theirs).mean())

    before = {n: net.blueprint for n, net in FoolOnly().networks().items()}
    after = train(FoolOnly(), toy_world, tmp_path, steps=2)
    from segfrontier.lab.streams import stable_seed

    critic = before["critic"].build(seed=stable_seed(1, "critic")).state_dict()
    segmenter = before["segmenter"].build(seed=stable_seed(1, "segmenter")).state_dict()
    assert all(torch.equal(after["critic"][k], v) for k, v in critic.items()), "the critic must not move"
    assert not torch.equal(after["segmenter"]["head.weight"], segmenter["head.weight"]), "the segmenter must move"


def test_a_teacher_follows_with_its_counter():
    student, teacher = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.ones_(student.weight)
    nn.init.zeros_(teacher.weight)
    for n in range(1, 8):
        follow(teacher, student, Ema(decay=0.999), updates=n)
        assert teacher.weight.item() == pytest.approx(n / (n + 1)), "FACTS 4e: EMA of 1 from 0 is n / (n + 1)"
    follow(teacher, student, Ema(decay=0.5), updates=1000)
    assert teacher.weight.item() == pytest.approx(7 / 8 * 0.5 + 0.5)


@pytest.mark.parametrize(("buffers", "wanted"), [("copy", 4.0), ("average", 2.0), ("keep", 0.0)])
def test_a_teachers_statistics_are_treated_as_told(buffers, wanted):
    student, teacher = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    student.running_mean.fill_(4.0)
    student.num_batches_tracked.fill_(7)
    follow(teacher, student, Ema(decay=0.9, buffers=buffers), updates=1)
    assert teacher.running_mean.item() == wanted
    assert teacher.num_batches_tracked.item() == (0 if buffers == "keep" else 7)


def test_starting_from_weights_is_not_resuming(toy_world, tmp_path):
    train(Plain(), toy_world, tmp_path, name="first")
    file = str(tmp_path / "first" / "out" / "weights.pt")
    one = train(Plain(lr=0.0), toy_world, tmp_path, name="frozen", steps=1, start={"segmenter": file})
    stored = torch.load(file, weights_only=True)
    assert torch.equal(one["segmenter"]["head.weight"], stored["segmenter"]["head.weight"])
    with pytest.raises(BadInput, match="initial weights .*; found 'critic'"):
        train(Plain(), toy_world, tmp_path, name="x", start={"critic": file})


def test_snapshots_are_kept_on_the_way_and_survive_a_resume(toy_world, tmp_path):
    assert Plan(steps=10, snapshots=3).snapshot_steps() == (2, 5, 8)
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6, snapshots=3)
    train(Plain(), toy_world, tmp_path, name="cut", snapshots=3)
    train(Plain(), toy_world, tmp_path, name="whole", snapshots=3)
    for step in (2, 5, 8):
        files = [tmp_path / n / "out" / f"weights-{step:09d}.pt" for n in ("cut", "whole")]
        assert_same(*(torch.load(f, weights_only=True) for f in files))


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(toy_world, tmp_path, caplog):
    whole = train(Plain(), toy_world, tmp_path, name="whole")
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6)
    newest = sorted((tmp_path / "cut" / "work" / "checkpoints").glob("*.pt"))[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    assert_same(train(Plain(), toy_world, tmp_path, name="cut"), whole)
    assert "is damaged; continuing from the checkpoint before it" in caplog.text


def test_a_loss_that_is_not_finite_stops_the_run_with_advice(toy_world, tmp_path):
    with pytest.raises(StageError, match=r"every loss and gradient must .*; .* became (nan|inf) at.*learning rate"):
        train(Plain(lr=1e30, ema=None), toy_world, tmp_path, steps=30)


def test_gradients_are_clipped(toy_world, tmp_path):
    free = train(Plain(ema=None, lr=1.0), toy_world, tmp_path, name="free", steps=1)
    tight = train(Plain(ema=None, lr=1.0, clip=1e-6), toy_world, tmp_path, name="tight", steps=1)
    begin = Tiny().build(seed=__import__("segfrontier.lab.streams", fromlist=["x"]).stable_seed(1, "segmenter"))
    moved = [(w["segmenter"]["head.weight"] - begin.head.weight).abs().max().item() for w in (free, tight)]
    assert moved[1] < 1e-5 < moved[0]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_trains(toy_world, tmp_path, precision):
    train(Plain(), toy_world, tmp_path, steps=30, precision=precision)
    log = [json.loads(line) for line in (tmp_path / "run" / "out" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["ce"] < log[0]["ce"]


@dataclass(frozen=True, kw_only=True)
class ByAdam(Plain):
    """The toy objective with AdamW."""

    def networks(self):
        return {n: replace(s, optimiser=Adam(lr=0.01, decoupled=True)) for n, s in super().networks().items()}


@pytest.mark.parametrize("objective", [Plain(), ByAdam()])
def test_fused_is_what_optimisers_are_told(objective):
    for fused in (True, False):
        (optimiser,) = Learners(objective, CPU, seed=0, fused=fused).optimisers.values()
        assert bool(optimiser.defaults["fused"]) is fused


@pytest.mark.parametrize("objective", [Plain, ByAdam])
@pytest.mark.parametrize("faster", [{"channels_last": True}, {"fused": True}, {"channels_last": True, "fused": True}])
def test_faster_ways_change_nothing_but_rounding(objective, faster, toy_world, tmp_path):
    goal = objective(blueprint=Tiny(norm=False), ema=None, clip=0.05)
    usual = train(goal, toy_world, tmp_path, name="a", steps=4)
    other = train(goal, toy_world, tmp_path, name="b", steps=4, bench=replace(BENCH, **faster))
    for key, value in usual["segmenter"].items():
        torch.testing.assert_close(other["segmenter"][key], value, rtol=1e-4, atol=1e-5)


def test_an_objective_may_choose_its_streams_step_by_step(toy_world, tmp_path):
    """Whole batches from one stream or the other, as paper 003 alternates them."""

    @dataclass(frozen=True, kw_only=True)
    class Alternating(Objective):
        def networks(self):
            return {"segmenter": Network(blueprint=Tiny(), optimiser=Sgd(lr=0.1))}

        def streams(self, at, names):
            return ["source"] if at.step % 2 else ["target"]

        def step(self, nets, batch, at):
            assert list(batch) == (["source"] if at.step % 2 else ["target"])
            (one,) = batch.values()
            at.log(has_labels=float((one.label != 255).any()))
            yield Loss("mean", nets["segmenter"](one.image).logits[0].square().mean())

    job = Job(
        objective=Alternating(),
        streams=streams_for(Adversarial(), toy_world, tmp_path / "labels"),
        plan=Plan(steps=6),
    )
    run(job, CPU, replace(BENCH, log_steps=1), work=tmp_path / "work", out=tmp_path / "out")
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [line["has_labels"] for line in log] == [0, 1, 0, 1, 0, 1]


def test_schedules_follow_their_closed_forms():
    at = dict(steps=100, steps_an_epoch=10)
    assert Schedule(power=0.9).factor(step=60, **at) == pytest.approx(0.4**0.9)
    assert Schedule(power=0.9, over=250_000).factor(step=60_000, steps=120_000, steps_an_epoch=9) == pytest.approx(
        1.952865 / 2.5, rel=1e-6
    ), "FACTS 1e: lr_poly(2.5e-4, 60k of 250k)"
    assert Schedule(per="epoch", power=0.9).factor(step=29, **at) == pytest.approx(0.8**0.9)
    assert Schedule(shape="constant").factor(step=99, **at) == 1
    assert Schedule(shape="cosine", floor=0.1).factor(step=50, **at) == pytest.approx(0.55)
    assert Schedule(shape="constant", warmup=10).factor(step=0, **at) == pytest.approx(0.1)
    assert Schedule(shape="constant", warmup=10).factor(step=10, **at) == 1


def test_progress_is_told_with_speed_and_data_wait(toy_world, tmp_path):
    heard = []
    job = Job(objective=Plain(), streams=streams_for(Plain(), toy_world, tmp_path / "l"), plan=Plan(steps=7))
    run(job, CPU, BENCH, work=tmp_path / "w", out=tmp_path / "o", watch=lambda *told: heard.append(copy.deepcopy(told)))
    assert [(done, total) for done, total, _ in heard] == [(3, 7), (6, 7), (7, 7)]
    assert all(v["samples_a_second"] > 0 and 0 <= v["data_wait"] <= 1 and v["ce"] > 0 for _, _, v in heard)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plan(steps=0), "steps >= 1"),
        (lambda: Ema(decay=1.0), r"lies in \[0, 1\)"),
        (lambda: Ema(buffers="swap"), "copy, average, keep"),
        (lambda: Ema(mode="both"), "eval or train"),
    ],
)
def test_bad_plans_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_no_streams_and_no_teacher_are_errors(toy_world, tmp_path):
    with pytest.raises(BadInput, match="at least one stream"):
        run(Job(objective=Plain(), streams={}, plan=Plan(steps=1)), CPU, BENCH, work=tmp_path, out=tmp_path)

    @dataclass(frozen=True, kw_only=True)
    class Asks(Plain):
        def step(self, nets, batch, at):
            yield Loss("ce", nets.teacher("segmenter")(batch["labelled"].image).logits[0].mean())

    with pytest.raises(ValueError, match="'segmenter' has no teacher; give it one"):
        train(Asks(ema=None), toy_world, tmp_path)


@pytest.mark.slow
def test_a_compiled_network_trains_alike(toy_world, tmp_path):
    plain = Plain(blueprint=Tiny(norm=False))
    usual = train(plain, toy_world, tmp_path, name="a", steps=4)
    other = train(plain, toy_world, tmp_path, name="b", steps=4, bench=replace(BENCH, compile=True))
    assert other.keys() == usual.keys() == {"segmenter", "segmenter/teacher"}
    for key, value in usual["segmenter"].items():
        torch.testing.assert_close(other["segmenter"][key], value, rtol=1e-3, atol=1e-4)
