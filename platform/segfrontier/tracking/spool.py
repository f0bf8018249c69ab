"""The spool: a folder where records wait until MLflow has taken them. What is put there survives a crash of anyone.

SPOOL/TIME-PID-KIND-KEY.json  waits      SPOOL/done/     was taken      SPOOL/lock  held by the one who replays
SPOOL/broken/                 could not be read, or was refused; named in the log, stops nothing
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segfrontier.basics.atomic import write_text
from segfrontier.basics.disk import room_at
from segfrontier.basics.reading import LARGE, NotPlain, parse_json, read_bounded
from segfrontier.errors import SegFrontierError

_STAMP = re.compile(r"[0-9]{20}(?=-)")
_MINE = threading.Lock()
_last = 0


@dataclass(frozen=True)
class Entry:
    """One thing to tell: `kind` is study, cell, model or artefacts; `key`: what it is about; `at`: when it was put."""

    path: Path
    kind: str
    key: str
    at: float
    content: Mapping[str, Any]


class Spool:
    """A queue in a folder. Any process may put; one at a time takes. Names sort in the order of putting."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken, self.broken = folder / "done", folder / "broken"
        self._newest = 0

    def put(self, kind: str, key: str, content: Mapping[str, Any]) -> Path:
        """Write one entry, whole or not at all; on the disk when this returns."""
        if not self._newest:
            names = [path.name for folder in (self.folder, self.taken) for path in folder.glob("[0-9]*.json")]
            self._newest = max((int(found[0]) for name in names if (found := _STAMP.match(name))), default=1)
        stamp = _next_stamp(after=self._newest)
        name = f"{stamp:020d}-{os.getpid()}-{kind}-{re.sub(r'[^A-Za-z0-9_.-]', '_', key)[:80]}.json"
        text = json.dumps({"kind": kind, "key": key, "at": stamp / 1e9, "content": content})
        write_text(self.folder / name, text)
        return self.folder / name

    def waiting(self) -> list[Path]:
        """Files that wait, oldest first."""
        return sorted(self.folder.glob("[0-9]*.json"))

    def entries(self) -> Iterator[Entry]:
        """What waits, oldest first; a file that cannot be read is set aside."""
        for path in self.waiting():
            entry = _read(path)
            if entry is None:
                self.set_aside(path)
            else:
                yield entry

    def history(self) -> Iterator[Entry]:
        """What was taken, oldest first."""
        for path in sorted(self.taken.glob("[0-9]*.json")):
            entry = _read(path)
            if entry is not None:
                yield entry

    def done(self, entry: Entry) -> None:
        """MLflow has taken it."""
        _move(entry.path, self.taken)

    def set_aside(self, path: Path) -> Path:
        """Take a file out of the queue; it stays for people to look at."""
        return _move(path, self.broken)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The right to replay; refused at once while another process has it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise SpoolHeld(
                    f"one process at a time may replay {self.folder}; process {file.read().strip() or '?'} does; "
                    f"wait until it has ended, or stop it"
                ) from None
            with room_at(self.folder):
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield


class SpoolHeld(SegFrontierError):
    """Another process replays this spool."""


def _next_stamp(*, after: int) -> int:
    """Nanoseconds since 1970, never the same twice in a process, and never going back, whatever the clock does."""
    global _last
    with _MINE:
        _last = max(time.time_ns(), _last + 1, after + 1)
        return _last


def _read(path: Path) -> Entry | None:
    """The entry in a file; None where it was cut off or is something else."""
    if not path.is_file():  # a pipe would be waited for
        return None
    try:
        tree = parse_json(read_bounded(path, LARGE), where=str(path), what="an entry of the spool")
        return Entry(path, str(tree["kind"]), str(tree["key"]), float(tree["at"]), dict(tree["content"]))
    except (ValueError, KeyError, TypeError, OverflowError, NotPlain):
        return None


def _move(path: Path, folder: Path) -> Path:
    with room_at(folder):
        folder.mkdir(exist_ok=True)
        return path.replace(folder / path.name)
