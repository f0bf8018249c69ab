"""coarse_to_fine through both labs: the same masks, labels, weights and scores."""

import pytest
import torch
from coarsehere import BENCH, Notes

from segfrontier.lab import LabSettings, LocalLab, Recipe, make_method, open_lab
from segfrontier.scenes.builtin import open_world

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]

RECIPE = Recipe(encoder="test_resnet", pretrained="never", steps=4, batch=4)
KNOBS = {"iterations": 1, "first": 3, "above": 0.08, "note_iterations": False}


def outcome(home, kind):
    world = open_world("street:train=8,val=3,synthetic=6,size=64x128")
    told = Notes()
    settings = LabSettings(home=home, world=world, hours=0.7, bench=BENCH, watcher=told)
    with open_lab(settings, kind=kind) as lab:
        model = make_method("coarse_to_fine", KNOBS).run(lab, RECIPE)
        weights = torch.load(model.file(), weights_only=True)["segmenter"]
        return model.key, lab.spent, lab.score(model).values, weights, told.kinds


def test_coarse_to_fine_is_the_same_on_both_labs(tmp_path):
    from segfrontier.lab._ray import RayLab

    here = outcome(tmp_path / "local", LocalLab)
    there = outcome(tmp_path / "ray", RayLab)
    assert here[0] == there[0], "the last training's key holds the masks, the order and the pseudo-labels"
    assert here[1:3] == there[1:3]
    assert all(torch.equal(here[3][name], there[3][name]) for name in here[3]), "weights differ"
    assert here[4] == there[4] == ["train", "measure", "train", "label", "train", "score"]
    assert outcome(tmp_path / "local", RayLab)[4] == [], "one lab finds what the other stored"
