"""One model of several that were trained apart: what a method returns whose answer takes more than one network.

The parts' weights become those of one network, built by a blueprint of the method's. So the pair is scored, predicts a
folder, is exported and found again like any other model. Nothing is trained, and no step is counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from torch import nn

from segfrontier.basics.atomic import write_text
from segfrontier.errors import BadInput
from segfrontier.lab.card import Card, LookingCard, NetworkCard
from segfrontier.lab.handles import WEIGHTS, Model, without_pretraining
from segfrontier.lab.looking import Looking
from segfrontier.lab.objective import Blueprint
from segfrontier.lab.training import checkpoints
from segfrontier.lab.training.loop import LOG
from segfrontier.models.blueprints import described
from segfrontier.models.tensors import read_tensors
from segfrontier.scenes.classes import ClassTable


@dataclass(frozen=True, kw_only=True)
class Joining:
    """The work of a stage: each of `models` fills the part of the blueprint's network that has its name."""

    NAME: ClassVar[str] = "joined"

    blueprint: Blueprint
    models: Mapping[str, Model] = field(hash=False)

    def network(self) -> nn.Module:
        """The network with the weights of its parts, ready to predict."""
        network = without_pretraining(self.blueprint).build(seed=0).eval()
        for name, model in self.models.items():
            part = dict(network.named_children()).get(name)
            if part is None:
                raise BadInput(
                    f"models are joined by the names of a network's parts ({', '.join(dict(network.named_children()))}"
                    f"); found {name!r}. Call it by one of them."
                )
            part.load_state_dict(read_tensors(model.file())[model.network])
        return network

    def write(self, out: Path, classes: ClassTable, *, world: str) -> None:
        """Weights, an empty history, and the card beside them, as a training leaves them."""
        checkpoints.write_tensors(out / WEIGHTS, {self.NAME: self.network().state_dict()})
        write_text(out / LOG, json.dumps({"step": 0}) + "\n", sync=False)
        kind, settings = described(self.blueprint)
        Card(
            networks={self.NAME: NetworkCard(kind=kind, settings=settings)},
            predicts=self.NAME,
            classes=classes.to_json(),
            looking=LookingCard.of(Looking()),
            trained={
                "world": world,
                "parts": {name: model.digest for name, model in self.models.items()},
                "segfrontier": version("segfrontier"),
            },
        ).write(out)
