"""One image that does not decode, at every verb: left out and named, and nothing else differs."""

import json
import logging
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from test_lab_measures import Portrait
from test_lab_verbs import BENCH
from toylab import Plain, toy_lab
from toyworld import TOY, toy_scene

from segfrontier.errors import StageError, Stopped
from segfrontier.lab import Argmax, Fine, LocalLab, Part, Plan, Sketch, Stream
from segfrontier.lab.augment import Augment
from segfrontier.lab.leftout import LeftOut
from segfrontier.lab.passes.pictures import Album
from segfrontier.lab.passes.scores import Scores
from segfrontier.lab.places import Places
from segfrontier.lab.training.loader import StepDataset, batches
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter

TRAIN, VAL = 12, 5
CPU = Worker(device=torch.device("cpu"))


def write_spoilt(folder, *, bad=(), train=TRAIN, val=VAL):
    """Toy scenes, some of which are stored as bytes that are no image."""
    with WorldWriter(folder, name="toy", classes=TOY) as out:
        for number in range(train + val):
            scene = toy_scene(number, split="train" if number < train else "val")
            out.add(replace(scene, image=b"no image" + bytes([number])) if number in bad else scene)
    return World.open(folder)


def name(number):
    return f"target/{'train' if number < TRAIN else 'val'}/{number:03d}"


def part_of(lab, **more):
    return Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes())), **more)


def trained(lab, *, steps=9, batch=4):
    return lab.train(Plain(), {"labelled": Stream(parts=(part_of(lab),), batch=batch)}, Plan(steps=steps))


def stream(world, folder, **more):
    from toylab import fine_part

    return Stream(parts=(fine_part(world, folder),), batch=4, augment=Augment(flip=True, crop=(16, 16)), **more)


def same(one, other):
    return one.scene == other.scene and (one.image == other.image).all() and (one.label == other.label).all()


@pytest.mark.parametrize("balance", ["scene", "class"])
def test_its_place_in_a_batch_is_taken_alike_by_every_worker(tmp_path, balance, caplog):
    world = write_spoilt(tmp_path / "w", bad=(3,))
    streams = {"a": stream(world, tmp_path, balance=balance)}
    wants = [(step, ("a",)) for step in range(9)]
    whole = list(batches(StepDataset(streams, seed=0, rank=0, world=1), wants, workers=0, pin=False))
    dealt = [scene for step in whole for scene in step["a"].scene]
    assert len(dealt) == 36 and name(3) not in dealt and all(step["a"].image.shape[0] == 4 for step in whole)
    named = [r.getMessage() for r in caplog.records]
    assert len(named) == 1 and f"{name(3)}: " in named[0] and "stream 'a'" in named[0]
    halves = [list(batches(StepDataset(streams, seed=0, rank=r, world=2), wants, workers=0, pin=False)) for r in (0, 1)]
    for step, first, second in zip(whole, *halves, strict=True):
        assert step["a"].scene == first["a"].scene + second["a"].scene
        assert (step["a"].image == torch.cat([first["a"].image, second["a"].image])).all()
    late = list(batches(StepDataset(streams, seed=0, rank=0, world=1), wants[5:], workers=0, pin=False))
    assert all(same(a["a"], b["a"]) for a, b in zip(whole[5:], late, strict=True)), "a resumed run sees the same"


def test_all_other_places_hold_what_they_always_did(tmp_path):
    intact, spoilt = write_spoilt(tmp_path / "intact"), write_spoilt(tmp_path / "spoilt", bad=(3,))
    wants = [(step, ("a",)) for step in range(9)]
    one, other = (
        [
            (scene, step["a"].image[i])
            for step in batches(StepDataset({"a": stream(w, f)}, seed=0, rank=0, world=1), wants, workers=0, pin=False)
            for i, scene in enumerate(step["a"].scene)
        ]
        for w, f in ((intact, tmp_path / "a"), (spoilt, tmp_path / "b"))
    )
    replaced = [i for i, (scene, _) in enumerate(one) if scene == name(3)]
    assert len(replaced) == 3 and {other[i][0] for i in replaced} & {name(3)} == set()
    for i, ((scene, image), (again, picture)) in enumerate(zip(one, other, strict=True)):
        assert i in replaced or (scene == again and (image == picture).all())


@pytest.mark.slow
def test_loader_processes_do_the_same(tmp_path, caplog):
    streams = {"a": stream(write_spoilt(tmp_path / "w", bad=(3,)), tmp_path)}
    wants = [(step, ("a",)) for step in range(6)]
    here = list(batches(StepDataset(streams, seed=0, rank=0, world=1), wants, workers=0, pin=False))
    caplog.clear()
    there = list(batches(StepDataset(streams, seed=0, rank=0, world=1), wants, workers=2, pin=False))
    assert all(same(a["a"], b["a"]) for a, b in zip(here, there, strict=True))
    assert len([r for r in caplog.records if name(3) in r.getMessage()]) == 1


def test_a_bad_scene_may_stand_in_another_part_or_share(tmp_path):
    """Where the only scene of a part is bad, the next slot of the stream has the place; no search goes on for ever."""
    world = write_spoilt(tmp_path / "w", bad=(0,))
    full = stream(world, tmp_path).parts[0]
    alone = replace(full, scenes=(name(0),))
    for shares in (None, (0.5, 0.5)):
        two = Stream(parts=(alone, replace(full, scenes=(name(1), name(2), name(3)))), batch=4, shares=shares)
        dealt = list(batches(StepDataset({"a": two}, seed=0, rank=0, world=1), [(0, ("a",))], workers=0, pin=False))
        assert set(dealt[0]["a"].scene) <= {name(1), name(2), name(3)}
    never = Stream(parts=(alone, replace(full, scenes=(name(1), name(2)))), batch=1, shares=(1.0, 0.0))
    with pytest.raises(StageError, match="found none in place of 'target/train/000'"):
        StepDataset({"a": never}, seed=0, rank=0, world=1)[0, ("a",)]


@pytest.mark.parametrize("bad", [(2, 3), tuple(range(TRAIN))])
def test_too_many_end_the_training_with_a_sentence(tmp_path, bad):
    world = write_spoilt(tmp_path / "w", bad=bad)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab, pytest.raises(StageError, match="2 of 12 images could"):
        trained(lab)


def test_one_is_left_out_by_every_verb_and_costs_nothing_else(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    bad, hidden = 3, TRAIN + 2
    spoilt = write_spoilt(tmp_path / "spoilt", bad=(bad, hidden))
    with toy_lab(tmp_path / "home", spoilt, bench=BENCH) as lab:
        model = trained(lab)
        made = lab.label(model, Part(images=lab.pool), Argmax())
        measures = lab.measure(model, Part(images=lab.pool), Portrait())
        scores = lab.score(model, pictures=VAL)
        drawn = lab.draw(OneScene(), {"it": model}, Part(images=lab.pool), scenes=TRAIN)
        assert (drawn / "pictures.png").exists()
    assert len(made) == TRAIN - 1 and name(bad) not in made
    assert len(measures) == TRAIN - 1 and measures.faults[0].startswith(name(bad))
    assert scores.scenes == VAL - 1 and len(scores.left_out) == 1 and scores.left_out[0].startswith(name(hidden))
    told = [r.getMessage() for r in caplog.records]
    assert len(told) == 4 and [name(bad) in t for t in told] == [True, True, True, False] and name(hidden) in told[3]


@dataclass(frozen=True)
class OneScene(Sketch):
    def panels(self, predictors, part, scene):
        return [(scene, part.images.image(scene))]


def sums_of(lab, model, scenes):
    """A plain restatement of the evaluator over the scenes that decode."""
    from segfrontier.lab import SEMANTIC, Argmax, Predictors, SceneLabels
    from segfrontier.lab.passes.scores import Sums, counted
    from segfrontier.lab.sealed import unseal

    world, total = unseal(lab._places).world, Sums.zero(SEMANTIC, lab.classes)
    models = Predictors.built({"model": model}, device=torch.device("cpu"))
    for scene in scenes:
        pool, truth = world.pool(split="val"), world.truth(split="val")
        found = Argmax().label(models, pool.image(scene), None)
        known = SceneLabels(size=found.size, semantic=truth.semantic(scene))
        total = total + counted(SEMANTIC, known, found, lab.classes)
    return total.to_plain()


def test_scores_are_those_of_the_scenes_that_decode(tmp_path):
    hidden = TRAIN + 2
    with toy_lab(tmp_path / "home", write_spoilt(tmp_path / "w", bad=(hidden,)), bench=BENCH) as lab:
        model = trained(lab)
        scores = lab.score(model)
        kept = [name(n) for n in range(TRAIN, TRAIN + VAL) if n != hidden]
        assert scores.sums.to_plain() == sums_of(lab, model, kept)
        again = lab.score(model)
        assert again.left_out == scores.left_out and again.values == scores.values, "as stored"


@pytest.mark.parametrize("stop_after", [None, 5])
def test_a_trainings_result_names_what_it_left_out(tmp_path, stop_after):
    """Also where the scene was met before a stop alone; the result of an intact world has no such file."""
    for number, bad in enumerate(((), (3,))):
        folder = tmp_path / str(number)
        streams = {"labelled": stream(write_spoilt(folder / "w", bad=bad), folder)}
        job = Job(objective=Plain(), streams=streams, plan=Plan(steps=6))
        calls = iter(range(1, 100))
        (folder / "work").mkdir()
        common = {"work": folder / "work", "out": folder / "out"}
        if stop_after:
            with pytest.raises(Stopped):
                run(
                    job, CPU, replace(BENCH, checkpoint_seconds=0), stop=lambda c=calls: next(c) == stop_after, **common
                )
        run(job, CPU, BENCH, **common)
        found = folder / "out" / "left_out.json"
        assert found.exists() is bool(bad)
        if bad:
            ((stream_name, (line,)),) = json.loads(found.read_text()).items()
            assert stream_name == "labelled" and line.startswith(f"{name(3)}: ")


def test_what_all_workers_left_out_is_gathered(tmp_path):
    for rank, faults in enumerate((["b: bad", "a: bad"], ["b: bad"], [])):
        LeftOut(tmp_path, rank).take({"x": faults, "y": faults[:1]})
    LeftOut(tmp_path, 1).take({"x": ["c: bad"]})
    assert LeftOut.of_all(tmp_path) == {"x": ["a: bad", "b: bad", "c: bad"], "y": ["b: bad"]}
    assert len(list(tmp_path.iterdir())) == 2, "nothing is written of nothing"


def test_too_many_or_all_end_the_scoring(tmp_path):
    for bad, val, told in (((12, 13), 5, "2 of 5"), ((12,), 1, "1 of 1")):
        world = write_spoilt(tmp_path / f"w{val}", bad=bad, val=val)
        expected = pytest.raises(StageError, match=f"{told} images could not be scored.*never all: target/val/012")
        with toy_lab(tmp_path / f"home{val}", world, bench=BENCH) as lab, expected:
            lab.score(trained(lab, steps=1))


def test_an_intact_worlds_scores_are_stored_as_ever(tmp_path):
    with toy_lab(tmp_path / "home", write_spoilt(tmp_path / "w"), bench=BENCH) as lab:
        scores = lab.score(trained(lab, steps=1), pictures=0)
    scores.write(tmp_path)
    assert "left_out" not in (tmp_path / "scores.json").read_text()
    assert Scores.read(tmp_path, lab.classes).left_out == () and scores.scenes == VAL


def test_early_stopping_looks_at_the_same_scenes(tmp_path):
    from segfrontier.lab.peeking import Peek
    from segfrontier.lab.sealed import unseal
    from segfrontier.maths import Confusion, semantic_scores

    world = write_spoilt(tmp_path / "w", bad=(TRAIN + 2,))
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        model = trained(lab, steps=2)
        places: Places = unseal(lab._places)
        job = Job(objective=Plain(), streams={"labelled": stream(world, tmp_path)}, plan=Plan(steps=2))
        (tmp_path / "work" / "peeks").mkdir(parents=True)
        weights = torch.load(model.file(), weights_only=True)
        torch.save(weights, tmp_path / "work" / "peeks" / "weights-000000001.pt")
        ((_, miou),) = Peek(job, tmp_path / "work", places, lab.classes, torch.device("cpu")).fresh()
        kept = [name(n) for n in range(TRAIN, TRAIN + VAL) if n != TRAIN + 2]
        plain = sums_of(lab, model, kept)["confusion"]
        assert miou == semantic_scores(Confusion.from_plain(plain), absent="present")["miou_present"]


def test_pool_names_the_scene(tmp_path):
    pool = write_spoilt(tmp_path / "w", bad=(3,)).pool()
    with pytest.raises(Undecodable, match=rf"{name(3)}: 9 bytes do not decode"):
        pool.image(name(3))


def test_the_evaluators_pictures_leave_it_out(tmp_path, monkeypatch):
    rows = []
    monkeypatch.setattr(Album, "add", lambda self, scene, *_: rows.append(scene))
    with toy_lab(tmp_path / "home", write_spoilt(tmp_path / "w", bad=(TRAIN + 2,)), bench=BENCH) as lab:
        lab.score(trained(lab, steps=1), pictures=VAL)
    assert rows == [name(n) for n in range(TRAIN, TRAIN + VAL) if n != TRAIN + 2]
    assert isinstance(lab, LocalLab) and np.ndim(rows) == 1
