"""One image that does not decode: RayLab leaves out what LocalLab leaves out, and ends with the same numbers."""

import pytest
from test_lab_measures import Portrait
from test_lab_undecodable import TRAIN, name, write_spoilt
from test_ray_lab import assert_same, open_toy, weights
from toylab import Plain, Tiny, fine_part

from segfrontier.errors import StageError
from segfrontier.lab import Argmax, LocalLab, Part, Plan, Stream
from segfrontier.lab._ray import RayLab

pytestmark = pytest.mark.ray


def everything(home, world, kind, **more):
    objective = Plain(blueprint=Tiny(norm=False))  # alike for any number of workers
    with open_toy(home, world, kind, **more) as lab:
        model = lab.train(objective, {"labelled": Stream(parts=(fine_part(world, home),), batch=4)}, Plan(steps=6))
        made = lab.label(model, Part(images=lab.pool), Argmax())
        measures = lab.measure(model, Part(images=lab.pool), Portrait())
        return weights(model), made, measures, lab.score(model, pictures=5)


@pytest.mark.slow
def test_both_labs_leave_out_the_same(ray_here, tmp_path):
    world = write_spoilt(tmp_path / "w", bad=(3, TRAIN + 2))
    here = everything(tmp_path / "local", world, LocalLab)
    there = everything(tmp_path / "ray", world, RayLab, workers=1, actors=2)
    assert_same(here[0], there[0])
    assert here[1].digest == there[1].digest and len(there[1]) == TRAIN - 1
    assert here[2].digest == there[2].digest and here[2].faults == there[2].faults
    assert here[3].sums == there[3].sums and here[3].left_out == there[3].left_out and there[3].scenes == 4
    assert name(TRAIN + 2) in there[3].left_out[0]


def test_too_many_end_the_scoring_on_ray_too(ray_here, tmp_path):
    world = write_spoilt(tmp_path / "w", bad=(TRAIN, TRAIN + 1))
    with open_toy(tmp_path / "home", world, LocalLab) as lab:
        model = lab.train(Plain(), {"labelled": Stream(parts=(fine_part(world, tmp_path),), batch=4)}, Plan(steps=1))
    with (
        open_toy(tmp_path / "home", world, RayLab, workers=1, actors=1) as lab,
        pytest.raises(StageError, match="2 of 5 images could not be scored"),
    ):
        lab.score(model)
