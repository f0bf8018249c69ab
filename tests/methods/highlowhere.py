"""What tests of high_low share: small networks without anything random in them, a recipe, a lab on a small world."""

from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import nn
from toylab import Recorder, toy_lab

from segfrontier.lab import Adam, Bench, Ema, Network, Recipe, Sgd
from segfrontier.models.classifier import ClassifierSpec
from segfrontier.models.discriminator import ImageDiscriminatorSpec
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.mlmt import TagTeacher
from segfrontier_methods.high_low.s4gan import S4Gan

RECIPE = Recipe(
    encoder="test_resnet", head="deeplab_v2", pretrained="never", steps=2, batch=2, scale=(1.0, 1.0), flip=False,
    norm="frozen",
)  # fmt: skip
BENCH = Bench(device="cpu", threads=1, log_steps=1)
KNOBS = {"critic_width": 4, "tag_unlabelled": 1, "lr": 0.01, "tag_lr": 0.01, "ema_decay": 0.9, "gamma": 0.5}


class PlainNet(nn.Module):
    """Two convolutions, nothing random, nothing that depends on a batch."""

    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 3, 1)

    def forward(self, images):
        logits = self.head(self.encoder(images).relu())
        return SimpleNamespace(logits=(logits,), aux=None, mean_logits=logits)


@dataclass(frozen=True)
class PlainSpec:
    """Blueprint of a `PlainNet`."""

    def build(self, *, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return PlainNet()

    def origin(self):
        return "random"


def s4gan(**changes):
    settings = {
        "segmenter": Network(blueprint=PlainSpec(), optimiser=Sgd(lr=0.1, momentum=0.9, weight_decay=5e-4)),
        "critic": Network(
            blueprint=ImageDiscriminatorSpec(channels=6, width=2, dropout=0.0),
            optimiser=Adam(lr=1e-2, betas=(0.9, 0.99)),
        ),
        "num_classes": 3,
        "gamma": 0.5,
    }
    return S4Gan(**(settings | changes))


def tag_teacher(*, ema=Ema(decay=0.9), **changes):  # noqa: B008
    spec = ClassifierSpec(encoder="test_resnet", pretrained="never", norm="frozen", num_classes=3)
    optimiser = Sgd(lr=0.05, momentum=0.9, weight_decay=1e-5, nesterov=True)
    return TagTeacher(
        **({"classifier": Network(blueprint=spec, optimiser=optimiser, ema=ema), "num_classes": 3} | changes)
    )


def highlow_lab(home, world, **settings):
    return toy_lab(home, world, **({"bench": BENCH, "hours": 6.0} | settings))


def run_highlow(home, world, knobs, *, recipe=RECIPE, watcher=None, **settings):
    """A cell of the method: its model, the seconds it spent, and who watched it."""
    watcher = watcher or Recorder()
    with highlow_lab(home, world, cell=str(knobs), watcher=watcher, **settings) as lab:
        model = HighLow(**(KNOBS | knobs)).run(lab, recipe)
        return model, lab.spent, watcher
