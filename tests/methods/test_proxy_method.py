"""proxy_curriculum as a whole on a toy world: what it trains on, what it notes and draws, what it refuses."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from elsewhere import together
from pointhere import BENCH
from proxyhere import PPM, objective, spec
from toylab import Recorder, fine_part, toy_lab
from toyworld import TOY, write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import Part, Plan, Recipe, Stream
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier_methods.proxy_curriculum import ProxyCurriculum
from segfrontier_methods.proxy_curriculum.agreement import EasyShare, Growing, agreement_map
from segfrontier_methods.proxy_curriculum.classes import LEAK, rare_classes
from segfrontier_methods.proxy_curriculum.knobs import PAPERS_CLASSES, Knobs

RECIPE = Recipe(encoder="test_resnet", pretrained="never", total_steps=12, batch=2, scale=(0.5, 1.5), lr=0.01, **PPM)
SMALL = {"weighted": ("wall", "car"), "pictures": 0}
PLAIN = {"weighting": "none", "masked_end": 0.0}


def done(home, world, *, recipe=RECIPE, **knobs):
    """(model, its log, watcher, seconds spent)."""
    watcher = Recorder()
    with toy_lab(home, world, bench=replace(BENCH, log_steps=3), watcher=watcher, hours=1.0) as lab:
        model = ProxyCurriculum(**(SMALL | knobs)).run(lab, recipe)
        stage = next(key for key, kind in watcher.stages.items() if kind == "train")
        trained = replace(model, key=stage)
        return model, lab.history(trained), watcher, lab.spent


def test_it_buys_nothing_trains_once_looks_and_draws(world, tmp_path):
    model, history, watcher, spent = done(tmp_path, world, pictures=2)
    assert spent == 0 and watcher.kinds == ["train", "measure", "draw", "score"]
    assert history[-1]["step"] == RECIPE.total_steps
    shares = [watcher.notes[f"easy_share/look_{i}"] for i in range(1, 5)]
    assert all(0 <= share <= 1 for share in shares)
    assert watcher.notes["easy_share"] == shares[-1] == 1 - watcher.notes["hard_share"]
    assert 0 <= watcher.notes["miou_minority"] <= 1 and LEAK not in watcher.notes
    (picture,) = watcher.pictures
    assert picture.stat().st_size > 1000
    assert {"easy/source", "easy/target", "learned/target", "source", "target", "similarity"} <= {
        name for line in history for name in line
    }
    network = model.build(torch.device("cpu"))
    assert len(network.decoders) == 2


def test_images_are_counted_as_they_are_seen(world, tmp_path):
    """A step sees one of its two streams."""
    with toy_lab(tmp_path, world, bench=BENCH) as lab:
        ProxyCurriculum(looks=0, **SMALL).run(lab, RECIPE)
        assert (lab.trained.steps, lab.trained.images) == (12, 24)


def test_more_branches_are_a_knob(world, tmp_path):
    model, *_ = done(tmp_path, world, branches=3, looks=0)
    assert len(model.build(torch.device("cpu")).decoders) == 3


def test_the_noted_look_can_be_the_first_of_the_same_training(world, tmp_path):
    _, _, last, _ = done(tmp_path, world)
    _, _, first, _ = done(tmp_path, world, look_noted="first")
    assert "train" not in first.kinds, "nothing is trained or measured again"
    assert first.notes["easy_share"] == last.notes["easy_share/look_1"]
    assert last.notes["easy_share"] == last.notes["easy_share/look_4"]


def test_the_controls_train_on_the_source_alone(world, tmp_path):
    unused, history, watcher, _ = done(tmp_path, world, target="unused", **PLAIN)
    assert not any("target" in name for line in history for name in line) and "renorm" not in watcher.kinds
    renormed, _, watcher, _ = done(tmp_path, world, target="batch_norm", **PLAIN)
    assert watcher.kinds[0] == "renorm", "the training is the same one"
    one, other = (torch.load(m.file(), weights_only=True)["segmenter"] for m in (unused, renormed))
    moved = {key for key in one if not torch.equal(one[key], other[key])}
    assert moved and all("running" in key or "tracked" in key for key in moved)


def test_no_pixel_of_a_padded_border_gets_a_label(world, tmp_path):
    """Images that are shown smaller than their crop are padded with a colour that is of no class."""
    with toy_lab(tmp_path, world, bench=BENCH) as lab:
        for crop, low, high in ((None, 1.0, 1.5), ((20, 26), 0.5, 1.5), ((60, 52), 1.5, 1.5), ((40, 26), 1.0, 1.5)):
            stream = ProxyCurriculum(**SMALL)._target(lab, replace(RECIPE, crop=crop))
            assert stream.augment.scale == (low, high), crop
        assert ProxyCurriculum(**SMALL)._shown(RECIPE, lab.synthetic).augment.scale == (0.5, 1.5)


def test_source_scenes_can_be_brought_to_another_size(world, tmp_path):
    with toy_lab(tmp_path, world, bench=BENCH) as lab:
        augment = ProxyCurriculum(source_size=(30, 39), **SMALL)._shown(RECIPE, lab.synthetic).augment
        assert augment.resize == augment.crop == (30, 39)
        cropped = ProxyCurriculum(source_size=(30, 39), **SMALL)._shown(replace(RECIPE, crop=(16, 16)), lab.synthetic)
        assert cropped.augment.resize == (30, 39) and cropped.augment.crop == (16, 16)


def test_snapshots_of_the_recipe_serve_the_looks(world, tmp_path):
    _, _, watcher, _ = done(tmp_path, world, recipe=replace(RECIPE, snapshots=11), looks=3)
    assert [name for name in watcher.notes if name.startswith("easy_share/")] == [
        f"easy_share/look_{i}" for i in (1, 2, 3)
    ]
    assert done(tmp_path, world, recipe=replace(RECIPE, snapshots=2), looks=9)[2].notes["easy_share/look_3"] >= 0


def test_what_starves_is_noted_with_its_step(world, tmp_path):
    """The chance of a target batch is 1, and with nothing but its own labels the network comes to say one class."""
    recipe = replace(RECIPE, steps=40, total_steps=40, lr=0.5)
    _, history, watcher, _ = done(
        tmp_path, world, recipe=recipe, target_pixels="all", looks=0, gamma=0.0, gamma_end=0.0, **PLAIN
    )
    gone = {name: step for name, step in watcher.notes.items() if name.startswith("warning/")}
    assert gone and all("has vanished from the proxy labels" in name for name in gone)
    for name, step in gone.items():
        ringing = {line["step"]: line[name] for line in history}
        assert ringing[step] == 1 and ringing[step - 3] < 1 and all(v == 1 for s, v in ringing.items() if s >= step)


def test_the_papers_classes_come_with_a_warning(tmp_path):
    """They were chosen on the target's validation labels; others were not."""
    from segfrontier_methods.proxy_curriculum.classes import leaks

    assert leaks(Knobs()) and not leaks(Knobs(weighting="rare")) and not leaks(Knobs(weighted=("pole",)))
    assert leaks(Knobs(weighted=tuple(reversed(PAPERS_CLASSES)))), "in whatever order"
    assert LEAK.startswith("warning/") and len(LEAK) <= 200


def test_rare_classes_are_those_of_the_source_alone(world, tmp_path):
    part = fine_part(world, tmp_path, domain="source")
    counts = np.bincount(np.concatenate([part.pixels(s).map().ravel() for s in part.names()]), minlength=256)[:3]
    shares = counts / counts.sum()
    assert 0 < shares[2] < min(shares[:2]), "cars are few"
    names = ("ground", "wall", "car")
    assert rare_classes(part, names, below=shares[2] + 1e-9) == ("car",)
    assert rare_classes(part, names, below=float(shares[2])) == ()
    assert rare_classes(part, (*names, "ghost"), below=0.99) == names, (
        "what is never shown is not rare, it is not there"
    )


def test_what_weighs_and_how_the_rate_falls_reaches_the_training(world, tmp_path):
    with toy_lab(tmp_path, world, bench=BENCH) as lab:

        def made(**knobs):
            return ProxyCurriculum(**(SMALL | knobs))._objective(lab, RECIPE, lab.synthetic)

        assert made().class_weights == (1.0, 2.0, 2.0) and made(weighting="none").class_weights is None
        assert made(weighted=("car",), weight=3.0).class_weights == (1.0, 1.0, 3.0)
        rare = {"weighting": "rare", "weighted": ("wall",), "weight": 3.0}
        assert made(**rare, rare_below=0.99).class_weights == (3.0, 3.0, 3.0)
        assert made(**rare, rare_below=1e-6).class_weights == (1.0, 1.0, 1.0)
        assert [made(decay=per).segmenter.schedule.per for per in ("step", "epoch")] == ["step", "epoch"]


def test_minority_is_the_mean_over_the_weighted_classes_alone(world, tmp_path):
    def minority(*names):
        return done(tmp_path, world, weighting="none", weighted=names, looks=0)[2].notes["miou_minority"]

    each = [minority(name) for name in ("ground", "wall", "car")]
    assert len(set(each)) > 1 and minority("ground", "wall", "car") == pytest.approx(np.mean(each))


class Said:
    """A model of three branches: they agree at the first pixel, two do at the second, none at the third."""

    device, classes = torch.device("cpu"), TOY

    def __init__(self, *rows):
        self.rows = rows or ((0, 0, 0), (0, 0, 1), (0, 1, 2))

    def module(self, pixels):
        assert pixels.shape == (1, 3, 1, 3) and pixels.max() == 1, "as networks take images"
        said = [torch.nn.functional.one_hot(torch.tensor([[row]]), 3).permute(0, 3, 1, 2) for row in self.rows]
        return SimpleNamespace(logits=[each.float() for each in said])

    def sound(self, logits):
        return logits

    def look(self, image):
        return SimpleNamespace(confidence=lambda: (None, torch.tensor([[[0, 1, 2]]])))


@pytest.mark.parametrize(("easy_up_to", "easy"), [(0.0, 1 / 3), (0.34, 2 / 3)])
def test_easy_pixels_are_measured_and_drawn_at_every_look(easy_up_to, easy):
    image = np.full((1, 3, 3), 255, np.uint8)
    looks = {"look 1": Said(), "look 2": Said((0, 0, 0))}
    measured = EasyShare(looks=tuple(looks), easy_up_to=easy_up_to).measure(looks, image, None)
    assert measured["easy"] == pytest.approx([easy, 1.0])
    part = SimpleNamespace(images=SimpleNamespace(image=lambda scene: image))
    panels = Growing(easy_up_to=easy_up_to).panels(looks, part, "scene")
    assert [title for title, _ in panels] == [
        "scene", "look 1: prediction", f"look 1: {1 - easy:.0%} hard", "look 2: prediction", "look 2: 0% hard"
    ]  # fmt: skip
    np.testing.assert_array_equal(panels[1][1], TOY.palette[[[0, 1, 2]]])


def test_looks_see_as_many_scenes_as_their_knobs_say(world, tmp_path):
    with toy_lab(tmp_path, world, bench=BENCH) as lab:
        asked, names, measured = [], lab.pool.scenes(), SimpleNamespace(column=lambda name: np.zeros((3, 1)))
        stub = SimpleNamespace(
            pool=lab.pool, note=lambda name, value: None,
            measure=lambda looks, part, gauge: asked.append((gauge, list(part.names()))) or measured,
            draw=lambda sketch, looks, part, scenes: asked.append((sketch, scenes)),
        )  # fmt: skip
        method = ProxyCurriculum(weighting="none", easy_up_to=0.5, look_scenes=3, pictures=2)
        method._look(stub, [None])
    assert len(names) > 3
    assert asked == [
        (EasyShare(looks=("look 1",), easy_up_to=0.5), [names[0], names[round((len(names) - 1) / 2)], names[-1]]),
        (Growing(easy_up_to=0.5), 2),
    ]


def test_an_unknown_class_is_told_before_anything_is_trained(world, tmp_path):
    with pytest.raises(BadInput, match=r"which are ground, wall, car; found fence, pole, light, sign, rider in"):
        done(tmp_path, world, weighted=PAPERS_CLASSES)
    done(tmp_path, world, weighted=PAPERS_CLASSES, weighting="rare", rare_below=0.3, looks=0)


def test_without_a_source_it_says_what_it_needs(tmp_path):
    bare = write_toy(tmp_path / "bare", target_train=3, target_val=2)
    with pytest.raises(BadInput, match="labelled source scenes; this world has none"):
        done(tmp_path / "home", bare)


def test_without_target_images_it_says_so(tmp_path):
    empty = write_toy(tmp_path / "empty", source_train=3, target_val=2)
    with pytest.raises(BadInput, match="must have scenes in target/train"):
        done(tmp_path / "home", empty)


def test_agreement_is_pale_and_disagreement_red():
    drawn = agreement_map(np.array([[0.0, 0.5], [0.0, 0.25]]))
    assert drawn[0, 0].tolist() == [225, 232, 240] and drawn[0, 1].tolist() == [200, 30, 30]
    assert drawn[0, 1, 1] < drawn[1, 1, 1] < drawn[0, 0, 1]
    assert (agreement_map(np.zeros((2, 2))) == [225, 232, 240]).all()


# ---------------------------------------------------------------------------- one worker, two, and accumulated parts


def job(world, folder, **plan):
    """Frozen norms and no dropout: what depends on a worker's share of the batch is only what ought not to."""
    goal = objective(
        network=spec(norm="frozen", head="deeplab_v2", head_knobs={}), class_weights=(1.0, 2.0, 1.0), gamma=0.7,
        gamma_end=0.5, epochs=8, gamma_over=4, masked=0.3, masked_end=0.8, masked_over=4, beta=0.5,
    )  # fmt: skip
    streams = {
        "source": Stream(parts=(fine_part(world, folder / "labels", domain="source", uneven=True),), batch=4),
        "target": Stream(parts=(Part(images=world.pool()),), batch=4),
    }
    return Job(objective=goal, streams=streams, plan=Plan(steps=8, seed=5, **plan))


def train(worker, one, folder):
    (folder / "work").mkdir(parents=True, exist_ok=True)
    run(one, worker, replace(BENCH, log_steps=2), work=folder / "work", out=folder / "out")


def outcome(folder):
    log = [json.loads(line) for line in (folder / "out" / "log.jsonl").read_text().splitlines()]
    return torch.load(folder / "out" / "weights.pt", weights_only=True)["segmenter"], log


def assert_alike(found, wanted):
    for key, value in wanted[0].items():
        torch.testing.assert_close(found[0][key], value, rtol=1e-3, atol=1e-4, msg=key)
    for mine, other in zip(found[1], wanted[1], strict=True):
        assert mine.keys() == other.keys()
        for name, value in other.items():
            assert mine[name] == pytest.approx(value, rel=1e-3, abs=2e-3), name


def test_two_workers_and_accumulated_parts_are_one(world, tmp_path, pools):
    train(Worker(device=torch.device("cpu")), job(world, tmp_path / "a"), tmp_path / "one")
    wanted = outcome(tmp_path / "one")
    assert {"easy/source", "easy/target"} <= {name for line in wanted[1] for name in line}
    train(Worker(device=torch.device("cpu")), job(world, tmp_path / "b", accumulate=2), tmp_path / "parts")
    assert_alike(outcome(tmp_path / "parts"), wanted)
    two = tmp_path / "two"
    together(pools, train, tmp_path / "meet", job(world, tmp_path / "c"), two)
    assert_alike(outcome(two), wanted)
