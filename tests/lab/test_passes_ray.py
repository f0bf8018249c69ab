"""What the toy methods of the seams get from one lab, they get from the other, bit for bit."""

from functools import partial
from pathlib import Path

import pytest
from elsewhere import ElsewhereLab
from passhere import Apart, Columns, FilledBoxes, Fused, three_models
from test_ray_lab import open_toy
from toyworld import write_toy

from segfrontier.lab import (
    SEMANTIC,
    WHOLE_IMAGE,
    Boxes,
    Instances,
    LocalLab,
    MultiLabel,
    Panoptic,
    Part,
    Tags,
)
from segfrontier.lab._ray import RayLab


def through_passes(lab, models):
    """What needs no model and what needs several, labelled and scored: the ends of the mechanism."""
    scenes = lab.pool.scenes()[:4]
    sets = {"boxes": lab.buy(Boxes(scenes)), "tags": lab.buy(Tags(scenes, WHOLE_IMAGE))}
    filled = lab.label(None, Part(images=lab.pool, labels=sets), FilledBoxes())
    scores = lab.score(models, rule=Fused(), tasks=(*SEMANTIC, MultiLabel()))
    return {"filled": filled.digest, "fused": seen(scores)}


def through_the_rest(lab, models):
    """Measuring and labelling with three models, scoring with one."""
    apart = lab.measure(models, Part(images=lab.pool), Apart())
    fused = lab.label(models, Part(images=lab.pool), Fused())
    scores = lab.score(models["first"], rule=Columns(), tasks=(*SEMANTIC, Panoptic(), Instances()))
    return {"apart": apart.digest, "fused": fused.digest, "columns": seen(scores)}


def seen(scores):
    return scores.sums, str(scores.values), (Path(scores.folder) / "pictures.png").read_bytes()


@pytest.mark.ray
def test_passes_with_no_one_and_several_models_are_the_same_on_both_labs(tmp_path, ray_here, pools):
    """On Ray a pass of each end; the others in processes that get what Ray would send them."""
    world = write_toy(tmp_path / "w", target_train=4, target_val=3)
    with open_toy(tmp_path / "local", world, LocalLab) as lab:
        models = three_models(lab, scenes=2)
        mine, rest = through_passes(lab, models), through_the_rest(lab, models)
    with open_toy(tmp_path / "ray", world, RayLab, actors=2) as lab:
        assert through_passes(lab, models) == mine
    with open_toy(tmp_path / "elsewhere", world, partial(ElsewhereLab, pools=pools)) as lab:
        assert through_passes(lab, models) | through_the_rest(lab, models) == mine | rest
