"""active_points on two workers of Ray, which train a segmenter with its two critics."""

from dataclasses import replace

import pytest
import torch
from pointhere import BENCH, KNOBS, RECIPE, larger_toy, point_lab

from segfrontier.lab import Fine, LabSettings, Part, open_lab
from segfrontier.lab._ray import RayLab
from segfrontier_methods.active_points.adaptation import trained
from segfrontier_methods.active_points.knobs import Knobs

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return larger_toy(tmp_path_factory.mktemp("points") / "world", train=8)


def ray_lab(home, world, *, hours=1.0, **more):
    settings = LabSettings(home=home, world=world, prices="street", hours=hours, bench=BENCH)
    return open_lab(settings, kind=RayLab, **more)


def weights(model):
    return torch.load(model.file(), weights_only=True)


def test_two_workers_train_the_segmenter_and_both_critics(world, tmp_path):
    """Fixed batch statistics, equally many answers an image: what one process computes, but for the order of sums."""
    recipe, knobs = replace(RECIPE, norm="frozen", steps=4), Knobs(**(KNOBS | {"lr": 1e-2}))

    def second_model(lab):
        labels = lab.buy(Fine(lab.pool.scenes()))
        return trained(knobs, lab, recipe, source=lab.synthetic, target=[Part(images=lab.pool, labels=labels)])

    with point_lab(tmp_path / "one", world, hours=20.0) as lab:
        alone = weights(second_model(lab))
    with ray_lab(tmp_path / "two", world, workers=2, hours=20.0) as lab:
        together = weights(second_model(lab))
    assert list(together) == ["segmenter", "critic", "aux_critic"]
    for name, tensors in alone.items():
        for key, value in tensors.items():
            torch.testing.assert_close(together[name][key], value, rtol=1e-3, atol=1e-4, msg=f"{name}.{key}")
