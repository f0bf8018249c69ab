"""LocalLab: every stage in this process. A debugger works, and neither Ray nor MLflow is imported."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from segfrontier.lab._libraries import load_compiler
from segfrontier.lab.backend import Backend
from segfrontier.lab.lab import Lab
from segfrontier.lab.passes.base import Outcome, Pass
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.training import loop as training
from segfrontier.lab.training.history import Watch
from segfrontier.lab.training.loop import Bench, Job
from segfrontier.lab.worker import Worker


class LocalLab(Lab):
    """The lab in one process."""

    def __init__(self, *, bench: Bench, **lab: Any) -> None:
        super().__init__(backend=LocalBackend(bench), bench=bench, **lab)


@dataclass(frozen=True)
class LocalBackend(Backend):
    """This process, on the device of its bench."""

    bench: Bench

    def power(self, kind: str) -> tuple[int, bool]:  # noqa: ARG002
        """See `Backend.power`."""
        return 1, self.bench.torch_device().type == "cuda"

    def train(self, job: Job, *, work: Path, out: Path, watch: Watch, stop: Callable[[], bool]) -> None:
        """See `Backend.train`."""
        load_compiler()
        worker = Worker(device=self.bench.torch_device())
        training.run(job, worker, self.bench, work=work, out=out, watch=watch, stop=stop)

    def outcomes(self, work: Pass[Any]) -> Generator[Outcome, None, None]:
        """See `Backend.outcomes`."""
        if self.bench.threads:
            torch.set_num_threads(self.bench.threads)
        device = self.bench.torch_device()
        models, together = Predictors.built(work.models, device=device), self.bench.images_together(device.type)
        yield from work.outcomes(models, work.names(), together=together)
