"""What the classifier looks at, drawn as heat: one panel a class, of its tagged crops alone."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from taghere import CAR, SIZE, SPEC, TILING, picture, predictors, tagged

from segfrontier.lab import SceneLabels
from segfrontier_methods.weak_panoptic.heat import Heat, over, share_of_most
from segfrontier_methods.weak_panoptic.tags import StuffSeeds

DARKEST, BRIGHTEST = (68, 1, 84), (253, 231, 37)
"""The ends of viridis."""
SKETCH = Heat(rule=StuffSeeds(tiling=TILING))


def net_of(*rows):
    """A classifier whose weights for a class are random, times the class's number."""
    net = SPEC.build(seed=0).eval()
    torch.nn.init.normal_(net.classify.weight, generator=torch.Generator().manual_seed(0))
    net.classify.weight.data *= torch.tensor(rows)[:, None]
    return net


def panels(net, labels, sketch=SKETCH):
    images = SimpleNamespace(image=lambda _: picture())
    tags = SimpleNamespace(labels=lambda _: labels)
    part = SimpleNamespace(images=images, sets=lambda: {"tags": tags})
    return dict(sketch.panels(predictors(net), part, "scene"))


def test_a_panel_for_each_kind_of_tagged_stuff_says_its_crops_and_its_seed():
    made = panels(net_of(1.0, 1.0, 1.0), tagged([0, 0], [3, 0], [1, 1], [2, CAR]))
    first, ground, wall = made
    assert first == "scene" and (made[first] == picture()).all()
    assert ground.startswith("ground: 2 crops, seed on ") and wall.startswith("wall: 1 crop, seed on ")
    assert all(one.shape == (*SIZE, 3) and one.dtype == np.uint8 for one in made.values())


def test_heat_is_that_of_its_own_class_in_its_own_crops():
    known = tagged([0, 0], [1, 1])
    (_, ground, wall), (_, other, same) = (
        list(panels(net_of(*rows), known).values()) for rows in ((1.0, 1.0, 1.0), (-1.0, 1.0, 1.0))
    )
    assert (wall == same).all(), "another class's evidence is none of it"
    differs = (ground != other).any(axis=2)
    x0, y0, x1, y1 = TILING.crops(*SIZE)[0]
    assert differs[y0:y1, x0:x1].mean() > 0.5
    differs[y0:y1, x0:x1] = False
    assert not differs.any()


def test_the_strength_of_all_evidence_is_not_shown_and_its_place_is():
    known = tagged([0, 0], [1, 0])
    weak, strong = (panels(net_of(by, 1.0, 1.0), known) for by in (0.25, 1.0))
    assert all((one == other).all() for one, other in zip(weak.values(), strong.values(), strict=True))


@pytest.mark.filterwarnings("error")
def test_of_a_class_that_nothing_speaks_for_all_is_dark():
    net = net_of(1.0, 1.0, 1.0)
    net.classify.weight.data[:] = -net.classify.weight.data.abs()
    made = panels(net, tagged(*([tile, 1] for tile in range(4))))
    assert list(made) == ["scene", "wall: 4 crops, nothing seen"]
    bare = over(picture(), np.zeros(SIZE, np.float32), np.zeros(SIZE, np.bool_))
    assert (made["wall: 4 crops, nothing seen"] == bare).all()


@pytest.mark.parametrize("known", [tagged(), tagged([0, CAR]), SceneLabels(size=SIZE)])
def test_a_scene_without_tagged_stuff_is_its_image_alone(known):
    assert list(panels(net_of(1.0, 1.0, 1.0), known)) == ["scene"]


def test_classes_of_the_most_crops_are_shown_where_there_are_too_many():
    made = panels(net_of(1.0, 1.0, 1.0), tagged([0, 0], [1, 1], [2, 1]), Heat(rule=StuffSeeds(tiling=TILING), most=1))
    assert [name[:4] for name in made] == ["scen", "wall"]


def test_heat_lies_over_a_grey_image_and_where_nothing_is_known_the_image_stays():
    image = np.zeros((3, 9, 3), np.uint8)
    image[:, 6:] = (200, 200, 200)
    heat, seed = np.zeros((3, 9), np.float32), np.zeros((3, 9), np.bool_)
    heat[:, 3:6], heat[:, 6:] = 1, np.nan
    made = over(image, heat, seed)
    assert np.abs(made[0, 0] - 0.75 * np.array(DARKEST)).max() <= 1
    assert np.abs(made[0, 3] - 0.75 * np.array(BRIGHTEST)).max() <= 1
    assert (made[:, 6:] == 200).all()


def test_a_white_line_goes_round_a_seed():
    seed = np.zeros((7, 9), np.bool_)
    seed[1:6, 1:8] = True
    white = (over(np.zeros((7, 9, 3), np.uint8), np.zeros((7, 9), np.float32), seed) == 255).all(axis=2)
    inner = np.zeros_like(seed)
    inner[2:5, 2:7] = True
    assert (white == (seed & ~inner)).all()


def test_shares_are_of_the_maximum_and_nothing_stays_nothing():
    assert share_of_most(np.array([[0, 1, 4]], np.float32)).tolist() == [[0, 0.25, 1]]
    assert share_of_most(np.zeros((1, 2), np.float32)).tolist() == [[0, 0]]
