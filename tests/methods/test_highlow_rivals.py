"""The two yardsticks of paper 004: one step of each written out by hand, and what they refuse."""

import re
from dataclasses import fields, replace

import pytest
import torch
import torch.nn.functional as F
from highlowhere import RECIPE, PlainSpec, highlow_lab
from pointhere import larger_toy
from test_highlow_objective import batches, do_steps, learners, real_map
from toystudy import parsed

from segfrontier.errors import BadInput
from segfrontier.lab import Adam, Augment, Ema, Network, Sgd, installed, make_method
from segfrontier.lab.methods import demo_methods
from segfrontier.models.discriminator import PatchDiscriminatorSpec
from segfrontier.study.cells import expand
from segfrontier_methods.high_low import AdversarialSemi, MeanTeacher
from segfrontier_methods.high_low.adversarial import PixelGame
from segfrontier_methods.high_low.data import series
from segfrontier_methods.high_low.mean_teacher import MapTeacher
from segfrontier_methods.high_low.mlmt import STRONG

INF = float("inf")


def pixel_game(**changes):
    settings = {
        "segmenter": Network(blueprint=PlainSpec(), optimiser=Sgd(lr=0.1)),
        "critic": Network(blueprint=PatchDiscriminatorSpec(channels=3, width=2), optimiser=Adam(lr=1e-2)),
        "num_classes": 3, "labelled_pull": 0.01, "unlabelled_pull": 0.001, "self_training": 0.1,
        "self_training_after": 0.1, "trust": 0.5,
    }  # fmt: skip
    return PixelGame(**(settings | changes))


def judged(critic, maps):
    return F.interpolate(critic(maps), size=maps.shape[-2:], mode="bilinear", align_corners=False)[:, 0].sigmoid()


def masked_bce(scores, answer, known):
    return F.binary_cross_entropy(scores[known], torch.full_like(scores[known], answer))


def test_three_steps_are_those_of_hungs_loop():
    batch = batches(size=64)
    trust = do_steps(pixel_game(), batch)[1][1]["score_fake"]  # a mean, with pixels on both of its sides
    goal = pixel_game(trust=trust)
    mine, values = do_steps(goal, batch)
    assert values[0]["selected"] == 0.0 and any(0 < v["selected"] < 1 for v in values[1:])
    start = learners(goal)
    s, d = start.bare["segmenter"], start.bare["critic"]
    for step in range(3):
        for name, rate in (("segmenter", 0.1), ("critic", 1e-2)):
            start.optimisers[name].zero_grad()
            for group in start.optimisers[name].param_groups:
                group["lr"] = rate * (1 - step / 10) ** 0.9
        d.requires_grad_(False)
        pred, label = s(batch["labelled"].image).mean_logits, batch["labelled"].label
        other = s(batch["unlabelled"].image).mean_logits
        scores = judged(d, other.softmax(1))
        loss = F.cross_entropy(pred, label, ignore_index=255)
        loss = loss + 0.01 * masked_bce(judged(d, pred.softmax(1)), 1.0, label != 255)
        loss = loss + 0.001 * F.binary_cross_entropy(scores, torch.ones_like(scores))
        own = torch.where(scores >= trust, other.argmax(1), 255)
        if step >= 1 and (own != 255).any():
            loss = loss + 0.1 * F.cross_entropy(other, own, ignore_index=255)
        loss.backward()
        d.requires_grad_(True)
        (masked_bce(judged(d, pred.detach().softmax(1)), 0.0, label != 255) / 2).backward()
        truth = batch["truth"]
        (masked_bce(judged(d, real_map(truth)), 1.0, truth.label != 255) / 2).backward()
        for optimiser in start.optimisers.values():
            optimiser.step()
    for name, module in mine.bare.items():
        for key, value in module.state_dict().items():
            torch.testing.assert_close(start.bare[name].state_dict()[key], value, rtol=1e-4, atol=1e-6)


def test_a_mean_teacher_of_maps_adds_the_distance_of_its_answers():
    teaching = Network(blueprint=PlainSpec(), optimiser=Sgd(lr=0.1), ema=Ema(decay=0.9))
    goal = MapTeacher(segmenter=teaching, consistency=4.0, ramp="none")
    batch = {n: b._replace(views={STRONG: b.image.flip(1)}) for n, b in batches().items() if n != "truth"}
    _, values = do_steps(goal, batch, steps=1)
    network = learners(goal).bare["segmenter"]
    known = F.cross_entropy(
        network(batch["labelled"].views[STRONG]).mean_logits, batch["labelled"].label, ignore_index=255
    )
    apart = [
        (network(b.views[STRONG]).mean_logits.softmax(1) - network(b.image).mean_logits.softmax(1)).square().mean()
        for b in batch.values()
    ]
    assert values[0]["labels_and_consistency"] == pytest.approx((known + 4 * sum(apart) / 2).item(), rel=1e-5)
    assert values[0]["consistency"] > 0


def test_four_steps_of_a_mean_teacher_of_maps_are_those_written_out_by_hand():
    """The weight is 0 for a tenth of the run and then rises; the teacher follows at 1/2, 2/3, 3/4 and its decay."""
    teaching = Network(blueprint=PlainSpec(), optimiser=Sgd(lr=0.1), ema=Ema(decay=0.7))
    goal = MapTeacher(segmenter=teaching, consistency=40.0, ramp="linear")
    batch = {n: b._replace(views={STRONG: b.image.flip(1)}) for n, b in batches().items() if n != "truth"}
    mine, values = do_steps(goal, batch, steps=4)
    assert [v["consistency_weight"] for v in values] == pytest.approx([0, 0, 8, 16])
    start = learners(goal)
    student, teacher, optimiser = start.bare["segmenter"], start.teachers["segmenter"], start.optimisers["segmenter"]
    for step, (weight, alpha) in enumerate(zip((0, 0, 8, 16), (1 / 2, 2 / 3, 0.7, 0.7), strict=True)):
        for group in optimiser.param_groups:
            group["lr"] = 0.1 * (1 - step / 10) ** 0.9
        optimiser.zero_grad()
        answers = {n: student(b.views[STRONG]).mean_logits for n, b in batch.items()}
        loss = F.cross_entropy(answers["labelled"], batch["labelled"].label, ignore_index=255)
        with torch.no_grad():
            told = torch.cat([teacher(b.image).mean_logits.softmax(1) for b in batch.values()])
        loss = loss + weight * ((torch.cat(list(answers.values())).softmax(1) - told) ** 2).mean()
        loss.backward()
        optimiser.step()
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.data = alpha * ours.data + (1 - alpha) * theirs.data
    for found, reference in ((mine.bare, student), (mine.teachers, teacher)):
        for key, value in found["segmenter"].state_dict().items():
            torch.testing.assert_close(reference.state_dict()[key], value, rtol=1e-4, atol=1e-6)


def test_the_defaults_of_hungs_baseline_are_those_of_its_code():
    """FACTS 4c: weights .01 and .001 of the discriminator, .1 of trusted pixels from step 5,000 of 20,000, trust .2."""
    made = AdversarialSemi()
    assert (made.labelled_pull, made.unlabelled_pull, made.self_training, made.trust) == (0.01, 0.001, 0.1, 0.2)
    assert made.self_training_after * 20_000 == 5000
    assert (made.critic_lr, made.critic_betas, made.critic_width) == (1e-4, (0.9, 0.99), 64)


def test_the_mean_teachers_defaults():
    made = MeanTeacher()
    assert (made.ema_decay, made.ramp, made.consistency, made.colour, made.blur) == (0.999, "sigmoid", 10.0, 0.4, 2.0)


VALUES = {
    "adversarial_semi": {
        "labelled": 0.5, "draw": 2, "labelled_pull": 0.02, "unlabelled_pull": 0.003, "self_training": 0.4,
        "self_training_after": 0.5, "trust": 0.6, "critic_lr": 0.007, "critic_betas": [0.5, 0.9], "critic_width": 8,
    },
    "mean_teacher": {
        "labelled": 0.5, "draw": 2, "consistency": 3.0, "ramp": "linear", "ema_decay": 0.9, "colour": 0.2, "blur": 1.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_every_knob_of_the_rivals_can_be_set_in_a_study_file(name):
    plain = {"name": "x", "methods": [{"name": name, "knobs": VALUES[name]}], "budgets": [1]}
    (cell,) = expand(parsed(plain))
    made, usual = make_method(cell.method, dict(cell.knobs)), make_method(name)
    assert set(VALUES[name]) == {f.name for f in fields(made)}
    for knob, value in VALUES[name].items():
        assert getattr(made, knob) == (tuple(value) if isinstance(value, list) else value), knob
        assert getattr(made, knob) != getattr(usual, knob), f"{knob} is set to something else than its default"


TURNED = replace(RECIPE, power=0.5, warmup=1)


def asked(tmp_path, monkeypatch, name):
    """What a rival with every knob turned asks the lab to train."""
    seen, world = [], larger_toy(tmp_path / "w")

    def train(objective, streams, plan):
        seen.extend((objective, streams, plan))
        raise InterruptedError

    with highlow_lab(tmp_path / "home", world) as lab, pytest.raises(InterruptedError):
        monkeypatch.setattr(lab, "train", train)
        make_method(name, VALUES[name]).run(lab, TURNED)
    return seen


def test_the_knobs_of_hungs_baseline_reach_its_game_and_its_critic(tmp_path, monkeypatch):
    objective, streams, plan = asked(tmp_path, monkeypatch, "adversarial_semi")
    segmenter = TURNED.network(3, align_corners=True)
    critic = Network(
        blueprint=PatchDiscriminatorSpec(channels=3, width=8), optimiser=Adam(lr=0.007, betas=(0.5, 0.9)),
        schedule=segmenter.schedule,
    )  # fmt: skip
    assert objective == PixelGame(
        segmenter=segmenter, critic=critic, num_classes=3, labelled_pull=0.02, unlabelled_pull=0.003, self_training=0.4,
        self_training_after=0.5, trust=0.6,
    )  # fmt: skip
    assert list(streams) == ["labelled", "truth", "unlabelled"] and plan == TURNED.plan()


def test_the_knobs_of_the_mean_teacher_reach_its_teacher_and_its_views(tmp_path, monkeypatch):
    objective, streams, plan = asked(tmp_path, monkeypatch, "mean_teacher")
    assert objective == MapTeacher(segmenter=TURNED.network(3, ema=Ema(decay=0.9)), consistency=3.0, ramp="linear")
    assert list(streams) == ["labelled", "unlabelled"] and plan == TURNED.plan()
    for stream in streams.values():
        assert stream.views == {STRONG: Augment(colour=0.2, blur=1.0)}, "the student's"
        size = stream.parts[0].images.size(stream.parts[0].names()[0])
        assert stream.augment == TURNED.augment(size) and stream.batch == TURNED.batch, "the teacher's"
    masked, rest = (set(streams[name].parts[0].names()) for name in streams)
    assert len(masked) == len(rest) == 3 and not masked & rest


@pytest.mark.parametrize("method", [MeanTeacher(labelled=0.5), AdversarialSemi(labelled=0.5, critic_width=4)])
def test_they_share_the_labelled_images_of_the_method(tmp_path, method):
    world = larger_toy(tmp_path / "w")
    with highlow_lab(tmp_path / "home", world) as lab:
        model = method.run(lab, RECIPE)
        assert lab.spent == 3 * 5400 and len(series(lab.pool.scenes(), lab.seed)) == 6
        assert model.network == ("segmenter/teacher" if isinstance(method, MeanTeacher) else "segmenter")


@pytest.mark.parametrize(
    ("kind", "knobs"),
    [
        (MeanTeacher, {"consistency": -1.0}), (MeanTeacher, {"ema_decay": 1.0}), (MeanTeacher, {"colour": 1.0}),
        (MeanTeacher, {"labelled": 2.0}), (AdversarialSemi, {"trust": 1.1}), (AdversarialSemi, {"self_training": -0.1}),
        (AdversarialSemi, {"labelled": 0.0}), (AdversarialSemi, {"critic_width": 0}),
        (MeanTeacher, {"labelled": 0.0}), (MeanTeacher, {"consistency": INF}), (MeanTeacher, {"blur": INF}),
        (AdversarialSemi, {"critic_betas": (0.9, 1.0)}), (AdversarialSemi, {"critic_betas": (-0.1, 0.9)}),
        (AdversarialSemi, {"critic_lr": INF}), (AdversarialSemi, {"labelled_pull": INF}),
        (AdversarialSemi, {"unlabelled_pull": -0.1}), (AdversarialSemi, {"self_training": float("nan")}),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_knobs_are_told_at_once(kind, knobs):
    (value,) = knobs.values()
    with pytest.raises(BadInput, match=rf"found .*{re.escape(str(value))}"):
        kind(**knobs)


def test_the_demo_shows_the_method_and_not_its_rivals():
    shown = {each["name"]: each["knobs"] for each in demo_methods()}
    assert set(shown) == set(installed()) - {"mean_teacher", "adversarial_semi", "naive_student", "fine+coarse"}
    assert shown["fine"] == {} and shown["high_low"]["lr"] is None
    for name, knobs in shown.items():
        make_method(name, knobs)
