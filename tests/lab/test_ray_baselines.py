"""The five baselines on the street world, through both labs: the same scenes, the same weights, the same scores."""

import pytest
import torch

from segfrontier.lab import Argmax, Bench, LocalLab, Part, Recipe, make_method
from segfrontier.scenes.builtin import open_world

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]

BENCH = Bench(device="cpu", threads=1)
RECIPE = Recipe(encoder="test_resnet", pretrained="never", steps=4, batch=2)
BUDGETS = {"fine": 6.0, "coarse": 0.5, "fine+coarse": 5.0, "synthetic": 0.0, "oracle": "all"}


def outcome(method, home, kind):
    from segfrontier.lab import LabSettings, open_lab

    world = open_world("street:train=8,val=3,synthetic=6,size=64x128")
    settings = LabSettings(home=home, world=world, hours=BUDGETS[method], bench=BENCH, cell=method)
    with open_lab(settings, kind=kind) as lab:
        model = make_method(method).run(lab, RECIPE)
        labels = lab.label(model, Part(images=lab.pool), Argmax(above=0.1))
        scores = lab.score(model)
        weights = torch.load(model.file(), weights_only=True)["segmenter"]
        return model.key, weights, labels.digest, scores, lab.spent


@pytest.mark.parametrize("method", BUDGETS)
def test_a_baseline_is_the_same_on_both_labs(method, tmp_path):
    from segfrontier.lab._ray import RayLab

    here = outcome(method, tmp_path / "local", LocalLab)
    there = outcome(method, tmp_path / "ray", RayLab)
    assert here[0] == there[0], "where a stage runs must not change its key"
    assert all(torch.equal(here[1][k], there[1][k]) for k in here[1]), "weights differ"
    assert here[2] == there[2], "pseudo-labels differ"
    assert here[3].values == there[3].values and here[3].sums == there[3].sums
    assert here[4] == there[4]
    again = outcome(method, tmp_path / "local", RayLab)
    assert again[3].values == here[3].values, "one lab finds what the other stored"
