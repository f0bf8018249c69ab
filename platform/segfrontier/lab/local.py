"""LocalLab: every stage in this process. A debugger works, and neither Ray nor MLflow is imported."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch

from segfrontier.lab.lab import Lab
from segfrontier.lab.passes.base import Outcome, Pass
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.training import loop as training
from segfrontier.lab.training.loop import Job
from segfrontier.lab.worker import Worker


class LocalLab(Lab):
    """The lab in one process."""

    def _train(self, job: Job, work: Path, out: Path) -> None:
        worker = Worker(device=self.bench.torch_device())
        with self._heeding() as stop:
            training.run(job, worker, self.bench, work=work, out=out, watch=self._watching(job, work), stop=stop)

    def _run_pass(self, work: Pass[Any]) -> Generator[Outcome, None, None]:
        if self.bench.threads:
            torch.set_num_threads(self.bench.threads)
        device, names = self.bench.torch_device(), work.names()
        models, together = Predictors.built(work.models, device=device), self.bench.images_together(device.type)
        for done, outcome in enumerate(work.outcomes(models, names, together=together), start=1):
            yield outcome
            self._on_progress(done, len(names))
