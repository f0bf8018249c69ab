"""A call of the command line in this process, with a limit of time; and a box outside of which nothing may change."""

import contextlib
import hashlib
import io
import os
import signal
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from segfrontier import cli

LIMIT = 20.0
"""Seconds after which a call hangs."""


class Hung(BaseException):
    """A call took longer than the limit; nothing that the platform catches."""


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def told(self):
        """All that was printed, in one line: a terminal folds where it likes."""
        return " ".join((self.out + " " + self.err).split())


@contextlib.contextmanager
def within(seconds):
    """Raise `Hung` inside the block when it takes longer."""

    def ring(number, frame):
        raise Hung(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def call(*words, folder, seconds=LIMIT):
    """Call `segfrontier` with these words in a folder."""
    out, err, code, began = io.StringIO(), io.StringIO(), 0, time.monotonic()
    with (
        mock.patch.object(sys, "argv", ["segfrontier", *map(str, words)]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            with within(seconds):
                cli.main()
        except SystemExit as leave:
            code = leave.code if isinstance(leave.code, int) else 99
        except Hung as hung:
            code = 98
            err.write(str(hung))
    return Ended(code, out.getvalue(), err.getvalue(), time.monotonic() - began)


@contextlib.contextmanager
def contained(box):
    """Caches, temporary files and the user's folder inside a box, so that whatever is written elsewhere shows."""
    places = {name: str(box / name) for name in ("cache", "tmp", "user")}
    for place in places.values():
        Path(place).mkdir(parents=True, exist_ok=True)
    settings = {
        "SEGFRONTIER_CACHE": places["cache"], "TMPDIR": places["tmp"], "HOME": places["user"],
        "AWS_EC2_METADATA_DISABLED": "true", "COLUMNS": "200",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    removed = ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "SEGFRONTIER_DEBUG")
    with mock.patch.dict(os.environ, settings), mock.patch.object(tempfile, "tempdir", places["tmp"]):
        for name in removed:
            os.environ.pop(name, None)
        yield


def snapshot(box, *, but=()):
    """Every file below a box with its content's digest, except below the folders that may be written to."""
    return {str(p.relative_to(box)): _digest(p) for p in _walk(box, {box / name for name in but})}


def _walk(folder, but):
    for path in sorted(folder.iterdir()):
        if path in but:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, but)


def _digest(path):
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.blake2b(path.read_bytes()).hexdigest() if path.is_file() else "other"
