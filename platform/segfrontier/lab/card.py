"""`model.json`, which lies beside the weights of a training: all that is needed to build and use its networks.

It holds no times and no paths, so that the same training stores the same bytes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import load_json
from segfrontier.basics.settings import Strict
from segfrontier.basics.wording import explain
from segfrontier.errors import BadInput
from segfrontier.home.records import ModelNote
from segfrontier.lab.handles import Model
from segfrontier.lab.looking import Looking
from segfrontier.lab.training.loop import Job
from segfrontier.maths import View
from segfrontier.models.blueprints import described
from segfrontier.scenes.classes import ClassTable

CARD = "model.json"
FORMAT: Literal["segfrontier-model 1"] = "segfrontier-model 1"
_Side = Annotated[int, Field(ge=1, le=65_536)]
_Size = tuple[_Side, _Side]
_Text = Annotated[str, Field(max_length=1_000)]


class NetworkCard(Strict):
    """How a network is built. No settings: it cannot be built again without its code at hand."""

    kind: _Text
    settings: dict[str, Any] | None


class ViewCard(Strict):
    """See `View`."""

    scale: Annotated[float, Field(gt=0, le=100)]
    flip: bool


class LookingCard(Strict):
    """See `Looking`."""

    views: Annotated[tuple[ViewCard, ...], Field(min_length=1, max_length=100)]
    resize: _Size | None
    window: _Size | None
    stride: _Size | None

    @classmethod
    def of(cls, looking: Looking) -> LookingCard:
        """As plain values."""
        return cls.model_validate(dataclasses.asdict(looking))

    def looking(self) -> Looking:
        """As a model uses it."""
        views = tuple(View(scale=view.scale, flip=view.flip) for view in self.views)
        return Looking(views=views, resize=self.resize, window=self.window, stride=self.stride)


class Input(Strict):
    """What every network of ours takes; each normalises by itself, as its encoder wants."""

    channels: Literal["RGB"] = "RGB"
    low: Literal[0] = 0
    high: Literal[1] = 1


class Card(Strict):
    """All of `model.json`."""

    format: Literal["segfrontier-model 1"] = FORMAT
    networks: Annotated[dict[_Text, NetworkCard], Field(min_length=1, max_length=100)]
    predicts: _Text
    """The network that predicts unless another one is asked for; `NAME/teacher` is its teacher."""
    classes: dict[str, Any]
    looking: LookingCard
    input: Input = Input()
    trained: dict[str, Any]
    """On what, how long, from which weights: for people and records."""

    def table(self) -> ClassTable:
        """The classes."""
        try:
            return ClassTable.from_json(self.classes)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BadInput(f"{CARD} must hold a class table; found none ({type(error).__name__}: {error}).") from None

    def write(self, folder: Path) -> None:
        """Lay it beside the weights."""
        write_json(folder / CARD, self.model_dump(mode="json"), sync=False)

    @classmethod
    def read(cls, file: Path) -> Card:
        """The card in a file, from whomever it is."""
        return cls.of(load_json(file, what="the description of a model"), where=str(file))

    @classmethod
    def of(cls, plain: object, *, where: str) -> Card:
        """The card in plain values; BadInput, with every mistake, where they are none."""
        try:
            card = cls.model_validate(plain)
        except ValidationError as error:
            raise BadInput(explain(error, cls, where=where)) from None
        if card.predicts.partition("/")[0] not in card.networks:
            raise BadInput(f"{where}: predicts must be one of {', '.join(card.networks)}; found {card.predicts!r}")
        return card


def card_of(job: Job, start: Mapping[str, Model], classes: ClassTable, *, world: str) -> Card:
    """What a training leaves beside its weights."""
    networks = job.objective.networks()
    settings = {name: described(network.blueprint) for name, network in networks.items()}
    return Card(
        networks={name: NetworkCard(kind=kind, settings=plain) for name, (kind, plain) in settings.items()},
        predicts=next(iter(networks)),
        classes=classes.to_json(),
        looking=LookingCard.of(Looking()),
        trained={
            "world": world,
            "objective": type(job.objective).__name__,
            "steps": job.plan.steps,
            "seed": job.plan.seed,
            "precision": job.plan.precision,
            "streams": {name: [_part(part) for part in stream.parts] for name, stream in job.streams.items()},
            "start": {name: model.digest for name, model in start.items()},
            "weights": {name: network.blueprint.origin() for name, network in networks.items()},
            "segfrontier": version("segfrontier"),
        },
    )


def noted(model: Model) -> ModelNote:
    """How a cell's record names its final model."""
    looking = LookingCard.of(model.looking).model_dump(mode="json")
    return ModelNote(stage=model.key, network=model.network, weights=model.weights, looking=looking)


def _part(part: Any) -> dict[str, Any]:
    sets = part.labels if isinstance(part.labels, Mapping) else {"": part.labels}
    known = {name: {"kind": s.kind, "scenes": s.count, "digest": s.digest} for name, s in sets.items() if s is not None}
    return {"images": part.images.digest, "scenes": len(part.names()), "labels": known}
