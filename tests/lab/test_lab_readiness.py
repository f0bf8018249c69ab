"""Settings that cannot work are refused before a label is bought: by recipes themselves, and when a lab is opened."""

import math

import numpy as np
import pytest
import torch
from toylab import toy_lab

from segfrontier.errors import BadInput
from segfrontier.lab import Adam, Augment, Bench, Recipe, Sgd
from segfrontier.lab.devices import require_device
from segfrontier.lab.readiness import require_bench, require_recipe

SMALL = {"encoder": "test_resnet", "pretrained": "never"}


@pytest.mark.parametrize(
    ("facets", "says"),
    [
        ({"lr": -1}, "recipe.lr must be a finite number"),
        ({"lr": math.inf}, "recipe.lr must be"),
        ({"lr": math.nan}, "recipe.lr must be"),
        ({"lr": True}, "recipe.lr must be"),
        ({"lr": "fast"}, "recipe.lr must be"),
        ({"momentum": 1.5}, "recipe.momentum"),
        ({"weight_decay": -1e-4}, "recipe.weight_decay"),
        ({"head_lr": math.inf}, "recipe.head_lr"),
        ({"power": -0.1}, "recipe.power"),
        ({"crop": [0, 0]}, "recipe.crop must be .height, width. in pixels"),
        ({"crop": (8, -8)}, "recipe.crop"),
        ({"crop": (8,)}, "recipe.crop"),
        ({"crop": (8.5, 8)}, "recipe.crop"),
        ({"crop": (10**9, 8)}, "recipe.crop"),
        ({"scale": (0, 1)}, "recipe.scale"),
        ({"scale": (2, 1)}, "recipe.scale"),
        ({"scale": (1, math.inf)}, "recipe.scale"),
        ({"scale": 1.0}, "recipe.scale"),
        ({"colour": 1.0}, "recipe.colour"),
        ({"blur": -1}, "recipe.blur"),
        ({"batch": 0}, "recipe.batch must be a whole number from 1"),
        ({"batch": -3}, "recipe.batch"),
        ({"batch": 10**9}, "recipe.batch"),
        ({"batch": 2.0}, "recipe.batch"),
        ({"steps": 0}, "recipe.steps"),
        ({"steps": 10**12}, "recipe.steps"),
        ({"warmup": -1}, "recipe.warmup"),
        ({"clip": 0}, "recipe.clip"),
        ({"clip": math.nan}, "recipe.clip"),
        ({"accumulate": 0}, "recipe.accumulate"),
        ({"snapshots": -1}, "recipe.snapshots"),
        ({"snapshots": 10**9}, "recipe.snapshots"),
        ({"optimiser": "adam"}, "recipe.optimiser must be one of sgd, adamw"),
        ({"precision": "fp8"}, "recipe.precision must be one of fp32, bf16, fp16"),
        ({"encoder": ""}, "recipe.encoder"),
        ({"encoder": "x" * 2000}, "recipe.encoder"),
        ({"pretrained": "a\0b"}, "recipe.pretrained"),
        ({"norm": "group"}, "norm must be one of"),
        ({"dropout": 1.0}, "dropout must lie in"),
        ({"output_stride": 0}, "output_stride must be"),
        ({"lr": -1, "steps": 0}, "recipe.steps must be .* recipe.lr must be"),
    ],
)
def test_a_recipe_refuses_what_cannot_be(facets, says):
    with pytest.raises(BadInput, match=says) as caught:
        Recipe(**facets)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "facets",
    [{"lr": 0}, {"lr": np.float32(0.1)}, {"steps": np.int64(3)}, {"crop": [32, 64]}, {"clip": 5}, {"warmup": 0},
     {"scale": (1, 1)}, {"snapshots": 3}, {"momentum": 0.0}, {"batch": 65_536}],
)  # fmt: skip
def test_a_recipe_takes_what_can_be(facets):
    assert Recipe(**facets) == Recipe(**facets)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Sgd(lr=math.nan), "lr of SGD"),
        (lambda: Sgd(lr=0.1, momentum=-1), "momentum of SGD"),
        (lambda: Adam(lr=math.inf), "lr of Adam"),
        (lambda: Adam(lr=1, weight_decay=-1), "weight_decay of Adam"),
        (lambda: Augment(crop=(0, 4)), "augment crop"),
        (lambda: Augment(resize=(4, -4)), "augment resize"),
        (lambda: Augment(scale=(1, math.inf)), "augment scale"),
        (lambda: Augment(blur=math.nan), "finite blur"),
    ],
)
def test_the_parts_of_a_training_refuse_it_too(make, says):
    with pytest.raises(BadInput, match=says):
        make()


@pytest.mark.parametrize("name", ["toaster", "", "cuda:x", "cuda:-1", "meta", "cpu:3", "mps:1", "a" * 300, "gpu"])
def test_what_is_no_device_is_refused_everywhere(name):
    for here in (True, False):
        with pytest.raises(BadInput, match="a device must be auto, cpu, mps, xpu, cuda or cuda:N") as caught:
            require_device(name, here=here)
        assert len(str(caught.value)) < 300


def test_a_device_must_be_here_unless_a_cluster_has_it():
    for name in ("auto", "cpu"):
        require_device(name, here=True)
    missing = f"cuda:{torch.cuda.device_count() + 99}"
    with pytest.raises(BadInput, match="one of this machine's; found 'cuda:.*Write `auto`"):
        require_device(missing, here=True)
    require_device(missing, here=False)


@pytest.mark.parametrize(
    ("bench", "says"),
    [
        ({"loader_workers": -3}, "loader processes must be 0"),
        ({"loader_workers": 10**6}, "loader processes must be 0"),
        ({"threads": 0}, "threads must be"),
        ({"checkpoint_seconds": math.nan}, "checkpoint_seconds"),
        ({"log_steps": 0}, "log_steps"),
        ({"look_batch": 0}, "look_batch must be 1 to 256"),
        ({"look_batch": 257}, "look_batch must be 1 to 256"),
        ({"device": "cuda:99"}, "this machine's"),
    ],
)
def test_a_lab_is_not_opened_on_a_bench_that_cannot_work(toy_world, tmp_path, bench, says):
    with pytest.raises(BadInput, match=says):
        require_bench(Bench(**bench))
    with pytest.raises(BadInput, match=says):
        toy_lab(tmp_path / "home", toy_world, bench=Bench(**bench))
    assert not (tmp_path / "home").exists(), "nothing was made, and nothing bought"


@pytest.mark.parametrize(
    ("facets", "says"),
    [
        ({"encoder": "resnet5000"}, "one of timm's"),
        ({"head": "fpm"}, "did you mean fpn"),
        ({"head_knobs": {"wings": 2}}, "found 'wings'"),
        ({"output_stride": 7}, "output_stride|stride"),
        ({"pretrained": "/nowhere/weights.pt"}, "is no file"),
        ({"crop": (200, 64)}, "recipe.crop must be at most 96 pixels a side for images of 24 x 32"),
        ({"crop": (24, 97)}, "recipe.crop must be at most 96"),
        ({"batch": 3, "accumulate": 2}, "recipe.batch must divide"),
    ],
)
def test_a_lab_is_not_opened_for_a_recipe_that_cannot_be_trained(toy_world, tmp_path, facets, says):
    recipe = Recipe(**(SMALL | facets))
    with pytest.raises(BadInput, match=says):
        toy_lab(tmp_path / "home", toy_world, recipe=recipe)
    assert not (tmp_path / "home").exists()


def test_weights_that_do_not_fit_are_found_out_before(toy_world, tmp_path):
    file = tmp_path / "weights.pt"
    for content in ({"conv": torch.zeros(3)}, None):
        if content is None:
            file.write_bytes(b"not weights at all")
        else:
            torch.save(content, file)
        with pytest.raises(BadInput):
            toy_lab(tmp_path / "home", toy_world, recipe=Recipe(**(SMALL | {"pretrained": str(file)})))
    assert not (tmp_path / "home").exists()


def test_a_batch_divides_among_workers(toy_world):
    recipe = Recipe(**SMALL, batch=6, norm="sync")
    require_recipe(recipe, toy_world.pool(), classes=3, workers=3)
    with pytest.raises(BadInput, match="found 6 over 4 workers"):
        require_recipe(recipe, toy_world.pool(), classes=3, workers=4)


def test_a_recipe_that_can_be_trained_opens(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, recipe=Recipe(**SMALL, crop=(96, 96))) as lab:
        assert lab.budget == 360_000
