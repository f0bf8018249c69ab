"""The lab's verbs as doors to truth: nothing of the pool that is for sale is seen through any of them."""

import gc
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from toylab import Plain, Recorder, toy_lab, watcher_of
from toyworld import write_toy

from segfrontier.errors import BadInput, BadWorld
from segfrontier.lab import (
    Argmax,
    Bench,
    Fine,
    LabelSet,
    Looking,
    Model,
    Part,
    Plan,
    Points,
    Rule,
    SceneLabels,
    Stream,
    Watcher,
)
from segfrontier.lab.passes.quality import QUALITY
from segfrontier.scenes.world import Pool

BENCH = Bench(device="cpu", threads=1)


@pytest.fixture
def lab(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder()) as lab:
        yield lab


@pytest.fixture
def model(lab):
    labels = lab.buy(Fine(lab.pool.scenes()[:1]))
    stream = Stream(parts=(Part(images=lab.pool, labels=labels),), batch=2)
    return lab.train(Plain(), {"labelled": stream}, Plan(steps=1))


class Word(str):
    """Text that is what it is asked to be."""

    def __eq__(self, other):
        return other == "val"

    def __hash__(self):
        return hash("val")


class Swings:
    def __init__(self, *answers):
        self.answers = list(answers)

    def __index__(self):
        return self.answers.pop(0)


@pytest.mark.parametrize("split", ["train", Word("train"), np.str_("train"), ["val"], None, b"train"])
def test_no_score_looks_at_the_pool_that_is_for_sale(lab, model, split):
    with pytest.raises(BadInput, match="split for evaluation"):
        lab.score(model, split=split)
    with pytest.raises(BadInput, match="split for evaluation"):
        lab.score(model, split=split, pictures=0)
    assert "score" not in watcher_of(lab).kinds


@pytest.mark.parametrize("pictures", [10**6, 17, -1, True, 2.0, "4", None, Swings(17, 4), Swings(-1)])
def test_a_score_shows_a_few_scenes_at_most(lab, model, pictures):
    with pytest.raises(BadInput, match="0 to 16 scenes"):
        lab.score(model, pictures=pictures)


def test_a_number_of_pictures_is_asked_for_once(tmp_path):
    world = write_toy(tmp_path / "w", target_train=2, target_val=20)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes())))
        model = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=1))
        few, many = (lab.score(model, pictures=Swings(n, 10**6, 10**6)) for n in (1, 16))
        heights = []
        for scores in (few, many):
            with Image.open(f"{scores.folder}/pictures.png") as picture:
                heights.append(picture.height)
        assert heights[0] < heights[1] < 20 * heights[0]


def test_splits_of_other_names_are_scored_as_ever(tmp_path):
    world = write_toy(tmp_path / "w", target_train=2, target_val=2, target_test=1)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes())))
        model = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=1))
        assert lab.score(model, split="test").scenes == 1
        with pytest.raises(BadWorld, match="has no scenes in target/none"):
            lab.score(model, split="none")


def test_what_a_method_gets_does_not_lead_to_the_quality_of_its_labels(lab, model):
    """The notes reach the record; the label set's folder, the lab and all that hangs on it do not tell."""
    made = lab.label(model, Part(images=lab.pool), Argmax())
    notes = dict(watcher_of(lab).notes)
    assert {"labels_1/coverage", "labels_1/pixel_accuracy"} <= notes.keys()
    folder = Path(made.path).parent
    texts = [f.read_text(errors="replace") for f in folder.iterdir() if f.is_file()]
    assert not (folder / QUALITY).exists() and not any("pixel_accuracy" in text for text in texts)
    gc.collect()
    for thing in reachable([lab, made, model, lab.pool]):
        assert not isinstance(thing, Watcher), "a method must not hear what the record hears"
        assert not (isinstance(thing, dict) and "labels_1/pixel_accuracy" in thing)
    for name in dir(lab):
        if not name.startswith("_") and name not in ("budget", "spent"):
            assert not isinstance(getattr(lab, name), Watcher)


def test_the_quality_of_found_labels_is_told_again_and_kept_apart(lab, model, tmp_path):
    for number in (1, 2):
        lab.label(model, Part(images=lab.pool), Argmax())
        assert f"labels_{number}/pixel_accuracy" in watcher_of(lab).notes
    assert watcher_of(lab).kinds == ["train", "label"], "the record's stages are those that the method asked for"
    found = list((tmp_path / "home" / "store").rglob(QUALITY))
    assert len(found) == 1 and json.loads((found[0].parent / "entry.json").read_text())["about"]["kind"] == "quality"


def reachable(root):
    seen, todo = {}, [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type(gc) | type):
            continue
        seen[id(thing)] = thing
        if callable(thing) and hasattr(thing, "__globals__"):
            todo += [c.cell_contents for c in thing.__closure__ or () if c.cell_contents is not None]
            todo += [getattr(thing, "__self__", None), *(thing.__defaults__ or ())]
            continue
        todo += [r for r in gc.get_referents(thing) if r is not None]
    return list(seen.values())


class OtherPool(Pool):
    """Images that say that they are others."""

    digest = "0" * 32


class OtherLabels(LabelSet):
    digest = "0" * 32


class OtherPart(Part):
    def names(self):
        return ("target/train/000",)


class OtherModel(Model):
    digest = "0" * 32


class OtherLooking(Looking):
    pass


@dataclass(frozen=True)
class OtherRequest(Points):
    kind = "tag"


def test_look_alikes_are_refused_by_every_verb(lab, model):
    pool = lab.pool
    other = OtherPool(world="toy", domain="target", split="train", files=pool._side.files)
    labels = LabelSet(path="x", kind="fine", digest="d", count=1, classes=lab.classes)
    lies = OtherLabels(path="x", kind="fine", digest="d", count=1, classes=lab.classes)
    false = OtherModel(**{f: getattr(model, f) for f in model.__dataclass_fields__})
    calls = [
        lambda: lab.label(model, Part(images=other), Argmax()),
        lambda: lab.label(model, Part(images=pool, labels=lies), Argmax()),
        lambda: lab.label(model, OtherPart(images=pool, labels=labels), Argmax()),
        lambda: lab.label(false, Part(images=pool), Argmax()),
        lambda: lab.score(false),
        lambda: lab.train(Plain(), {"labelled": Stream(parts=(Part(images=other),), batch=2)}, Plan(steps=1)),
        lambda: lab.train(Plain(), {"labelled": stream}, Plan(steps=1), start={"segmenter": false}),
        lambda: lab.draw(None, {"a": false}, Part(images=pool)),
        lambda: lab.score(model.looked(OtherLooking())),
        lambda: lab.measure(false, Part(images=pool), None),
        lambda: lab.buy(OtherRequest(["target/train/000"], [[[1, 1]]])),
        lambda: lab.buy_masks("gold", spend=10**6),
    ]
    stream, before = Stream(parts=(Part(images=pool),), batch=2), lab.spent
    for call in calls:
        with pytest.raises(BadInput):
            call()
    assert lab.spent == before


@dataclass(frozen=True)
class Nosy(Rule):
    """Looks for whatever it is not given."""

    def label(self, models, image, known):
        held = [*vars(models).values(), *vars(models.only).values()]
        assert not any(type(thing).__name__ in ("Truth", "World", "Market", "Places") for thing in held)
        assert known is None or (known.map() == 255).any()
        return SceneLabels(size=image.shape[:2], semantic=np.zeros(image.shape[:2], np.uint8))


def test_a_rule_sees_the_labels_of_its_part_and_no_others(lab, model):
    known = lab.buy(Points(lab.pool.scenes()[:1], [[[5, 5]]]))
    made = lab.label(model, Part(images=lab.pool, labels=known), Nosy())
    assert made.scenes() == known.scenes()


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x1b[2Jb", "a\nb", None, 3])
def test_a_note_has_a_plain_name(lab, name):
    with pytest.raises(BadInput, match="note"):
        lab.note(name, 1.0)
    lab.note("round_1/miou", float("nan"))


def test_labels_of_one_cell_lie_apart_from_those_of_another(toy_world, tmp_path):
    folders = {}
    for cell in ("a" * 32, "fine-60h-12345678", "../../x", "n" * 300, "with space"):
        with toy_lab(tmp_path / "home", toy_world, bench=BENCH, cell=cell) as lab:
            labels = lab.buy(Fine(lab.pool.scenes()[:1]))
            folders[cell] = Path(labels.path).parent
            assert [f.name for f in folders[cell].iterdir()] == [Path(labels.path).name]
    assert len(set(folders.values())) == len(folders)
    assert {folder.parent for folder in folders.values()} == {tmp_path / "home" / "labels"}
    assert folders["a" * 32].name == "a" * 32 and folders["fine-60h-12345678"].name == "fine-60h-12345678"


def test_a_home_whose_labels_lay_together_delivers_them_again_for_nothing(toy_world, tmp_path):
    home = tmp_path / "home"
    with toy_lab(home, toy_world, bench=BENCH, cell="c") as lab:
        first = lab.buy(Fine(lab.pool.scenes()[:2]))
    former = home / "labels" / Path(first.path).name
    Path(first.path).rename(former)
    with toy_lab(home, toy_world, bench=BENCH, cell="c") as lab:
        again = lab.buy(Fine(lab.pool.scenes()[:2]))
        assert again.digest == first.digest and again.scenes() == first.scenes()
        assert lab._window.spent == 2 * 5400, "charged once"
    assert former.is_file() and replace(again, path=str(former)).scenes() == first.scenes(), "nothing of old is touched"
