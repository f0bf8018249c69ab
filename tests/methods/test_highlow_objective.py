"""One step of each branch against a loop written out by hand; two workers; each term by itself."""

import json
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from elsewhere import together
from highlowhere import s4gan, tag_teacher
from pointhere import larger_toy
from toylab import fine_part

from segfrontier.lab import Augment, Batch, Bench, Moment, Objective, Part, Plan, SceneLabels, Stream
from segfrontier.lab.training.learners import Learners
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier.models.discriminator import ImageDiscriminator, ImageDiscriminatorSpec
from segfrontier_methods.high_low.mlmt import STRONG, tags_of

ALONE = Worker(device=torch.device("cpu"))


def batches(*, size=32):
    torch.manual_seed(1)

    def one(*, labelled=True):
        label = torch.randint(0, 3, (2, size, size)) if labelled else torch.full((2, size, size), 255)
        label[:, :3] = 255
        return Batch(torch.rand(2, 3, size, size) * 0.8 + 0.1, label, None, ["a", "b"])

    return {"labelled": one(), "truth": one(), "unlabelled": one(labelled=False)}


def learners(goal):
    return Learners(goal, ALONE, seed=0, precision="fp32", compiled=False, channels_last=False)


def do_steps(goal, batch, *, steps=3):
    mine, values = learners(goal), []
    for step in range(steps):
        at = Moment(step=step, steps=10, epoch=0, steps_an_epoch=1)
        losses = {loss.name: loss.value.item() for loss in mine.losses(goal, batch, at, share=1.0, hold=False)}
        values.append(losses | {name: float(value) for name, value in at.logged.items()})
        mine.update(step=step, steps=10, steps_an_epoch=1)
    return mine, values


# ------------------------------------------------------------------------------------------------ the published loop


def scaled(images):
    low, high = (f(dim=(1, 2, 3), keepdim=True) for f in (images.amin, images.amax))
    return (images - low) / (high - low)


def real_map(truth):
    known = (truth.label != 255)[..., None]
    return (F.one_hot(truth.label.clamp(max=2), 3) * known).permute(0, 3, 1, 2).float()


def published_loop(start, batch, *, steps, gamma, standard):
    """s4GAN's training in the order of its code, with four passes of the critic; no code shared with the objective."""
    s, d = start.bare["segmenter"], start.bare["critic"]
    optimisers, rates, selected = [start.optimisers["segmenter"], start.optimisers["critic"]], [0.1, 1e-2], []
    for step in range(steps):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 - step / 10) ** 0.9
        d.requires_grad_(False)
        ce = F.cross_entropy(s(batch["labelled"].image).mean_logits, batch["labelled"].label, ignore_index=255)
        pred = s(batch["unlabelled"].image).mean_logits
        fake = torch.cat([F.softmax(pred, 1), scaled(batch["unlabelled"].image)], 1)
        real = torch.cat([real_map(batch["truth"]), scaled(batch["truth"].image)], 1)
        score, feature = torch.sigmoid(d(fake).logits), d(fake).features
        pull = (d(real).features.mean(0) - feature.mean(0)).abs().mean()
        if standard:
            pull = -torch.log(score).mean()
        loss = ce + 0.1 * pull
        good = [i for i in range(len(pred)) if score[i].item() >= gamma]
        selected.append(len(good) / len(pred))
        if good:
            loss = loss + 1.0 * F.cross_entropy(pred[good], pred[good].argmax(1))
        loss.backward()
        d.requires_grad_(True)
        score_fake, score_real = torch.sigmoid(d(fake.detach()).logits), torch.sigmoid(d(real).logits)
        ((F.binary_cross_entropy(score_fake, torch.zeros(2)) + F.binary_cross_entropy(score_real, torch.ones(2))) / 2
        ).backward()  # fmt: skip
        for optimiser in optimisers:
            optimiser.step()
    return start, selected


def between_the_scores(goal, batch):
    """A gamma that one of the two images reaches at the first step, and one does not."""
    start = learners(goal)
    logits = start.bare["segmenter"](batch["unlabelled"].image).mean_logits
    shown = torch.cat([logits.softmax(1), scaled(batch["unlabelled"].image)], 1)
    return start.bare["critic"](shown).score.max().item()


@pytest.mark.parametrize("pull", ["matching", "standard"])
def test_three_steps_are_those_of_the_published_loop(pull):
    batch = batches()
    gamma = between_the_scores(s4gan(), batch)
    goal = s4gan(pull=pull, gamma=gamma)
    mine, values = do_steps(goal, batch)
    theirs, selected = published_loop(learners(goal), batch, steps=3, gamma=gamma, standard=pull == "standard")
    assert [v["selected"] for v in values] == selected and 0.5 in selected
    before = learners(goal)
    for name, module in mine.bare.items():
        for key, value in module.state_dict().items():
            torch.testing.assert_close(theirs.bare[name].state_dict()[key], value, rtol=1e-4, atol=1e-6)
        assert not torch.equal(next(module.parameters()), next(before.bare[name].parameters()))


# ------------------------------------------------------------------------------------------------ its terms


def test_an_image_at_gamma_is_selected_unless_strict_and_none_too_early():
    batch = batches()
    gamma = between_the_scores(s4gan(), batch)
    for changes, share in (({}, 0.5), ({"gamma_strict": True}, 0.0), ({"self_training_from": 1}, 0.0)):
        assert do_steps(s4gan(gamma=gamma, **changes), batch, steps=1)[1][0]["selected"] == share
    late = do_steps(s4gan(gamma=0.0, self_training_from=2), batch)[1]
    assert [v["selected"] for v in late] == [0.0, 0.0, 1.0]


def test_with_both_weights_at_zero_unlabelled_images_teach_nothing():
    """The control: what is left is what they do to batch norms, and these networks have none."""
    batch = batches()
    mine, _ = do_steps(s4gan(pull_weight=0.0, self_training=0.0), batch)
    other = batches()
    other["unlabelled"] = other["unlabelled"]._replace(image=1 - other["unlabelled"].image)
    theirs, _ = do_steps(s4gan(pull_weight=0.0, self_training=0.0), other)
    for key, value in mine.bare["segmenter"].state_dict().items():
        assert torch.equal(theirs.bare["segmenter"].state_dict()[key], value)
    taught, _ = do_steps(s4gan(), batch)
    assert not torch.equal(taught.bare["segmenter"].head.weight, mine.bare["segmenter"].head.weight)


def test_scores_without_dropout_are_the_same_twice():
    batch = batches()
    critic = replace(s4gan().critic, blueprint=replace(s4gan().critic.blueprint, dropout=0.5, width=16))
    found = {}
    for sober in (False, True):
        for seed in (0, 1):
            torch.manual_seed(seed)
            goal = s4gan(critic=critic, score_dropout=not sober)
            found[sober, seed] = do_steps(goal, batch, steps=1)[1][0]["score_fake"]
    assert found[True, 0] == found[True, 1] and found[False, 0] != found[False, 1]
    mine, _ = do_steps(s4gan(critic=critic, score_dropout=False), batch, steps=1)
    assert mine.bare["critic"].training, "the critic goes on with dropout"


@pytest.mark.parametrize(("changes", "passes"), [({}, 3), ({"score_dropout": False}, 4), ({"pull": "standard"}, 3)])
def test_a_step_takes_three_passes_of_the_critic_and_one_more_without_dropout(monkeypatch, changes, passes):
    seen, forward = [], ImageDiscriminator.forward

    def counted(critic, maps_and_images):
        seen.append(len(maps_and_images))
        return forward(critic, maps_and_images)

    monkeypatch.setattr(ImageDiscriminator, "forward", counted)
    do_steps(s4gan(**changes), batches(), steps=1)
    assert seen == [2] * passes


@pytest.mark.parametrize(("form", "mass"), [("one_hot", (1.0, 0.0)), ("smooth", (0.9 + 0.1 / 3, 0.1 / 3))])
def test_real_maps_are_empty_where_nothing_is_known(form, mass):
    truth = batches()["truth"]
    maps = s4gan(truth_map=form)._true(truth)[:, :3]
    known = truth.label != 255
    assert not maps.permute(0, 2, 3, 1)[~known].any()
    assert maps.permute(0, 2, 3, 1)[known].amax(1).unique().tolist() == pytest.approx([mass[0]])
    assert maps.permute(0, 2, 3, 1)[known].amin(1).unique().tolist() == pytest.approx([mass[1]])
    assert torch.equal(maps.argmax(1)[known], truth.label[known])


def test_each_image_is_scaled_by_itself_or_with_its_batch():
    images = torch.stack([torch.linspace(0.2, 0.4, 48).reshape(3, 4, 4), torch.linspace(0.5, 1.0, 48).reshape(3, 4, 4)])
    own, batch = (s4gan(critic_image=how)._scaled(images) for how in ("image", "batch"))
    assert own.amin((1, 2, 3)).tolist() == [0, 0] and own.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])
    assert (batch.min().item(), batch.max().item()) == (0, 1) and batch[0].max().item() == pytest.approx(0.25)
    assert s4gan(critic_image="plain")._scaled(images) is images
    assert torch.isfinite(s4gan()._scaled(torch.full((1, 3, 4, 4), 0.5))).all(), "an image of one colour"


# ------------------------------------------------------------------------------------------------ the classifier


def tag_batches():
    torch.manual_seed(2)

    def one(*, labelled):
        label = torch.full((2, 32, 32), 255)
        if labelled:
            label[0, :16], label[0, 16:], label[1, 4:] = 0, 2, 1
        return Batch(torch.rand(2, 3, 32, 32), label, None, ["a", "b"], views={STRONG: torch.rand(2, 3, 32, 32)})

    return {"labelled": one(labelled=True), "unlabelled": one(labelled=False)}


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_mean_teachers_steps_are_those_written_out_by_hand(everywhere):
    batch, goal = tag_batches(), tag_teacher(consistency_on_labelled=everywhere, consistency=3.0)
    mine, _ = do_steps(goal, batch, steps=4)
    start = learners(goal)
    student, teacher, optimiser = start.bare["classifier"], start.teachers["classifier"], start.optimisers["classifier"]
    wanted = torch.tensor([[1.0, 0, 1], [0, 1, 0]])
    for step in range(4):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 * (1 - step / 10) ** 0.9
        optimiser.zero_grad()
        answers = {name: student(b.views[STRONG]).logits for name, b in batch.items()}
        loss = F.binary_cross_entropy(answers["labelled"].sigmoid(), wanted)
        ramp = min(1, 2 * max(0, step / 10 - 0.1))
        taught = [n for n in batch if everywhere or n == "unlabelled"]
        with torch.no_grad():
            told = torch.cat([teacher(batch[n].image).logits for n in taught]).sigmoid()
        loss = loss + 3.0 * ramp * ((torch.cat([answers[n] for n in taught]).sigmoid() - told) ** 2).mean()
        loss.backward()
        optimiser.step()
        alpha = min(1 - 1 / (step + 2), 0.9)
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.data = alpha * ours.data + (1 - alpha) * theirs.data
    for found, reference in ((mine.bare, student), (mine.teachers, teacher)):
        for key, value in found["classifier"].state_dict().items():
            torch.testing.assert_close(reference.state_dict()[key], value, rtol=1e-4, atol=1e-6)


def test_without_consistency_it_is_the_supervised_classifier():
    batch = tag_batches()
    goal = tag_teacher(ema=None, consistency=0.0)
    mine, values = do_steps(goal, {"labelled": batch["labelled"]}, steps=1)
    assert not mine.teachers and "consistency" not in values[0]


def test_bought_tags_count_before_what_a_mask_shows():
    one = tag_batches()["labelled"]
    nothing = SceneLabels(size=(32, 32))
    bought = replace(nothing, tags=torch.tensor([[0, 1], [0, 2]]).numpy())
    tagged = one._replace(labels={"tags": [nothing, bought]})
    assert tags_of(one, 3).tolist() == [[1, 0, 1], [0, 1, 0]]
    assert tags_of(tagged, 3).tolist() == [[1, 0, 1], [0, 1, 1]]


# ------------------------------------------------------------------------------------------------ workers and parts


@dataclass(frozen=True, kw_only=True)
class LoudSpec(ImageDiscriminatorSpec):
    """A discriminator that scores images far apart, so that selection does not hang on rounding."""

    def build(self, *, seed):
        critic = super().build(seed=seed)
        with torch.no_grad():
            for parameter in critic.parameters():
                parameter.mul_(4)
        return critic


@dataclass(frozen=True, kw_only=True)
class Four(Objective):
    """Both branches in one training: a segmenter, a critic, a student and a teacher."""

    low: Objective
    high: Objective

    def networks(self):
        return {**self.low.networks(), **self.high.networks()}

    def step(self, nets, batch, at):
        yield from self.low.step(nets, {n: batch[n] for n in ("labelled", "truth", "unlabelled")}, at)
        yield from self.high.step(nets, {"labelled": batch["tags"], "unlabelled": batch["images"]}, at)


GAMMA = 0.93  # at the first step one image of four is above it, in the second worker's share


def job(world, folder, **plan):
    labelled, images = fine_part(world, folder, uneven=True), Part(images=world.pool())
    size = Augment(resize=(40, 52), flip=True)
    views = {STRONG: replace(size, colour=0.4, blur=2.0)}
    streams = {
        "labelled": Stream(parts=(labelled,), batch=4), "truth": Stream(parts=(labelled,), batch=4),
        "unlabelled": Stream(parts=(images,), batch=4),
        "tags": Stream(parts=(labelled,), batch=4, augment=size, views=views),
        "images": Stream(parts=(images,), batch=4, augment=size, views=views),
    }  # fmt: skip
    critic = replace(s4gan().critic, blueprint=LoudSpec(channels=6, width=4, dropout=0.0))
    goal = Four(low=s4gan(gamma=GAMMA, critic=critic), high=tag_teacher(ramp="none", consistency=20.0))
    return Job(objective=goal, streams=streams, plan=Plan(steps=4, seed=3, **plan))


def train(worker, one, folder):
    (folder / "work").mkdir(parents=True, exist_ok=True)
    bench = Bench(device="cpu", threads=1, log_steps=1)
    run(one, worker, bench, work=folder / "work", out=folder / "out")


def weights(folder):
    return torch.load(folder / "out" / "weights.pt", weights_only=True)


def logged(folder):
    return [json.loads(line) for line in (folder / "out" / "log.jsonl").read_text().splitlines()]


def assert_same_log(found, wanted):
    """The game's balance is the whole batch's, not that of the last part or of the leading worker."""
    for ours, theirs in zip(logged(found), wanted, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("four")
    world = larger_toy(folder / "toy", train=8)
    train(ALONE, job(world, folder / "labels"), folder / "whole")
    found = weights(folder / "whole")
    assert list(found) == ["segmenter", "critic", "classifier", "classifier/teacher"]
    log = logged(folder / "whole")
    assert log[0]["selected"] == 0.25 and log[-1]["consistency"] > 0
    return world, found, log


def assert_close(found, wanted):
    for name, tensors in wanted.items():
        for key, value in tensors.items():
            torch.testing.assert_close(found[name][key], value, rtol=1e-3, atol=1e-5, msg=f"{name}.{key}")


def test_accumulated_parts_give_the_gradients_of_the_whole(whole, tmp_path):
    world, wanted, log = whole
    train(ALONE, job(world, tmp_path / "labels", accumulate=2), tmp_path)
    assert_close(weights(tmp_path), wanted)
    assert_same_log(tmp_path, log)


def test_two_workers_and_four_networks_give_the_gradients_of_one(whole, tmp_path, pools):
    world, wanted, log = whole
    together(pools, train, tmp_path / "meet", job(world, tmp_path / "labels"), tmp_path)
    assert_close(weights(tmp_path), wanted)
    assert_same_log(tmp_path, log)
