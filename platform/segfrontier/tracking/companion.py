"""The writer as its driver sees it: started beside the study, ended with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from segfrontier.tracking.spool import Spool


class Writer:
    """Runs the writer process while the block lasts. It dies with this process, however this one dies.

    What it has to say is in SPOOL/writer.log: a line when MLflow stops or starts to answer, and what was set aside.
    """

    def __init__(self, spool: Spool, uri: str, runs_file: Path, *, drain: float = 20.0) -> None:
        self.spool, self.uri, self.runs_file, self.drain = spool, uri, runs_file, drain
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Writer:
        """Start it; returns at once."""
        self.spool.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "segfrontier.tracking.writer", "--spool", str(self.spool.folder)]
        command += ["--runs", str(self.runs_file), "--drain", str(self.drain)]
        # The URI may hold a password, which other users must not see in the list of processes. A session of its own
        # keeps Ctrl-C away; the pipe ends when the driver does.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | {"MLFLOW_TRACKING_URI": self.uri}, start_new_session=True,
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def log(self) -> Path:
        """What the writer says."""
        return self.spool.folder / "writer.log"

    def close(self, *, wait: bool = True) -> int:
        """Let it tell what still waits, within its time, and end it; how many entries are left for the next one.

        Without `wait` it ends at once; nothing that waits is lost.
        """
        if self._process is not None:
            process, self._process = self._process, None
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(self.drain + 10 if wait else 0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return len(self.spool.waiting())
