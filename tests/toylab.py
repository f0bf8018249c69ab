"""A tiny network, objectives and jobs for tests of the lab: seconds become milliseconds."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from segfrontier.lab import Adam, Ema, LabSettings, Loss, Network, Objective, Part, Sgd, Stream, open_lab
from segfrontier.lab.sealed import unseal
from segfrontier.lab.watching import Watcher
from segfrontier.maths import cross_entropy
from segfrontier.scenes.labels import LabelRow, write_labels


class TinyNet(nn.Module):
    """Two convolutions, batch norm, dropout: all that makes exact resume hard."""

    def __init__(self, classes, channels, norm):
        super().__init__()
        self.encoder = nn.Conv2d(channels, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8) if norm else nn.Identity()
        self.dropout = nn.Dropout2d(0.2) if norm else nn.Identity()
        self.head = nn.Conv2d(8, classes, 3, padding=1)

    def forward(self, images):
        logits = self.head(self.dropout(torch.relu(self.norm(self.encoder(images)))))
        return SimpleNamespace(logits=(logits,), aux=None, mean_logits=logits)


@dataclass(frozen=True)
class Tiny:
    """Blueprint of a `TinyNet`; `norm=False` leaves out what depends on a worker's share of the batch."""

    classes: int = 3
    channels: int = 3
    norm: bool = True

    def build(self, *, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return TinyNet(self.classes, self.channels, self.norm)

    def origin(self):
        return "random"


@dataclass(frozen=True)
class TinyCritic:
    """Blueprint of a one-layer discriminator."""

    def build(self, *, seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Conv2d(3, 1, 4, stride=4)

    def origin(self):
        return "random"


@dataclass(frozen=True, kw_only=True)
class Plain(Objective):
    """Cross-entropy on the stream `labelled`, with a teacher."""

    blueprint: Tiny = Tiny()
    lr: float = 0.1
    ema: Ema | None = Ema(decay=0.9)
    clip: float | None = None

    def networks(self):
        return {"segmenter": Network(blueprint=self.blueprint, optimiser=Sgd(lr=self.lr), ema=self.ema, clip=self.clip)}

    def step(self, nets, batch, at):
        out = nets["segmenter"](batch["labelled"].image)
        yield Loss("ce", cross_entropy(out.logits[0], batch["labelled"].label, over=at))
        at.log(progress=at.progress)


@dataclass(frozen=True, kw_only=True)
class Adversarial(Objective):
    """Two networks and two optimisers in the order of AdvEnt: source, fool the critic, teach the critic."""

    norm: bool = True
    noise: float = 0.1

    def networks(self):
        return {
            "segmenter": Network(blueprint=Tiny(norm=self.norm), optimiser=Sgd(lr=0.05)),
            "critic": Network(blueprint=TinyCritic(), optimiser=Adam(lr=1e-3, betas=(0.9, 0.99))),
        }

    def step(self, nets, batch, at):
        source, target = batch["source"], batch["target"]
        mine = nets["segmenter"](source.image).logits[0]
        yield Loss("ce", cross_entropy(mine, source.label, over=at))
        theirs = nets["segmenter"](target.image).logits[0].softmax(1)
        theirs = theirs + self.noise * torch.rand_like(theirs)
        yield Loss("fool", 0.1 * bce(nets.frozen("critic")(theirs), 0))
        yield Loss("critic_source", bce(nets["critic"](mine.detach().softmax(1)), 0) / 2)
        yield Loss("critic_target", bce(nets["critic"](theirs.detach()), 1) / 2)


def bce(logits, target):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def fine_part(world, folder, *, domain="target", split="train", uneven=False):
    """Images with all of their labels, for tests that need no market; `uneven` of some a single pixel, or nothing."""
    truth = world.truth(domain=domain, split=split)
    rows = [LabelRow(s, *truth.size(s), map=truth.semantic(s), instance=truth.instance(s)) for s in truth.scenes()]
    if uneven:
        rows = [replace(row, map=_thinned(row.map, number % 3)) for number, row in enumerate(rows)]
    labels = write_labels(folder, kind="fine", classes=world.classes, rows=rows)
    return Part(images=world.pool(domain=domain, split=split), labels=labels)


def _thinned(labels, how):
    """All of a map (0), one pixel of it (1), or void alone (2)."""
    thin = np.full_like(labels, 255)
    thin[20, 9 : 10 if how == 1 else 9] = labels[20, 9]
    return thin if how else labels


def streams_for(objective, world, folder, *, batch=4, uneven=False):
    if isinstance(objective, Adversarial):
        return {
            "source": Stream(parts=(fine_part(world, folder, domain="source", uneven=uneven),), batch=batch),
            "target": Stream(parts=(Part(images=world.pool()),), batch=batch),
        }
    return {"labelled": Stream(parts=(fine_part(world, folder, uneven=uneven),), batch=batch)}


def toy_lab(home, world, **settings):
    return open_lab(LabSettings(home=home, world=world, prices="street", **({"hours": 100.0} | settings)))


class Recorder(Watcher):
    """Keeps what a lab says of its work; `on_begin` and `on_step` may do something there and then."""

    def __init__(self, *, on_begin=lambda kind, key: None, on_step=lambda done, total, values: None):
        self.begun, self.computed, self.reused = [], [], []  # (kind, key) in their order
        self.stages = {}  # key -> kind of all, begun or found
        self.steps, self.notes, self.pictures = [], {}, []
        self.on_begin, self.on_step, self.stopping = on_begin, on_step, False

    @property
    def kinds(self):
        """Of the stages that were computed."""
        return [kind for kind, _ in self.computed]

    @property
    def reused_kinds(self):
        return [kind for kind, _ in self.reused]

    def begin(self, kind, key):
        self.begun.append((kind, key))
        self.stages[key] = kind
        self.on_begin(kind, key)

    def end(self, kind, key, *, seconds):
        assert seconds >= 0
        self.computed.append((kind, key))

    def found(self, kind, key):
        self.reused.append((kind, key))
        self.stages[key] = kind

    def step(self, done, total, values):
        assert 0 < done <= total
        self.steps.append((done, total))
        self.on_step(done, total, values)

    def stop(self):
        return self.stopping

    def noted(self, name, value):
        self.notes[name] = value

    def drawn(self, picture):
        self.pictures.append(picture)


class Peeking(Recorder):
    """Wants the score of every training's last step, as early stopping does, and keeps it."""

    def __init__(self):
        super().__init__()
        self.peeks = []

    def peeks_at(self, steps, steps_an_epoch):
        return (steps,)

    def peeked(self, epochs, miou):
        self.peeks.append((epochs, miou))


def watcher_of(lab):
    """Who hears of a lab's work: sealed, for no method may hear of it too."""
    return unseal(lab._watcher)
