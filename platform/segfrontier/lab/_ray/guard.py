"""A small process beside a driver on Ray, for what the driver cannot do any more once it has died.

Ray ends a driver whose raylet or GCS has gone, without a word: the guard says it. And a driver that was killed leaves
Ray's agents behind for minutes: the guard ends every process of the Ray that this driver started. It knows them as what
descends from Ray's servers, by pid and the time of their start, and by an entry of their environment (which those that
give themselves a title overwrite). It runs this very file, alone, and imports nothing else.
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
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_MARK = "SEGFRONTIER_RAY"
_PATIENCE, _LOOK = 15.0, 1.0


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

    def watch(self, raylet: str, gcs: str, logs: str, servers: Iterable[int] = ()) -> None:
        """Where Ray's servers answer, what they write, and the pids of those that are to end with this process."""
        self._say("\t".join([raylet, gcs, logs, *map(str, servers)]) + "\n")

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
        f"Ray must stay alive while a study runs; its {what} ended (was an agent, or the node, killed?). What was "
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
    parent, said, known, what, before = os.getppid(), b"", dict[int, str](), "", ""
    while os.getppid() == parent:  # a child that the driver forked may keep the pipe open
        if _is_readable(_LOOK):
            if not (more := os.read(0, 4096)):
                break
            said += more
        elif where := _told(said)[0]:
            # Seen twice, a second apart, with the driver there: what ends after the driver is no cause of its end.
            what, before = before, gone(*where[:2])
        _follow(known, said)
    _follow(known, said)
    where, bye = _told(said)
    if what and not bye:
        with suppress(OSError):
            os.write(2, f"error: {last_words(what, where[2])}\n".encode())
    until = time.monotonic() + _PATIENCE
    while (found := _left(known, mark)) and time.monotonic() < until:
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _is_readable(seconds: float) -> bool:
    """Whether the driver says something within so long, or has ended."""
    return bool(select.select([0], [], [], seconds)[0])


def _told(said: bytes) -> tuple[list[str], bool]:
    """Where Ray is, and whether it was stopped on purpose."""
    lines = said.decode().splitlines()
    where = next((line.split("\t") for line in lines if "\t" in line), [])
    return where, "bye" in lines


def _follow(known: dict[int, str], said: bytes) -> None:
    """Note all that descends from Ray's servers, with the time of its start: pids are used again."""
    where, _ = _told(said)
    if where:
        stats = _stats()
        known |= {pid: stats[pid][1] for pid in map(int, where[3:]) if not known and pid in stats}
        before = -1
        while before != len(known):
            before = len(known)
            known |= {p: began for p, (parent, began) in stats.items() if parent in known and p not in known}


def _left(known: dict[int, str], mark: str) -> list[int]:
    """Those of Ray's processes that live."""
    stats, wanted = _stats(), mark.encode()
    found = [pid for pid, began in known.items() if pid in stats and stats[pid][1] == began]
    for pid in stats:
        with suppress(OSError):
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def _stats() -> dict[int, tuple[int, str]]:
    """Parent and time of start of every process that lives; nothing on systems without /proc."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(folder.name)] = (int(fields[1]), fields[19])
    return found


if __name__ == "__main__":
    _main(sys.argv[1])
