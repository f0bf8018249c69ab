"""What the actors of a Ray Data pipeline do: look at one scene after another and say in a row what came of it."""

from __future__ import annotations

import json
import pickle
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import torch

from segfrontier.errors import StageError
from segfrontier.lab.handles import Model
from segfrontier.lab.labelling import Rule, label_scene
from segfrontier.lab.looking import Looking
from segfrontier.lab.measuring import Gauge, measure_scene
from segfrontier.lab.predict import Predictor
from segfrontier.lab.scoring import score_scene
from segfrontier.lab.streams import Part
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import encode_map
from segfrontier.scenes.manifest import Manifest
from segfrontier.scenes.world import Pool, Truth, World

ROW = pa.schema(
    [
        ("scene", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("map", pa.large_binary()),  # labels or a prediction, as lossless PNG
        ("values", pa.large_binary()),  # measured numbers
        ("sums", pa.large_string()),  # JSON
        ("fault", pa.large_string()),  # what is wrong with this scene alone; the stage goes on
        ("error", pa.large_binary()),  # a pickled exception; the stage ends
    ]
)


@dataclass
class Look(ABC):
    """One actor's work. The model is built at the first scene: where that fails, it is a scene's error like any other,
    while an actor that cannot start would be started again and again.
    """

    model: Model
    device: str
    threads: int

    @cached_property
    def predictor(self) -> Predictor:
        """The model, built once in this process."""
        torch.set_num_threads(self.threads)
        return Predictor(self.model, device=torch.device(self.device))

    def __call__(self, block: pa.Table) -> Iterator[pa.Table]:
        """A table of one row for each scene of the block."""
        for scene in block["scene"].to_pylist():
            row: dict[str, Any] = {"scene": scene}
            try:
                row |= self.look(scene)
            except Exception as error:
                row["error"] = packed(error)
            yield pa.Table.from_pylist([row], schema=ROW)

    @abstractmethod
    def look(self, scene: str) -> dict[str, Any]:
        """The columns of one scene that have something to say."""


@dataclass
class LabelLook(Look):
    """Labels scenes."""

    part: Part
    rule: Rule

    def look(self, scene: str) -> dict[str, Any]:
        """Its labels, or its fault."""
        _, row, fault = label_scene(self.predictor, self.rule, self.part, scene)
        if row is None:
            return {"fault": fault}
        assert row.map is not None, "a labelled scene has a map"
        return {"height": row.height, "width": row.width, "map": encode_map(row.map)}


@dataclass
class MeasureLook(Look):
    """Measures scenes."""

    part: Part
    gauge: Gauge

    def look(self, scene: str) -> dict[str, Any]:
        """Its numbers, or its fault."""
        _, row, fault = measure_scene(self.predictor, self.gauge, self.part, scene)
        return {"fault": fault} if row is None else {"values": row.data}


@dataclass(frozen=True)
class Address:
    """Where a world lies and which classes it speaks here: what may travel to the evaluator's actors in its stead."""

    uri: str
    manifest: Manifest
    relabel: tuple[ClassTable, tuple[int, ...]] | None

    @classmethod
    def of(cls, world: World) -> Address:
        """The address of a world."""
        return cls(world.uri, world.manifest, world._relabel)

    def open(self) -> World:
        """The world."""
        return World(self.uri, self.manifest, relabel=self.relabel)


@dataclass
class ScoreLook(Look):
    """Scores scenes; truth is read here and does not travel."""

    address: Address
    split: str
    looking: Looking
    shown: frozenset[str]  # whose predictions are wanted for pictures

    @cached_property
    def sides(self) -> tuple[Pool, Truth]:
        """Images and truth of the split."""
        world = self.address.open()
        return world.pool(split=self.split), world.truth(split=self.split)

    def look(self, scene: str) -> dict[str, Any]:
        """What the scene adds to the sums, and its prediction where it is to be shown; or its fault."""
        seen, fault = score_scene(self.predictor, *self.sides, scene, looking=self.looking)
        if seen is None:
            return {"fault": fault}
        shown = {"map": encode_map(seen.prediction)} if scene in self.shown else {}
        return {"sums": json.dumps(seen.sums.to_plain())} | shown


def packed(error: Exception) -> bytes:
    """An exception as bytes, with its traceback as a note; one that does not survive pickling as a `StageError`."""
    error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        return pickle.dumps(StageError(f"a worker raised {type(error).__name__}: {error}"))
    return data
