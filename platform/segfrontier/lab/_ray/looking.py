"""What the actors of a Ray Data pipeline do: one pass, scene after scene; a row says what came of each."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa
import torch

from segfrontier.errors import StageError
from segfrontier.lab.handles import Model
from segfrontier.lab.passes.base import Outcome
from segfrontier.lab.passes.inference import Predictors

ROW = pa.schema(
    [
        ("scene", pa.string()),
        ("row", pa.large_binary()),  # what the pass made of it, pickled
        ("fault", pa.large_string()),  # what is wrong with this scene alone; the stage goes on
        ("error", pa.large_binary()),  # a pickled exception; the stage ends
    ]
)


class SceneWork(Protocol):
    """What is done with a scene, as a `Pass` does it."""

    @property
    def models(self) -> Mapping[str, Model]: ...
    def outcomes(self, models: Predictors, names: Sequence[str], *, together: int) -> Iterator[Outcome]: ...


@dataclass
class Look:
    """One actor's work. The models are built at the first scene: where that fails, it is a scene's error like any
    other, while an actor that cannot start would be started again and again.
    """

    work: SceneWork
    device: str
    threads: int
    together: int = 1

    @cached_property
    def models(self) -> Predictors:
        """The models, built once in this process."""
        torch.set_num_threads(self.threads)
        return Predictors.built(self.work.models, device=torch.device(self.device))

    def __call__(self, block: pa.Table) -> Iterator[pa.Table]:
        """A table of one row for each scene of the block, up to the first error, which ends the stage."""
        names = block["scene"].to_pylist()
        done = 0
        try:
            for found in self.work.outcomes(self.models, names, together=self.together):
                row = {"fault": found.fault} if found.row is None else {"row": pickle.dumps(found.row)}
                yield _table(names[done], **row)
                done += 1
        except Exception as error:
            yield _table(names[done], error=packed(error))


def _table(scene: str, **row: Any) -> pa.Table:
    return pa.Table.from_pylist([{"scene": scene, **row}], schema=ROW)


def packed(error: Exception) -> bytes:
    """An exception as bytes, with its traceback as a note; one that does not survive pickling as a `StageError`."""
    error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        return pickle.dumps(StageError(f"a worker raised {type(error).__name__}: {error}"))
    return data
