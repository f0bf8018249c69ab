"""One run a study at a time, whoever was killed before and on whichever machine.

STUDY/lock      held by the run for as long as it lives: the kernel's word, for all that share its file locks
STUDY/run.json  who it is, for people
STUDY/lease.N   its mark for machines that do not share locks (each run has the next N); touched every few seconds

Where a file system's locks reach all machines, the lock alone decides, and a killed run leaves nothing to wait for.
Where they do not, the newest lease does: it is dead when it was not touched for `LEASE_SECONDS`, by the clock of the
file system alone. `lease.N+1` can be created once, so of all that found `lease.N` dead one goes on. It removes the
older leases, at which the trials of a run that was cut off leave.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from segfrontier.basics.atomic import write_json
from segfrontier.basics.locks import FileLock, is_held
from segfrontier.basics.reading import read_json
from segfrontier.errors import BadStudy

LOCK, RUN, STOP = "lock", "run.json", "stop"
"""Files in a study's folder: the lock of a run, who runs it, and the wish that it end."""
BEAT_SECONDS, LEASE_SECONDS = 2.0, 30.0
_LOOKS, _LOOK_SECONDS = 5, 0.1  # an onlooker holds the lock for an instant


@dataclass(frozen=True, kw_only=True)
class Run:
    """Who runs a study, or did last."""

    pid: int
    host: str
    kernel: str  # hosts may share a name, and pods may change it
    lease: int
    ended: bool = False

    @classmethod
    def read(cls, folder: Path) -> Run | None:
        """What is written in a study's folder; None where that cannot be read."""
        plain = read_json(folder / RUN)
        kinds = {"pid": int, "host": str, "kernel": str, "lease": int, "ended": bool}
        if not isinstance(plain, dict) or any(type(plain.get(name)) is not kind for name, kind in kinds.items()):
            return None
        return cls(**{name: plain[name] for name in kinds})

    @property
    def words(self) -> str:
        """ "process 7 on node3"."""
        return f"process {self.pid} on {self.host}"


@dataclass(frozen=True)
class Leave:
    """Whether the cells of a run should save their state and end; asked by every process of the run."""

    stop: Path
    lease: Path

    def __call__(self) -> bool:
        """It was asked to stop, or another run has taken over."""
        return self.stop.exists() or not self.lease.exists()

    def ask(self) -> None:
        """Ask them to."""
        with suppress(OSError):  # a full disk ends them as well
            self.stop.touch()


@contextmanager
def claimed(folder: Path, name: str, waiting: Callable[[str], object]) -> Iterator[Leave]:
    """The study is this process's own inside the block; `waiting` is told what is waited for, in a sentence.

    Refused, with nothing touched, while another run is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    if not _taken(lock):
        raise _refusal(folder, name)
    try:
        lease = _lease(folder, name, waiting)
        with _beating(folder, lease):
            yield Leave(folder / STOP, lease)
    finally:
        lock.release()


def is_running(folder: Path) -> bool:
    """Whether a process is at work on a study now."""
    if is_held(folder / LOCK):
        return True
    number, run = _newest(folder), Run.read(folder)
    return bool(number) and not _is_over(run, number) and _age(_path(folder, number)) < LEASE_SECONDS


def _taken(lock: FileLock) -> bool:
    for _ in range(_LOOKS):
        if lock.take():
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _refusal(folder: Path, name: str) -> BadStudy:
    run = Run.read(folder)
    who = "another one" if run is None or run.ended else run.words
    return BadStudy(
        f"study {name!r} must be run by one process at a time; {who} is at it. Wait, or stop it with "
        f"`segfrontier stop {name}`; the lock goes with its process, so one that was killed is never waited for."
    )


def _lease(folder: Path, name: str, waiting: Callable[[str], object]) -> Path:
    """The next lease, ours alone, once the last one is over."""
    last = _newest(folder)
    if last:
        _wait_until_over(folder, last, name, waiting)
    mine = _path(folder, last + 1)
    try:
        os.close(os.open(mine, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except FileExistsError:
        raise _refusal(folder, name) from None
    (folder / STOP).unlink(missing_ok=True)
    for number in _leases(folder):
        if number <= last:
            _path(folder, number).unlink(missing_ok=True)
    return mine


def _wait_until_over(folder: Path, number: int, name: str, waiting: Callable[[str], object]) -> None:
    run, path = Run.read(folder), _path(folder, number)
    if _is_over(run, number):
        return
    beat, reported = _beat(path), False
    while (age := _age(path)) < LEASE_SECONDS:
        if _beat(path) != beat:
            raise _refusal(folder, name)
        if not reported:
            who = run.words if run else "a process on another machine"
            waiting(
                f"{who} ran study {name!r} a moment ago and cannot be asked from here; waiting up to "
                f"{LEASE_SECONDS - age:.0f} s for a sign of it"
            )
            reported = True
        time.sleep(BEAT_SECONDS / 4)


def _is_over(run: Run | None, number: int) -> bool:
    """Whether the holder of a lease has ended, as far as that is certain; the lock of this machine is not held."""
    return run is not None and run.lease == number and (run.ended or run.kernel == _kernel())


@contextmanager
def _beating(folder: Path, lease: Path) -> Iterator[None]:
    run = Run(pid=os.getpid(), host=platform.node(), kernel=_kernel(), lease=int(lease.suffix[1:]))
    write_json(folder / RUN, _plain(run))
    over = threading.Event()

    def beat() -> None:
        while not over.wait(BEAT_SECONDS):
            with suppress(OSError):  # another run has taken over; the cells leave by themselves
                os.utime(lease)

    thread = threading.Thread(target=beat, name="study-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        if lease.exists():
            with suppress(OSError):  # a full disk: the lock, or the lease's age, says the same
                write_json(folder / RUN, _plain(run) | {"ended": True})


def _plain(run: Run) -> dict[str, Any]:
    return asdict(run) | {"at": time.strftime("%F %T")}


def _leases(folder: Path) -> list[int]:
    names = (re.fullmatch(r"lease\.(\d{1,12})", p.name) for p in folder.glob("lease.*"))
    return sorted(int(name[1]) for name in names if name)


def _newest(folder: Path) -> int:
    return max(_leases(folder), default=0)


def _path(folder: Path, number: int) -> Path:
    return folder / f"lease.{number}"


def _beat(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _age(path: Path) -> float:
    """Seconds since a file was touched, by the clock of its file system."""
    try:
        with tempfile.TemporaryFile(dir=path.parent, buffering=0) as probe:
            probe.write(b"now")
            now = os.fstat(probe.fileno()).st_mtime
    except OSError:  # an onlooker without the right to write; it decides nothing
        now = time.time()
    return max(0.0, now - _beat(path))


@cache
def _kernel() -> str:
    """What shares this machine's file locks: the same kernel, since it was booted."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return platform.node()
