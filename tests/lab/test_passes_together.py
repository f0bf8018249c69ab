"""Passes whose models look at several images together: the same rows in the same order, up to rounding, and faster."""

import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from toylab import Plain, toy_lab
from toyworld import write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import Argmax, Bench, Fine, Part, Plan, Stream
from segfrontier.lab.looking import Looking
from segfrontier.lab.passes.base import reading
from segfrontier.lab.passes.inference import Predictor, Predictors
from segfrontier.lab.passes.label import LabelPass
from segfrontier.maths import six_views
from segfrontier.scenes.classes import CITYSCAPES

CPU = torch.device("cpu")


@pytest.fixture
def predictor():
    network = Plain().networks()["segmenter"].blueprint.build(seed=0).eval()
    return Predictor.of(network, CITYSCAPES, device=CPU)


@pytest.fixture
def groups(monkeypatch):
    """How many images were looked at in each go."""
    found, seen = [], Predictor._seen

    def counted(self, images, way):
        found.append(len(images))
        return seen(self, images, way)

    monkeypatch.setattr(Predictor, "_seen", counted)
    return found


def images(*sizes):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.mark.parametrize("lean", [False, True])
def test_what_was_foreseen_is_what_would_have_been_seen(predictor, groups, lean):
    looking = Looking(views=six_views())
    some = images((32, 48), (32, 40), (32, 48), (32, 40), (32, 40))
    alone = [predictor.look(image, looking, lean=lean) for image in some]
    assert groups == [1] * 5
    predictor.foresee(some)
    assert groups[5:] == [2, 3], "in the way that was asked for, size by size"
    for image, one in zip(some, alone, strict=True):
        found = predictor.look(image, looking, lean=lean)
        torch.testing.assert_close(found.scores_NKHW, one.scores_NKHW, atol=1e-5, rtol=1e-5)
        assert found.scores_NKHW.shape == one.scores_NKHW.shape and found.agree_NHW.shape == one.agree_NHW.shape
        assert (found.agree_NHW == one.agree_NHW).float().mean() > 0.99
    assert groups[7:] == []
    predictor.look(some[0], looking, lean=lean)
    predictor.look(some[0].copy(), looking, lean=lean)
    predictor.look(some[1], lean=not lean)
    assert groups[7:] == [1, 1, 1], "once, of this very image, and in this way"


def test_nothing_is_foreseen_where_nobody_asks_and_what_nobody_asked_for_is_dropped(predictor, groups):
    first, second, third = images(*[(16, 24)] * 3)
    predictor.foresee([first, second])
    assert groups == []
    predictor.look(first)
    predictor.foresee([second, third])
    predictor.foresee([])
    predictor.look(second)
    assert groups == [1, 2, 1]


def test_what_fails_together_is_looked_at_one_by_one(predictor, monkeypatch):
    seen, some = Predictor._seen, images((16, 24), (16, 24))

    def short_of_memory(self, images, way):
        if len(images) > 1:
            raise torch.OutOfMemoryError("of this size")
        return seen(self, images, way)

    monkeypatch.setattr(Predictor, "_seen", short_of_memory)
    alone = predictor.look(some[1])
    predictor.foresee(some)
    assert torch.equal(predictor.look(some[1]).scores_NKHW, alone.scores_NKHW)


@dataclass(frozen=True, kw_only=True)
class Choosy(Argmax):
    """Does without one of the images, told by its content."""

    fault: int

    def label(self, models, image, known):
        if int(image.astype(np.int64).sum()) == self.fault:
            raise BadInput("this image is beyond me")
        return super().label(models, image, known)


def labelled(home, world, **bench):
    """Labels of 11 images, of which one is a fault of its own."""
    with toy_lab(home, world, bench=Bench(device="cpu", threads=1, **bench)) as lab:
        part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes()[:4])))
        model = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=2))
        fault = int(lab.pool.image(lab.pool.scenes()[5]).astype(np.int64).sum())
        work = LabelPass(
            models={"model": model}, classes=lab.classes, part=Part(images=lab.pool), rule=Choosy(fault=fault)
        )
        together = lab.bench.images_together("cpu")
        made = list(work.outcomes(Predictors.built(work.models, device=CPU), work.names(), together=together))
        return made, lab.score(model)


def test_a_pass_finds_the_same_together_in_the_same_order_and_forgives_as_much(tmp_path, groups):
    world = write_toy(tmp_path / "w", target_train=11, target_val=6)
    alone, score = labelled(tmp_path / "alone", world)
    assert set(groups) == {1}, "one by one is what a CPU does unless told otherwise"
    groups.clear()
    made, again = labelled(tmp_path / "together", world, look_batch=4)
    assert groups == [1, 1, 1, 1, 4, 3, *[1, 1, 1, 1, 2]], "of the first ones nobody has asked yet; then the score"
    assert [(o.scene, o.fault) for o in made] == [(o.scene, o.fault) for o in alone]
    assert [o.scene for o in made if o.row is None] == ["target/train/005"]
    assert again.miou == pytest.approx(score.miou, abs=1e-3)


def test_on_a_gpu_eight_are_looked_at_together_unless_told_otherwise():
    assert [Bench().images_together(kind) for kind in ("cpu", "mps", "cuda")] == [1, 1, 8]
    assert [Bench(look_batch=3).images_together(kind) for kind in ("cpu", "cuda")] == [3, 3]


def test_images_are_read_in_another_thread_and_not_far_ahead():
    read, here, free = [], threading.get_ident(), threading.Event()

    def image(name):
        read.append((name, threading.get_ident()))
        if name == "3":
            free.wait(10)
        return np.zeros((1, 1, 3), np.uint8)

    with reading(image, [str(n) for n in range(100)], ahead=3) as found:
        assert read == []
        name, first = next(found)
        assert (name, first.result().shape) == ("0", (1, 1, 3))
        [next(found)[1].result() for _ in range(2)]
        assert [name for name, _ in read][:3] == ["0", "1", "2"] and len(read) <= 4
        free.set()
    assert len(read) <= 6, "who leaves early has the rest unread"
    assert all(thread != here for _, thread in read)


def test_what_goes_wrong_while_reading_is_told_with_its_scene():
    def image(name):
        if name == "b":
            raise OSError("no such file")
        return np.zeros((1, 1, 3), np.uint8)

    with reading(image, ["a", "b", "c"], ahead=2) as found:
        told = {name: future.exception() for name, future in found}
    assert list(told) == ["a", "b", "c"] and isinstance(told["b"], OSError) and told["c"] is None
