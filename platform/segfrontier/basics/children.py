"""Processes that end with the one that started them, however that one dies: also by SIGKILL.

`die_with_parent(pid)` is for our own code: a process pool's `initializer`, or the first line of a worker's main.
`bound(command)` is for another program: it runs under a small guard, this very file, which passes signals on and ends
the program and all that it started once the parent is gone. Both ask who the parent is now, twice a second. (The
kernel's parent-death signal alone will not do: it comes when the thread ends that started the child.)
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial

_LOOK = 0.5  # seconds between looks at the parent
_GRACE = 5.0  # seconds that a program has to end by itself
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """End this process, without a word, as soon as `parent` is not its parent any more (or is not already)."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os._exit(1)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


def bound(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` for as long as this process lives; signal it as you would the command."""
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


def _guard(parent: int, command: Sequence[str]) -> int:
    """Run a program in a session of its own until it ends or the parent does; its exit code, as a shell gives it."""
    asked: list[float] = []
    program = subprocess.Popen(command, start_new_session=True, preexec_fn=partial(_die_with_guard, os.getpid()))

    def end(number: int) -> None:
        asked.append(time.monotonic())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: end(number))
    while True:
        try:
            code = program.wait(timeout=_LOOK)
            break
        except subprocess.TimeoutExpired:
            if not asked and os.getppid() != parent:
                end(signal.SIGTERM)
            if asked and time.monotonic() - asked[0] > _GRACE:
                end(signal.SIGKILL)
    end(signal.SIGKILL)  # what it started and left behind
    return code if code >= 0 else 128 - code


def _die_with_guard(guard: int) -> None:
    """Should the guard itself be killed: its only thread started this process, so here the kernel's signal will do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # it died before that was said
            os._exit(1)


if __name__ == "__main__":
    sys.exit(_guard(int(sys.argv[1]), sys.argv[2:]))
