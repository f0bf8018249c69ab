"""The process that talks to MLflow as its driver sees it: started beside the study, ended with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segfrontier.home.layout import StudyHome


class Companion:
    """Keeps MLflow in step with a study while the block lasts. It dies with this process, however this one dies.

    What it has to say is in STUDY/mlflow.log: a line when MLflow stops or starts to answer, and what it would not take.
    """

    def __init__(self, study: StudyHome, uri: str, *, drain: float = 20.0) -> None:
        self.study, self.uri, self.drain = study, uri, drain
        self._process: subprocess.Popen[bytes] | None = None
        self._left = 0

    def __enter__(self) -> Companion:
        """Start it; returns at once."""
        self.study.path.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "segfrontier.tracking.process", "--home", str(self.study.home.path)]
        command += ["--study", self.study.name, "--drain", str(self.drain)]
        # The URI may hold a password, which other users must not see in the list of processes. A session of its own
        # keeps Ctrl-C away; the pipe ends when the driver does.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | {"MLFLOW_TRACKING_URI": self.uri}, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def log(self) -> Path:
        """What it says."""
        return self.study.path / "mlflow.log"

    @property
    def works(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    def close(self, *, wait: bool = True) -> int:
        """Let it write what is missing, within its time, and end it; how many runs are left for the next one.

        Without `wait` it ends at once; nothing is lost.
        """
        if self._process is not None:
            process, self._process = self._process, None
            try:
                said = process.communicate(timeout=self.drain + 10 if wait else 0)[0]
            except subprocess.TimeoutExpired:
                process.kill()
                said = process.communicate()[0]
            self._left = int(said) if said.strip().isdigit() else 1
        return self._left
