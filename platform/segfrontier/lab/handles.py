"""What the lab's verbs hand out: small, picklable references to stored results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from segfrontier.errors import BadInput
from segfrontier.lab.looking import Looking
from segfrontier.lab.objective import Blueprint
from segfrontier.models.tensors import read_tensors
from segfrontier.scenes.classes import ClassTable
from segfrontier.store import Store

WEIGHTS = "weights.pt"


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model: its stage's key in a store, and which of the stage's networks predicts."""

    store: str
    key: str
    network: str
    blueprints: Mapping[str, Blueprint] = field(hash=False)
    classes: ClassTable
    weights: str = WEIGHTS
    looking: Looking = field(default_factory=Looking)
    """How it must be looked at: whatever is made, measured, scored or drawn with it uses just that."""

    @property
    def digest(self) -> str:
        """Identity of this network with these weights, for the keys of later stages; `looking` is none of it."""
        return f"{self.key}:{self.weights}:{self.network}"

    def teacher(self) -> Model:
        """The same model, predicting with the EMA teacher of its network."""
        return dataclasses.replace(self, network=f"{self.network.partition('/')[0]}/teacher")

    def looked(self, looking: Looking) -> Model:
        """The same model, to be looked at like this from now on: labelled with, measured, scored, drawn, taken away."""
        return dataclasses.replace(self, looking=looking)

    def called(self, network: str) -> Model:
        """The same stage's other network."""
        if network.partition("/")[0] not in self.blueprints:
            raise BadInput(f"this model has the networks {', '.join(self.blueprints)}; found {network!r}")
        return dataclasses.replace(self, network=network)

    def file(self) -> Path:
        """The weights file on this machine."""
        entry = Store(self.store).get(self.key)
        if entry is None:
            raise BadInput(f"the store {self.store} no longer holds model {self.key}; train it again")
        return entry.local(self.weights)

    def build(self, device: torch.device) -> nn.Module:
        """The network with its weights, ready to predict."""
        return built(self.blueprints[self.network.partition("/")[0]], self.file(), self.network, device)


def built(blueprint: Blueprint, weights: Path, network: str, device: torch.device) -> nn.Module:
    """A network with the weights of that name in a file, ready to predict."""
    module = without_pretraining(blueprint).build(seed=0)
    stored = read_tensors(weights)
    if network not in stored:
        raise BadInput(f"the weights hold {', '.join(stored)}; {network!r} is not among them")
    module.load_state_dict(stored[network])
    return module.to(device).eval()


def without_pretraining(blueprint: Blueprint) -> Blueprint:
    """The same network, built without looking for pretrained weights: all of them are about to be replaced."""
    if getattr(blueprint, "pretrained", "never") == "never":
        return blueprint
    replaced: Blueprint = dataclasses.replace(blueprint, pretrained="never")  # type: ignore[type-var]
    return replaced
