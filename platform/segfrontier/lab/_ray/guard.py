"""A small process beside a driver on Ray, for what the driver cannot do any more once it has died.

Ray ends a driver whose raylet or GCS has gone, without a word: the guard says it. And a driver that was killed leaves
Ray's agents behind for minutes: the guard ends every process of the Ray that this driver started, known by an entry of
their environment, whatever has become of their parents. It runs this very file, alone, and imports nothing else.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

_MARK = "SEGFRONTIER_RAY"
_PATIENCE = 15.0


class Guard:
    """Started before Ray, told its servers afterwards, ended after it."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-IS", __file__, f"{_MARK}={self.mark}"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Guard:
        """All processes that are started inside the block, and theirs, are marked."""
        os.environ[_MARK] = self.mark
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ[_MARK]

    def watch(self, raylet: str, gcs: str, logs: str) -> None:
        """Where Ray's servers answer, and what they write."""
        self._say(f"{raylet}\t{gcs}\t{logs}\n")

    def close(self) -> None:
        """Ray was stopped on purpose: what is left of it goes."""
        self._say("bye\n")
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def gone(raylet: str, gcs: str) -> str:
    """What of Ray's servers does not answer any more; empty where all do."""
    host, _, port = gcs.rpartition(":")
    answers = {"raylet": _answers(socket.AF_UNIX, raylet), "GCS": _answers(socket.AF_INET, (host, int(port)))}
    return " and ".join(name for name, well in answers.items() if not well)


def last_words(what: str, logs: str) -> str:
    """The sentence about it."""
    return (
        f"Ray must stay alive while a study runs; its {what} has ended (an agent, or the node, was killed?). What was "
        f"computed is kept, and no cell has failed by it: start the same command again. Ray's own logs are in {logs}."
    )


def _answers(family: socket.AddressFamily, address: str | tuple[str, int]) -> bool:
    with socket.socket(family) as probe:
        probe.settimeout(2)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def _main(mark: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lines = _heard().splitlines()
    if lines and lines[-1] != "bye":
        raylet, gcs, logs = lines[-1].split("\t")
        if what := gone(raylet, gcs):
            with suppress(OSError):
                os.write(2, f"error: {last_words(what, logs)}\n".encode())
    until = time.monotonic() + _PATIENCE
    while (found := _marked(mark)) and time.monotonic() < until:
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _heard() -> str:
    """All that the driver says until it ends, one way or another; a child that it forked may keep the pipe open."""
    said, parent = b"", os.getppid()
    while os.getppid() == parent:
        if select.select([0], [], [], 0.5)[0]:
            if not (more := os.read(0, 4096)):
                break
            said += more
    return said.decode()


def _marked(mark: str) -> list[int]:
    wanted, found = mark.encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


if __name__ == "__main__":
    _main(sys.argv[1])
