"""How a driver and its training workers talk: through a folder that all of them see, one for each attempt.

    work/ray-ID/go              workers train while it is there; without it they store their state and leave
    work/ray-ID/progress.json   what the leader told last
    work/ray-ID/node-ID         a node that a worker is on

Files need no port, survive no longer than they should, and work where Ray's own reports would hold up each step until
the controller has looked. An attempt removes the folders of those before it: workers that a killed driver or a lost
node left behind find no `go` and leave.
"""

from __future__ import annotations

import json
import platform
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from segfrontier.errors import BadInput
from segfrontier.lab.training.history import Watch

_REPORT_SECONDS, _ASK_SECONDS, _APPEAR_SECONDS = 0.5, 0.2, 10.0


@contextmanager
def open_attempt(work: Path) -> Iterator[Attempt]:
    """A fresh folder, removed at the end."""
    for old in work.glob("ray-*"):
        shutil.rmtree(old, ignore_errors=True)
    attempt = Attempt(str(work / f"ray-{uuid.uuid4().hex[:12]}"))
    attempt.folder.mkdir()
    attempt.go.touch()
    try:
        yield attempt
    finally:
        shutil.rmtree(attempt.folder, ignore_errors=True)


@dataclass
class Attempt:
    """One attempt's folder, seen from either side."""

    path: str
    _passed_on: str = ""
    _reported_at: float = field(default=-1e9)
    _asked_at: float = field(default=-1e9)

    @property
    def folder(self) -> Path:
        """The folder."""
        return Path(self.path)

    @property
    def go(self) -> Path:
        """The file that keeps workers going."""
        return self.folder / "go"

    # -------------------------------------------------------------------------------------------- the driver's side

    def halt(self) -> None:
        """Ask the workers to store their state and leave."""
        self.go.unlink(missing_ok=True)

    def pass_on(self, watch: Watch) -> None:
        """Pass on what the leader has reported since the last call."""
        try:
            text = (self.folder / "progress.json").read_text()
        except FileNotFoundError:
            return
        if text != self._passed_on:
            self._passed_on = text
            done, total, values = json.loads(text)
            watch(done, total, values)

    def nodes(self) -> frozenset[str]:
        """The nodes that its workers are on, as far as these have begun."""
        return frozenset(path.name.removeprefix("node-") for path in self.folder.glob("node-*"))

    # -------------------------------------------------------------------------------------------- a worker's side

    def enter(self, node: str) -> None:
        """A worker begins on a node."""
        (self.folder / f"node-{node}").touch()

    def require_shared(self) -> None:
        """Refuse to train where the stage's folder is not that of the driver."""
        until = time.monotonic() + _APPEAR_SECONDS  # network file systems may show new folders late
        while not self.folder.is_dir():
            if time.monotonic() > until:
                raise BadInput(
                    f"the lab's home must lie on a disk that all nodes of the cluster share; node {platform.node()} "
                    f"does not see {self.folder}. Put the home there, or train on one node."
                )
            time.sleep(0.2)

    def report(self, done: int, total: int, values: Mapping[str, float]) -> None:
        """Let the driver know how far training has come; too frequent news is left out, never the last."""
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_SECONDS or done == total:
            self._reported_at = now
            staged = self.folder / ".progress.json"
            staged.write_text(json.dumps([done, total, dict(values)]))
            staged.replace(self.folder / "progress.json")

    def halted(self) -> bool:
        """Whether the driver wants the workers to leave, or is gone."""
        now = time.monotonic()
        if now - self._asked_at < _ASK_SECONDS:
            return False
        self._asked_at = now
        return not self.go.exists()
