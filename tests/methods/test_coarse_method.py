"""coarse_to_fine and naive_student on a toy world: what they buy, train and note; bad worlds."""

from itertools import pairwise

import pytest
import torch
from coarsehere import BENCH, RECIPE, run
from toylab import Recorder, toy_lab
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadInput, BadWorld
from segfrontier.lab import LabSettings, Recipe, make_method, open_lab
from segfrontier.lab.training.loop import Job
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter


def weights(model):
    return torch.load(model.file(), weights_only=True)["segmenter"]


def same(one, two):
    one, two = weights(one), weights(two)
    return all(torch.equal(one[name], two[name]) for name in one)


def test_it_buys_coarse_masks_and_notes_every_iteration(toy_world, tmp_path):
    model, spent, told = run(tmp_path / "home", toy_world, iterations=2, above=0.34)
    assert spent == 4 * 420
    assert told.kinds == ["train", "score", "label", "train", "score", "label", "train", "score"]
    scores = {name: value for name, value in told.notes.items() if name.startswith("iteration_")}
    assert sorted(scores) == [f"iteration_{i}/miou" for i in range(3)]
    assert all(0 <= value <= 1 for value in scores.values())
    again, _, found = run(tmp_path / "home", toy_world, iterations=1, above=0.34, cell="again")
    assert found.kinds == [], "a shorter run's stages are among a longer one's"
    assert again.key != model.key and found.notes["iteration_1/miou"] == scores["iteration_1/miou"]


def test_a_run_that_starts_again_buys_and_computes_nothing_more(toy_world, tmp_path):
    knobs = {"iterations": 1, "split": 0.5, "first": 2, "hours": 4.0}
    one, spent, _ = run(tmp_path / "home", toy_world, cell="one", **knobs)
    two, still, told = run(tmp_path / "home", toy_world, cell="one", **knobs)
    assert spent == still == 5400 + 6 * 420 and told.kinds == [] and one.key == two.key


def test_each_round_fills_the_original_blanks_and_leaves_masks_alone(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, hours=0.5, bench=BENCH) as lab:
        calls, label = [], lab.label

        def spy(model, part, rule):
            calls.append((part.labels, label(model, part, rule)))
            return calls[-1][1]

        lab.label = spy
        make_method("coarse_to_fine", {"above": 0.34}).run(lab, RECIPE)
    (bought, filled), (again, refilled) = calls
    assert bought.kind == again.kind == "coarse" and bought.digest == again.digest
    assert filled.digest != refilled.digest
    grown = 0
    for scene in bought.scenes():
        known, after = bought.map(scene), filled.map(scene)
        assert (after[known != 255] == known[known != 255]).all()
        grown += int(((known == 255) & (after != 255)).sum())
    assert grown > 0


@pytest.mark.parametrize("start", ["encoder", "last"])
def test_re_training_starts_where_told(toy_world, tmp_path, start):
    with toy_lab(tmp_path / "home", toy_world, hours=0.5, bench=BENCH) as lab:
        starts, train = [], lab.train

        def spy(*args, start=None, **more):
            starts.append({name: model.key for name, model in (start or {}).items()})
            model = train(*args, start=start, **more)
            keys.append(model.key)
            return model

        keys, lab.train = [], spy
        make_method("coarse_to_fine", {"start": start}).run(lab, RECIPE)
    expected = [{}, {}, {}] if start == "encoder" else [{}, {"segmenter": keys[0]}, {"segmenter": keys[1]}]
    assert starts == expected


def test_its_streams_divide_the_batch_and_draw_partners_from_all_synthetic_scenes(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, hours=0.5, bench=BENCH) as lab:
        seen, train = [], lab.train
        lab.train = lambda objective, streams, plan, **more: seen.append(streams) or train(objective, streams, plan)
        for knobs in ({}, {"mixing": 0.0}, {"synthetic_share": 0.25}, {"synthetic_images": 2}):
            make_method("coarse_to_fine", {"iterations": 0} | knobs).run(lab, RECIPE)
    batches = [{name: stream.batch for name, stream in streams.items()} for streams in seen]
    assert batches == [
        {"real": 2, "synthetic": 2, "partner": 2}, {"real": 2, "synthetic": 2},
        {"real": 3, "synthetic": 1, "partner": 3}, {"real": 2, "synthetic": 2, "partner": 2},
    ]  # fmt: skip
    assert seen[0]["partner"].scenes == 5 and seen[3]["partner"].scenes == seen[3]["synthetic"].scenes == 2


@pytest.mark.parametrize(
    ("knobs", "spent"),
    [
        ({"split": 0.5, "iterations": 0}, 5400 + 6 * 420),  # pre-training, then fine masks
        ({"split": 0.5, "iterations": 1, "mix": "coarse<-fine"}, 5400 + 6 * 420),
        ({"split": 1.0, "iterations": 0, "mix": "fine<-synthetic"}, 2 * 5400),
        ({"split": 1.0, "iterations": 0, "mix": "fine<-fine"}, 2 * 5400),
    ],
)
def test_a_split_buys_fine_masks_and_uses_them(toy_world, tmp_path, knobs, spent):
    with toy_lab(tmp_path / "home", toy_world, hours=4.0, bench=BENCH) as lab:
        used, train = [], lab.train

        def spy(objective, streams, plan, **more):
            used.append({name: stream.parts[0].labels.kind for name, stream in streams.items()})
            return train(objective, streams, plan, **more)

        lab.train = spy
        make_method("coarse_to_fine", knobs).run(lab, RECIPE)
        assert lab.spent == spent
    onto = knobs.get("mix", "coarse<-synthetic").partition("<-")[0]
    assert used[0] == {"real": onto, "synthetic": "fine", "partner": "fine"}
    assert used[-1] == ({"labelled": "fine"} if "mix" not in knobs else used[-1])
    assert len(used) == 1 + knobs["iterations"] + ("mix" not in knobs)


def bought_with(home, world, hours, sampling):
    """The scenes of the coarse masks that the budget buys."""
    with toy_lab(home, world, hours=hours, bench=BENCH, cell=f"{sampling}{hours}") as lab:
        sets, buy = [], lab.buy_masks
        lab.buy_masks = lambda *given, **more: sets.append(buy(*given, **more)) or sets[-1]
        knobs = {"iterations": 0, "first": 2, "sampling": sampling, "note_iterations": False}
        make_method("coarse_to_fine", knobs).run(lab, RECIPE)
        assert lab.spent == 420 * len(sets[-1])
        return sets[-1].scenes()


def test_sampling_by_the_model_is_nested_and_begins_like_the_uniform_one(toy_world, tmp_path):
    model, uniform = (
        [bought_with(tmp_path / "home", toy_world, hours, sampling) for hours in (0.12, 0.24, 0.36, 0.48)]
        for sampling in ("model", "uniform")
    )
    assert [len(scenes) for scenes in model] == [len(scenes) for scenes in uniform] == [1, 2, 3, 4]
    assert all(larger[: len(smaller)] == smaller for smaller, larger in pairwise(model))
    assert model[0] == uniform[0] and model[1] == uniform[1]


def test_the_paper_s_evaluation_is_that_of_the_model_that_leaves(toy_world, tmp_path):
    plain, _, _ = run(tmp_path / "home", toy_world, iterations=0)
    with toy_lab(tmp_path / "home", toy_world, hours=0.5, bench=BENCH, watcher=(told := Recorder()), cell="m") as lab:
        model = make_method("coarse_to_fine", {"iterations": 0, "multi_scale": True}).run(lab, RECIPE)
        assert model.digest == plain.digest and told.kinds == ["score"], "the same weights, looked at otherwise"
        assert [(view.scale, view.flip) for view in model.looking.views] == [(s, False) for s in (0.5, 1.0, 2.0)]
        assert told.notes["iteration_0/miou"] == lab.score(model).miou != lab.score(plain).miou


def test_a_round_without_pseudo_labels_trains_as_often_on_the_masks_as_bought(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, hours=0.5, bench=BENCH) as lab:
        parts, train = [], lab.train

        def spy(objective, streams, plan, **more):
            parts.append((streams["real"].parts[0].labels.digest, plan.steps, plan.seed))
            return train(objective, streams, plan, **more)

        lab.train = spy
        make_method("coarse_to_fine", {"iterations": 2, "pseudo_labels": False}).run(lab, RECIPE)
    assert [digest for digest, *_ in parts] == [parts[0][0]] * 3
    assert [rest for _, *rest in parts] == [[3, 0], [3, 1], [3, 2]]


def test_an_epoch_is_counted_over_the_real_images(toy_world, tmp_path):
    """Half of a batch is synthetic: 4 real images, 2 a step, make 2 steps; synthetic ones do not count."""
    with toy_lab(tmp_path / "home", toy_world, hours=0.5, bench=BENCH) as lab:
        jobs, train = [], lab.train
        lab.train = lambda objective, streams, plan, **more: (
            jobs.append(Job(objective=objective, streams=streams, plan=plan)) or train(objective, streams, plan, **more)
        )
        make_method("coarse_to_fine", {"iterations": 0}).run(lab, RECIPE)
    assert [job.steps_an_epoch for job in jobs] == [2]


def test_real_images_alone_need_no_synthetic_world(tmp_path):
    world = write_toy(tmp_path / "w", target_train=4, target_val=2)
    knobs = {"synthetic_share": 0.0, "mixing": 0.0, "boundary": 0.0, "iterations": 1}
    _, spent, _ = run(tmp_path / "home", world, **knobs)
    assert spent == 4 * 420


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("knobs", [{}, {"synthetic_share": 0.0, "boundary": 0.0}])
def test_without_a_synthetic_world_nothing_is_bought(tmp_path, knobs):
    world = write_toy(tmp_path / "w", target_train=4, target_val=2)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        with pytest.raises(BadInput, match="needs a world with source scenes.*name one as `source`"):
            make_method("coarse_to_fine", knobs).run(lab, RECIPE)
        assert lab.spent == 0


def test_a_synthetic_set_of_another_class_table_is_refused_before_anything_is_bought(toy_world, tmp_path):
    other = ClassTable(name="two", classes=TOY.classes[:2], void_ids=(0,))
    with WorldWriter(tmp_path / "other", name="other", classes=other, shard_bytes=10_000) as out:
        scene = toy_scene(0, domain="source")
        scene.semantic[scene.semantic == 2] = 1
        scene.instance[:] = 0
        out.add(scene)
    with pytest.raises((BadWorld, BadInput), match="synthetic world 'other'"):
        open_lab(LabSettings(home=tmp_path / "home", world=toy_world, source=World.open(tmp_path / "other"),
                             prices="street", hours=1.0))  # fmt: skip


def test_a_batch_that_cannot_be_divided_is_refused(toy_world, tmp_path):
    for batch, share in ((1, 0.5), (2, 0.1)):
        with pytest.raises(BadInput, match="must hold real and synthetic images"):
            run(tmp_path / "home", toy_world, recipe=Recipe(encoder="test_resnet", pretrained="never", batch=batch),
                synthetic_share=share, cell=f"b{batch}")  # fmt: skip


def test_too_small_a_budget_is_an_error(toy_world, tmp_path):
    with pytest.raises(BadInput, match="must pay for at least one coarse mask"):
        run(tmp_path / "home", toy_world, hours=0.1)


def blank_world(folder, *, void, dropped=()):
    """A toy world whose coarse masks are all void for the scenes `void`, and never show the classes `dropped`."""
    with WorldWriter(folder, name="toy", classes=TOY, shard_bytes=10_000) as out:
        for number in range(9):
            domain, split = ("source", "train") if number < 3 else ("target", "train" if number < 7 else "val")
            scene = toy_scene(number, domain=domain, split=split, coarse=True)
            for label in dropped:
                scene.coarse[scene.coarse == label] = 255
            if number in void:
                scene.coarse[:] = 255
            out.add(scene)
    return World.open(folder)


@pytest.mark.parametrize(
    ("void", "dropped"),
    [((4,), ()), ((3, 4, 5, 6), ()), ((), (2,))],
    ids=["one image fully void", "all images fully void", "a class that no coarse mask shows"],
)
def test_blanks_are_trained_around_and_filled(tmp_path, void, dropped):
    world = blank_world(tmp_path / "w", void=void, dropped=dropped)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        made, label = [], lab.label
        lab.label = lambda *given: made.append(label(*given)) or made[-1]
        model = make_method("coarse_to_fine", {"iterations": 1, "above": 0.34}).run(lab, RECIPE)
        assert all(torch.isfinite(value.float()).all() for value in weights(model).values())
        assert 0 <= lab.score(model).miou <= 1
        assert all((made[0].map(f"target/train/{n:03d}") != 255).any() for n in void)


# ------------------------------------------------------------------------------------------------------ the yardstick


def test_naive_student_labels_all_other_images_and_learns_from_both(toy_world, tmp_path):
    model, spent, told = run(tmp_path / "home", toy_world, method="naive_student", hours=3.0, iterations=2)
    assert spent == 2 * 5400 and told.kinds == ["train", "label", "train", "label", "train"]
    fewer, _, _ = run(tmp_path / "home", toy_world, method="naive_student", hours=3.0, unlabelled=2)
    assert not same(model, fewer)


def test_naive_student_with_every_mask_is_supervised_training(toy_world, tmp_path):
    model, _, told = run(tmp_path / "home", toy_world, method="naive_student", hours=9.0)
    fine, _, _ = run(tmp_path / "home", toy_world, method="fine", hours=9.0)
    assert told.kinds == ["train"] and model.key == fine.key


# ------------------------------------------------------------------------------------------------------ on the street


@pytest.mark.slow
def test_it_learns_on_the_street(tmp_path):
    world = open_world("street:train=12,val=4,synthetic=12,size=64x128")
    recipe = Recipe(encoder="test_resnet", pretrained="never", steps=40, batch=4, optimiser="adamw", lr=0.005)
    settings = {"home": tmp_path / "home", "world": world, "hours": 1.0, "bench": BENCH}
    scores = {}
    with open_lab(LabSettings(**settings, cell="c")) as lab:
        for steps in (2, 40):
            from dataclasses import replace

            model = make_method("coarse_to_fine", {"iterations": 1}).run(lab, replace(recipe, steps=steps))
            scores[steps] = lab.score(model).miou
    assert scores[40] > scores[2] + 0.02
