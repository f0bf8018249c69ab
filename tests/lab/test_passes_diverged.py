"""A model whose answers are not finite: no pass goes by them, whichever of its models it is, and it is named."""

import pytest
import torch
from passhere import Apart, Fused, three_models, trained
from toylab import toy_lab
from toyworld import write_toy

import segfrontier.lab.handles as handles
from segfrontier.errors import Diverged
from segfrontier.lab import Argmax, Bench, Fine, Part

VERBS = {
    "label": lambda lab, models, rule: lab.label(models, Part(images=lab.pool), rule),
    "score": lambda lab, models, rule: lab.score(models, rule=rule),
    "measure": lambda lab, models, rule: lab.measure(models, Part(images=lab.pool), Apart()),
}


@pytest.fixture
def lab(tmp_path):
    world = write_toy(tmp_path / "w", target_train=6, target_val=2)
    with toy_lab(tmp_path / "home", world, bench=Bench(device="cpu", threads=1, look_batch=2)) as lab:
        yield lab


@pytest.fixture
def overflowing(monkeypatch):
    """Makes a model's answers NaN or infinite, as finite weights can where a network is deep."""
    spoilt, build = {}, handles.Model.build

    def built(model, device):
        module = build(model, device)
        if model.key in spoilt:
            with torch.no_grad():
                module.head.bias[0] = spoilt[model.key]
        return module

    monkeypatch.setattr(handles.Model, "build", built)
    return lambda model, value: spoilt.update({model.key: value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_model_is_named_with_the_scene(lab, overflowing, value):
    model = trained(lab, lab.buy(Fine(lab.pool.scenes()[:2])))
    overflowing(model, value)
    for verb in ("label", "score"):
        with pytest.raises(
            Diverged, match=f"target.*: the answers of segmenter of stage {model.key[:8]} must be finite"
        ):
            VERBS[verb](lab, model, Argmax())


@pytest.mark.parametrize("diverged", ["first", "second", "classifier"])
@pytest.mark.parametrize("verb", list(VERBS))
def test_of_several_models_the_one_is_named(lab, overflowing, verb, diverged):
    """A mean of two, or a class that is seen or not, would hide NaN: it is below every threshold."""
    models = three_models(lab, scenes=2, steps=(2, 3, 4))
    overflowing(models[diverged], float("nan"))
    if (verb, diverged) == ("measure", "classifier"):
        VERBS[verb](lab, models, Fused())  # which never asks it
        return
    with pytest.raises(Diverged, match=f"{models[diverged].network} of stage {models[diverged].key[:8]}"):
        VERBS[verb](lab, models, Fused())
