"""Labelling on Ray Data: one bad image is named and loses nothing else, order and ids hold, the driver stays small."""

import json
import os
import time
import tracemalloc
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import ray
from test_ray_lab import open_toy
from toylab import Plain
from toyworld import TOY, write_toy

from segfrontier.errors import BadInput, StageError
from segfrontier.lab import Argmax, Fine, LocalLab, Part, Plan, Rule, Stream
from segfrontier.lab._ray import RayLab
from segfrontier.lab._ray.data import outcomes
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab.passes.label import LabelPass

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]


@dataclass(frozen=True)
class Fussy(Rule):
    """Cannot label some images, known by the sum of their pixels; or dies of them."""

    refuses: tuple[int, ...] = ()
    dies_of: tuple[int, ...] = ()
    once: str = ""

    def label(self, predictor, image, known):
        if int(image.sum()) in self.dies_of and not (self.once and Path(self.once).exists()):
            if self.once:
                Path(self.once).touch()
            os._exit(1)
        if int(image.sum()) in self.refuses:
            raise BadInput("this image is beyond me")
        return Argmax().label(predictor, image, known)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A world of 120 scenes, and a model that LocalLab trained."""
    folder = tmp_path_factory.mktemp("data")
    world = write_toy(folder / "toy", target_train=120, target_val=3)
    with open_toy(folder / "home", world, LocalLab) as lab:
        part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes()[:6])))
        return world, lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=12))


def sums(world, *numbers):
    pool = world.pool()
    return tuple(int(pool.image(pool.scenes()[n]).sum()) for n in numbers)


def label(trained, home, rule, kind=RayLab, **more):
    world, model = trained
    with open_toy(home, world, kind, **more) as lab:
        return lab.label(model, Part(images=lab.pool), rule)


def test_one_bad_image_is_named_and_loses_nothing_else(trained, tmp_path):
    rule = Fussy(refuses=sums(trained[0], 41))
    made = label(trained, tmp_path / "ray", rule, actors=2)
    assert made.digest == label(trained, tmp_path / "local", rule, LocalLab).digest
    assert len(made) == 119 and "target/train/041" not in made
    faults = json.loads((Path(made.path).parent / "labels.json").read_text())["faults"]
    assert faults == ["target/train/041: this image is beyond me"]


def test_too_many_bad_images_stop_the_stage_and_free_its_processes(trained, tmp_path):
    told = r"2 of 120 images could not be labelled.*: target/train/000.* \| target/train/030"
    with pytest.raises(StageError, match=told) as kept:
        label(trained, tmp_path / "home", Fussy(refuses=sums(trained[0], 0, 30)), actors=2)
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU", 0) < 2:
        assert time.monotonic() < deadline, f"actors hold on to their CPUs while this lives: {kept}"
        time.sleep(0.1)


def test_a_model_that_cannot_be_built_ends_the_stage_at_once(trained, tmp_path):
    world, model = trained
    with pytest.raises(BadInput, match="no longer holds model") as told:
        label((world, replace(model, key="0" * 32)), tmp_path / "home", Argmax())
    assert "In a worker process:" in told.value.__notes__[0]


def test_a_process_that_dies_is_replaced(trained, tmp_path):
    mark = tmp_path / "died"
    made = label(trained, tmp_path / "ray", Fussy(dies_of=sums(trained[0], 60), once=str(mark)))
    assert mark.exists()
    assert made.digest == label(trained, tmp_path / "local", Fussy(), LocalLab).digest


def test_an_image_that_ends_every_process_is_named(trained, tmp_path):
    with pytest.raises(StageError, match=r"lost 2 times around scene 'target/train/0\d\d'"):
        label(trained, tmp_path / "home", Fussy(dies_of=sums(trained[0], 60)), max_failures=1)


@dataclass(frozen=True, kw_only=True)
class Heavy(LabelPass):
    """Makes a row of 100 kB out of nothing."""

    def read(self, scene):
        return None

    def look(self, models, scene, image):
        return os.urandom(100_000)


def test_the_driver_stays_small_and_the_order_holds_whatever_the_pool(trained):
    """300 MB pass through, a block or two at a time."""
    names = [f"{n * 7919 % 3000:04d}" for n in range(3000)]
    heavy = Heavy(models={}, classes=TOY, part=None, rule=None)
    settings = {"work": heavy, "device": "cpu", "threads": 1}
    tracemalloc.start()
    try:
        assert [outcome.scene for outcome in outcomes(settings, names, WorkerPool(actors=2), gpu=False)] == names
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()
