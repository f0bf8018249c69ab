"""Work on all cores: a module of ours run as a process for each core, whose results come down a pipe, in order.

It is no `multiprocessing` pool, because such a one would import the user's script again in each worker. A process dies
with its parent: its pipe breaks at the next result, and it watches who its parent is.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from segfrontier.basics.children import die_with_parent
from segfrontier.errors import SegFrontierError

FEW = 200
"""Scenes that this process works at alone, because starting others would take longer."""
_MOST_PROCESSES = 64
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""A process has a core; NumPy and OpenCV would start, and keep turning, a thread for each core at their import."""
_PIPE_BYTES = 2**18  # a few scenes ahead of the writer


def cores() -> int:
    """How many processes are worth starting."""
    return min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)


def start(module: str, *words: str, given: bytes | None = None) -> subprocess.Popen[bytes]:
    """Run a module as a process: its first word is our process id, `given` is its input."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(os.getpid()), *words],
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE, stdout=subprocess.PIPE, pipesize=_PIPE_BYTES,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | _ONE_THREAD,
    )  # fmt: skip
    if given is not None:
        assert process.stdin is not None, "it is a pipe"
        with suppress(BrokenPipeError), process.stdin as pipe:  # where it died, its result is missed soon
            pipe.write(given)
        process.stdin = None
    return process


def results(
    processes: Sequence[subprocess.Popen[bytes]], count: int, *, lost: type[SegFrontierError], doing: str
) -> Iterator[Any]:
    """`count` results, each process' next one in turn; an error that one sends is raised, and all end with this."""
    try:
        for at in range(count):
            yield _received(processes[at % len(processes)], lost, doing)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _received(process: subprocess.Popen[bytes], lost: type[SegFrontierError], doing: str) -> Any:
    assert process.stdout is not None, "it is a pipe"
    try:
        came: Any = pickle.load(process.stdout)  # our own process sent it
    except (EOFError, pickle.UnpicklingError):
        raise lost(
            f"the processes that {doing} must live until they are done; one ended with code {process.wait()}. Look "
            f"for what ended it (too little memory?), then start again."
        ) from None
    if isinstance(came, SegFrontierError):
        raise came
    return came


def send(parent: int, made: Iterable[Any]) -> None:
    """In the process: send each result as soon as it is made, and what stopped the making after them."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)  # what is printed meanwhile must not get between the results
        try:
            for result in made:
                _put(result, pipe)
        except SegFrontierError as error:
            _put(error, pipe)


def _put(result: Any, pipe: Any) -> None:
    pickle.dump(result, pipe, protocol=5)
    pipe.flush()
