"""What tests of proxy_curriculum share: its objective on a tiny network, batches, a moment of a training."""

import torch

from segfrontier.lab import Batch, Moment, Network, Sgd
from segfrontier.models.model import ModelSpec
from segfrontier_methods.proxy_curriculum.knobs import Knobs
from segfrontier_methods.proxy_curriculum.objective import Curriculum

PPM = {"head": "pspnet", "head_knobs": {"bins": (6, 3, 2, 1), "reduce": "quarter", "hidden": 0}}
CLASSES = ("ground", "wall", "car")
OWN = {
    name: getattr(Knobs(), name)
    for name in Curriculum.__dataclass_fields__
    if name not in ("segmenter", "classes", "class_weights")
}


def spec(**changes):
    plain = {"encoder": "test_resnet", "pretrained": "never", "num_classes": 3, "decoders": 2, "dropout": 0.0} | PPM
    return ModelSpec(**(plain | changes))


def objective(*, network=None, class_weights=None, **changes):
    segmenter = Network(blueprint=network or spec(norm="frozen"), optimiser=Sgd(lr=0.1))
    return Curriculum(segmenter=segmenter, classes=CLASSES, class_weights=class_weights, **(OWN | changes))


def moment(step=0, steps=20, **more):
    return Moment(step=step, steps=steps, epoch=0, steps_an_epoch=1, **more)


def batch_of(labels, seed=0):
    labels = torch.as_tensor(labels)
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(len(labels), 3, *labels.shape[1:], generator=generator)
    return Batch(images, labels, None, [f"s{i}" for i in range(len(labels))])
