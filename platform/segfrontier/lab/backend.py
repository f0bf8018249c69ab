"""What computes the stages of a lab: this process, the workers of a cluster, or nobody where a study is planned.

The lab says what is computed under which key and who hears of it; a backend does it. `Pass` and `Job` say all it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from segfrontier.lab.joining import Joining
from segfrontier.lab.passes.base import Outcome, Pass
from segfrontier.lab.passes.quality import quality_of
from segfrontier.lab.places import Places
from segfrontier.lab.streams import Part
from segfrontier.lab.training.history import Watch
from segfrontier.lab.training.loop import Job
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.labels import LabelSet
from segfrontier.store import Entry


class Backend(ABC):
    """Computes stages. Only training and passes are worth other machines; what remains is done here."""

    @abstractmethod
    def power(self, kind: str) -> tuple[int, bool]:
        """How many processes compute a stage of this kind side by side, and whether on GPUs."""

    @abstractmethod
    def train(self, job: Job, *, work: Path, out: Path, watch: Watch, stop: Callable[[], bool]) -> None:
        """Run a training job, resumable through `work`, into `out`; Stopped, its state saved, where `stop` asks."""

    @abstractmethod
    def outcomes(self, work: Pass[Any]) -> Generator[Outcome, None, None]:
        """What comes of each scene of a pass, in order. Closed before its end, it holds nothing any more."""

    def write(self, work: Pass[Any], out: Path, rows: Iterator[Any], faults: Sequence[str]) -> None:
        """Store the rows of a pass as they come; `faults` is complete when they have ended."""
        work.write(out, rows, faults)

    def join(self, work: Joining, out: Path, classes: ClassTable, *, world: str) -> None:
        """Write one model of several into `out`."""
        work.write(out, classes, world=world)

    def quality(self, labels: LabelSet, part: Part, places: Places) -> dict[str, float]:
        """How good labels are that a model made, for the record."""
        return quality_of(labels, part.images, places)

    def pass_stage(self, kind: str, key: str, work: Pass[Any], stage: Callable[[], Entry]) -> Entry:  # noqa: ARG002
        """The stored result of a pass, which `stage` finds or computes."""
        return stage()
