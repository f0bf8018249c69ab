"""What a form of export is: files of one scene at a time, written by threads, and what describes them at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol


class Layout(Protocol):
    """One form. Jobs run side by side; `take` sees their results in their order."""

    left_out: int

    def jobs(self) -> Sequence[Callable[[Path], Any]]:
        """One for each scene: it writes the scene's files into the draft, and returns what describes them."""

    def begin(self, draft: Path) -> None:
        """Make the folders."""

    def take(self, result: Any) -> None:
        """Keep what a job returned."""

    def finish(self, draft: Path) -> None:
        """Write what describes all files."""

    def remarks(self) -> Sequence[str]:
        """What whoever reads the files should know."""


def put(path: Path, data: bytes) -> None:
    """Write one file of the draft; its folder is made where there is none."""
    try:
        path.write_bytes(data)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
