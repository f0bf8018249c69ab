"""What tests of weak_panoptic's tags share: a small classifier, tags and boxes of a scene of the toy world's size."""

import numpy as np
import torch
from toyworld import TOY

from segfrontier.lab import Batch, Network, Predictor, Predictors, SceneLabels, Sgd, Tiling
from segfrontier.models.classifier import ClassifierSpec

SIZE, CAR = (24, 32), 2
TILING = Tiling(width=20, height=14, columns=2, rows=2, of=(32, 24))
SPEC = ClassifierSpec(encoder="test_resnet", pretrained="never", norm="frozen", output_stride=8, num_classes=3)
LEARNER = Network(blueprint=SPEC, optimiser=Sgd(lr=0.05))


def tagged(*rows):
    return SceneLabels(size=SIZE, tags=np.array(rows, np.int32).reshape(-1, 2))


def boxed(*rows):
    return SceneLabels(size=SIZE, boxes=np.array(rows, np.int32).reshape(-1, 6))


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def shown(*scenes):
    """A batch of (name, tags, boxes)."""
    names, tags, boxes = zip(*scenes, strict=True)
    images = torch.rand(len(scenes), 3, *SIZE, generator=torch.Generator().manual_seed(3))
    void = torch.full((len(scenes), *SIZE), 255)
    return Batch(images, void, None, names, labels={"tags": tags, "boxes": boxes})


def predictors(module):
    return Predictors({"model": Predictor.of(module, TOY, device=torch.device("cpu"))})
