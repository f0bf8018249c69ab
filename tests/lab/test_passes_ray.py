"""What the toy methods of the seams get from one lab, they get from the other, bit for bit."""

from pathlib import Path

import pytest
from passhere import Apart, Columns, FilledBoxes, Fused, trained
from test_ray_lab import open_toy
from toyworld import write_toy

from segfrontier.lab import (
    SEMANTIC,
    WHOLE_IMAGE,
    Boxes,
    Fine,
    Instances,
    LocalLab,
    MultiLabel,
    Panoptic,
    Part,
    Tags,
)
from segfrontier.lab._ray import RayLab

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]


def through_passes(lab, models):
    """One pass without models, two with three, one with one."""
    scenes = lab.pool.scenes()[:4]
    sets = {"boxes": lab.buy(Boxes(scenes)), "tags": lab.buy(Tags(scenes, WHOLE_IMAGE))}
    filled = lab.label(None, Part(images=lab.pool, labels=sets), FilledBoxes())
    apart = lab.measure(models, Part(images=lab.pool), Apart())
    fused = lab.label(models, Part(images=lab.pool), Fused())
    scores = [
        lab.score(models, rule=Fused(), tasks=(*SEMANTIC, MultiLabel())),
        lab.score(models["first"], rule=Columns(), tasks=(*SEMANTIC, Panoptic(), Instances())),
    ]
    return {
        "digests": [filled.digest, apart.digest, fused.digest],
        "sums": [one.sums for one in scores],
        "values": [str(one.values) for one in scores],
        "pictures": [(Path(one.folder) / "pictures.png").read_bytes() for one in scores],
    }


def test_passes_with_no_one_and_several_models_are_the_same_on_both_labs(tmp_path):
    world = write_toy(tmp_path / "w", target_train=4, target_val=3)
    with open_toy(tmp_path / "local", world, LocalLab) as lab:
        fine = lab.buy(Fine(lab.pool.scenes()[:2]))
        steps = {"first": 20, "second": 15, "classifier": 10}
        models = {name: trained(lab, fine, steps=count) for name, count in steps.items()}
        mine = through_passes(lab, models)
    with open_toy(tmp_path / "ray", world, RayLab, actors=2) as lab:
        theirs = through_passes(lab, models)
    assert mine == theirs
