"""Networks of the methods that answer otherwise than with one map: NaN is an error there, too, and never a label."""

import numpy as np
import pytest
import torch
from toyworld import TOY

from segfrontier.errors import Diverged
from segfrontier.lab import Argmax, Predictor, Predictors
from segfrontier.models.classifier import ClassifierSpec
from segfrontier.models.detector import DetectorSpec
from segfrontier.models.model import ModelSpec
from segfrontier_methods.high_low.fusion import Fusion, Tagging, TwoBranchSpec
from segfrontier_methods.proxy_curriculum.agreement import ratios

CPU, IMAGE = torch.device("cpu"), np.zeros((24, 32, 3), np.uint8)
PLAIN = {"encoder": "test_resnet", "pretrained": "never", "norm": "frozen"}
SEGMENTER = ModelSpec(**PLAIN, head="deeplab_v2", num_classes=3)
CLASSIFIER = ClassifierSpec(**PLAIN, num_classes=3)


def predictor(network, *spoilt):
    with torch.no_grad():
        for part in spoilt:
            next(part.parameters()).fill_(float("nan"))
    return Predictor.of(network.eval(), TOY, device=CPU)


def pair(which):
    """A segmenter and a classifier, of which one may be spoilt."""
    networks = {"segmenter": SEGMENTER.build(seed=0), "classifier": CLASSIFIER.build(seed=0)}
    return {name: predictor(net, *([net] if name == which else [])) for name, net in networks.items()}


@pytest.mark.parametrize("which", ["segmenter", "classifier"])
def test_a_fusion_takes_neither_for_an_answer(which):
    with pytest.raises(Diverged):
        Fusion().label(Predictors(pair(which)), IMAGE, None)
    Fusion().label(Predictors(pair("")), IMAGE, None)


@pytest.mark.parametrize("which", ["segmenter", "classifier"])
def test_a_joined_pair_shows_what_its_classifier_is(which):
    network = TwoBranchSpec(segmenter=SEGMENTER, classifier=CLASSIFIER).build(seed=0)
    with pytest.raises(Diverged):
        Argmax().label(Predictors({"model": predictor(network, getattr(network, which))}), IMAGE, None)


def test_tags_are_no_numbers_that_are_none():
    with pytest.raises(Diverged):
        Tagging().label(Predictors({"model": pair("classifier")["classifier"]}), IMAGE, None)


def test_branches_that_diverged_do_not_agree():
    network = ModelSpec(**PLAIN, head="deeplab_v2", num_classes=3, decoders=2).build(seed=0)
    with pytest.raises(Diverged):
        ratios(predictor(network, network.decoders[1]), IMAGE)


def test_a_detector_that_diverged_does_not_find_nothing():
    network = DetectorSpec(encoder="test_resnet", pretrained="never", things=(1, 2), width=16, hidden=16).build(seed=0)
    images = torch.zeros(1, 3, 24, 32)
    network.eval().detect(images, above=0.5, nms=0.3)
    predictor(network, network.encoder)
    with pytest.raises(Diverged, match="detector"):
        network.detect(images, above=0.5, nms=0.3)
