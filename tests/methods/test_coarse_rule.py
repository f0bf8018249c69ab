"""The pseudo-label rule: the same as looking through every view at full size, and bought labels are never touched."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toylab import Tiny
from toyworld import TOY

from segfrontier.errors import BadInput, Diverged
from segfrontier.lab import Looking, Predictor, SceneLabels
from segfrontier.maths import six_views
from segfrontier.models.lean import Answer
from segfrontier.models.model import ModelSpec, build_model
from segfrontier_methods.coarse_to_fine.rule import AgreeAndConfident

CPU = torch.device("cpu")


def sharp_model(**spec):
    """A network whose logits are large enough to be confident here and there."""
    model = build_model(ModelSpec(encoder="test_resnet", head="fpn", num_classes=3, pretrained="never", **spec), seed=1)
    with torch.no_grad():
        for decoder in model.decoders:
            for p in decoder.classify.parameters():
                p.mul_(12)
    return model.eval()


def bought(labels):
    return SceneLabels(size=labels.shape, semantic=labels)


def image(height=40, width=72):
    return np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("spec", [{}, {"align_corners": True}, {"decoders": 2}])
@pytest.mark.parametrize("size", [(40, 72), (33, 50)])
def test_it_equals_six_views_at_full_size(spec, size):
    predictor = Predictor.of(sharp_model(**spec), TOY, device=CPU)
    picture = image(*size)
    found = AgreeAndConfident(above=0.6).label(predictor, picture, None).semantic
    mean = predictor.look(picture, Looking(views=six_views()))
    sure, classes = mean.confidence()
    expected = torch.where(mean.agree_NHW & (sure > 0.6), classes, 255)[0].numpy()
    clear = ((sure - 0.6).abs() > 1e-4)[0].numpy()
    assert np.array_equal(found[clear], expected[clear]) and clear.mean() > 0.99
    assert 0.02 < (found == 255).mean() < 0.98


def test_bought_labels_are_never_touched():
    predictor = Predictor.of(sharp_model(), TOY, device=CPU)
    known = np.random.default_rng(1).integers(0, 3, (40, 72)).astype(np.uint8)
    known[10:20] = 255
    found = AgreeAndConfident(above=0.4).label(predictor, image(), bought(known)).semantic
    assert np.array_equal(found[known != 255], known[known != 255])
    blank = AgreeAndConfident(above=0.4).label(predictor, image(), None).semantic
    assert np.array_equal(found[10:20], blank[10:20]) and (found[10:20] != 255).any()


def test_an_image_fully_void_is_filled_wherever_the_rule_is_sure():
    predictor = Predictor.of(sharp_model(), TOY, device=CPU)
    rule = AgreeAndConfident(above=0.4)
    void = np.full((40, 72), 255, np.uint8)
    assert np.array_equal(
        rule.label(predictor, image(), bought(void)).semantic,
        rule.label(predictor, image(), None).semantic,
    )


def test_a_network_of_another_kind_is_asked_for_full_size_logits():
    predictor = Predictor.of(Tiny(norm=False).build(seed=0).eval(), TOY, device=CPU)
    found = AgreeAndConfident(above=0.34).label(predictor, image(20, 30), None).semantic
    mean = predictor.look(image(20, 30), Looking(views=six_views()))
    sure, classes = mean.confidence()
    expected = torch.where(mean.agree_NHW & (sure > 0.34), classes, 255)[0].numpy()
    assert (found == expected).mean() > 0.999


def test_the_model_is_left_as_it_was():
    model = sharp_model()
    predictor = Predictor.of(model, TOY, device=CPU)
    before = model.spec
    AgreeAndConfident().label(predictor, image(), None)
    assert model.spec == before and model(torch.zeros(1, 3, 40, 72)).mean_logits.shape[-2:] == (40, 72)


def test_every_knob_changes_what_is_labelled():
    predictor = Predictor.of(sharp_model(), TOY, device=CPU)
    knobs = [{}, {"scales": (1.0,)}, {"flips": False}, {"mean_of": "probabilities"}, {"above": 0.4}]
    found = [AgreeAndConfident(**({"above": 0.6} | each)).label(predictor, image(), None).semantic for each in knobs]
    assert len({labels.tobytes() for labels in found}) == len(knobs)
    assert ((found[0] == found[4]) | (found[0] == 255)).all(), "a lower threshold only adds labels"


class Canned:
    """A predictor whose network gives every view the same logits at every pixel."""

    device = CPU

    def __init__(self, *logits):
        self.logits = torch.tensor(logits).view(1, -1, 1, 1)

    def answer(self, seen):
        return Answer(self.logits.expand(1, -1, *seen.shape[-2:]), tuple(seen.shape[-2:]), False)


def test_a_pixel_exactly_as_sure_as_the_threshold_is_taken_where_told():
    even = Canned(0.0, 0.0)  # a probability of exactly one half
    for mean_of in ("logits", "probabilities"):
        rule = AgreeAndConfident(above=0.5, mean_of=mean_of)
        assert (rule.label(even, image(4, 6), None).semantic == 255).all()
        assert (replace(rule, inclusive=True).label(even, image(4, 6), None).semantic == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_network_that_diverged_labels_nothing(value):
    known = bought(np.full((4, 6), 255, np.uint8))
    for rule in (AgreeAndConfident(), AgreeAndConfident(mean_of="probabilities", flips=False, scales=(1.0,))):
        with pytest.raises(Diverged, match=r"the logits of view 1 of \d must be finite"):
            rule.label(Canned(1.0, value, 0.0), image(4, 6), known)


@pytest.mark.parametrize("above", [0.0, 1.0, 1.5, -0.1])
def test_a_threshold_outside_0_to_1_is_refused(above):
    with pytest.raises(BadInput, match=r"must lie in \(0, 1\); found"):
        AgreeAndConfident(above=above)
