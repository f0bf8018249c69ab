"""Measuring on Ray Data: bit for bit what LocalLab measures, in the same order, with the same faults."""

import pytest
from test_lab_measures import Portrait
from test_ray_lab import open_toy
from toylab import Plain
from toyworld import write_toy

from segfrontier.errors import StageError
from segfrontier.lab import Fine, LocalLab, Part, Plan, Stream
from segfrontier.lab._ray import RayLab

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A world of 120 scenes, and a model that LocalLab trained."""
    folder = tmp_path_factory.mktemp("measures")
    world = write_toy(folder / "toy", target_train=120, target_val=1)
    with open_toy(folder / "home", world, LocalLab) as lab:
        part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes()[:6])))
        return world, lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=12))


def measure(trained, home, kind, gauge, *, scenes=None, **more):
    world, model = trained
    with open_toy(home, world, kind, **more) as lab:
        return lab.measure(model, Part(images=lab.pool, scenes=scenes), gauge)


def test_both_labs_measure_alike_bit_for_bit(trained, tmp_path):
    backwards = tuple(trained[0].pool().scenes()[::-1])
    gauge = Portrait(cells=4, refuses=(int(trained[0].pool().image("target/train/041").sum()),))
    local = measure(trained, tmp_path / "local", LocalLab, gauge, scenes=backwards)
    far = measure(trained, tmp_path / "ray", RayLab, gauge, scenes=backwards, actors=2)
    assert far.digest == local.digest and far.scenes() == local.scenes() and len(far) == 119
    for name in ("shares", "largest", "known"):
        assert far.column(name).tobytes() == local.column(name).tobytes()
    assert far.faults == local.faults == ["target/train/041: this image is beyond me"]


def test_a_gauge_that_fails_everywhere_stops_the_stage(trained, tmp_path):
    with pytest.raises(StageError, match="2 of 120 images could not be measured"):
        measure(trained, tmp_path / "home", RayLab, Portrait(spoilt=True), actors=2)
