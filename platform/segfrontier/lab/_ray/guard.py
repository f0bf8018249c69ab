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
_PATIENCE, _LOOK, _SOON = 15.0, 1.0, 0.5
_VITAL = {"raylet/raylet": "raylet", "gcs_server": "GCS", "Agent": "agent"}
"""What Ray does not live without, by a part of its command."""


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
    parent, said, known, deaths = os.getppid(), b"", dict[int, str](), _Deaths()
    while os.getppid() == parent:  # a child that the driver forked may keep the pipe open
        if deaths.driver_speaks(_LOOK):
            if not (more := os.read(0, 4096)):
                break
            said += more
        _follow(known, said)
        deaths.watch(known)
    _follow(known, said)
    where, bye = _orders(said)
    if deaths.first and not bye:
        with suppress(OSError):
            os.write(2, f"error: {last_words(deaths.first, where[2])}\n".encode())
    until = time.monotonic() + _PATIENCE
    while (found := _left(known, mark)) and time.monotonic() < until:
        for pid in found:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


class _Deaths:
    """Which of Ray's servers and agents ended first, as long as the driver lived: what ends after it is no cause."""

    def __init__(self) -> None:
        self.first = ""
        self._names: dict[int, str] = {}  # by the descriptor that tells of an end
        self._seen: set[int] = set()
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def watch(self, pids: Iterable[int]) -> None:
        """Hear of the ends of those among these processes without which Ray ends."""
        for pid in set(pids) - self._seen:
            with suppress(OSError, AttributeError):  # it has ended already; or a system without such descriptors
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
                name = next((name for sign, name in _VITAL.items() if sign in command), "")
                if not command:
                    continue  # not yet what it is going to be
                self._seen.add(pid)
                if name:
                    handle = os.pidfd_open(pid)
                    self._names[handle] = name
                    self._poll.register(handle, select.POLLIN)

    def driver_speaks(self, seconds: float) -> bool:
        """Wait so long for a word of the driver, or its end; what of Ray ends alone meanwhile is noted."""
        ready = [handle for handle, _ in self._poll.poll(seconds * 1000)]
        for handle in set(ready) - {0}:
            self._poll.unregister(handle)
            os.close(handle)
            # A killed driver's sockets may close before its pipe: then its servers seem to end first, agents never.
            if not self.first and 0 not in ready and (self._names[handle] == "agent" or not _is_readable(_SOON)):
                self.first = self._names[handle]
        return 0 in ready


def _is_readable(seconds: float) -> bool:
    """Whether the driver says something within so long, or has ended."""
    return bool(select.select([0], [], [], seconds)[0])


def _orders(said: bytes) -> tuple[list[str], bool]:
    """Where Ray is, and whether it was stopped on purpose."""
    lines = said.decode().splitlines()
    where = next((line.split("\t") for line in lines if "\t" in line), [])
    return where, "bye" in lines


def _follow(known: dict[int, str], said: bytes) -> None:
    """Note all that descends from Ray's servers, with the time of its start: pids are used again."""
    where, _ = _orders(said)
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
