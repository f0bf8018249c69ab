"""The one process that talks to MLflow: `python -m segfrontier.tracking.writer --spool F --runs F --uri U`.

It ends when its stdin is closed, at SIGTERM, or when its parent is gone; each time after a last try to tell what waits,
which an MLflow that does not answer cannot draw out.
"""

from __future__ import annotations

import argparse
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from segfrontier.tracking.address import hidden
from segfrontier.tracking.replaying import Replayer
from segfrontier.tracking.spool import Spool, SpoolHeld

_POLL, _LONGEST_WAIT, _OVERTIME = 0.5, 30.0, 5.0
_log = logging.getLogger("segfrontier.tracking")


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay until told to end; 0 when nothing is left, 1 when something waits for the next writer."""
    parser = argparse.ArgumentParser(prog="segfrontier.tracking.writer", description=__doc__)
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True, help="JSON file for run ids by cell key")
    parser.add_argument("--uri", default=os.environ.get("MLFLOW_TRACKING_URI"), help="default: MLFLOW_TRACKING_URI")
    parser.add_argument("--drain", type=float, default=20.0, help="seconds for the last try")
    given = parser.parse_args(arguments)
    if given.uri is None:
        parser.error("--uri or MLFLOW_TRACKING_URI must say where runs go; found neither")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    return _serve(Spool(given.spool), given.uri, given.runs, given.drain, _end_signal(given.drain + _OVERTIME))


def _serve(spool: Spool, uri: str, runs_file: Path, drain: float, end: threading.Event) -> int:
    with ExitStack() as stack:
        while not _holds(stack, spool):  # the writer of a driver that was killed may still be at its last try
            if end.wait(_POLL):
                return int(bool(spool.waiting()))
        replayer, wait, well = Replayer(spool, uri, runs_file), _POLL, True
        while not end.wait(wait):
            if not spool.waiting():
                continue
            result = replayer.run(going=lambda: not end.is_set())
            if well == bool(result.error) and not end.is_set():
                well = not result.error
                _log.info("%s: %s", hidden(uri), result.error or "answers again; nothing was lost")
            wait = _POLL if well else min(2 * wait, _LONGEST_WAIT)
        until = time.monotonic() + drain
        result = replayer.run(going=lambda: time.monotonic() < until)
    _log.info("ended; %d left%s", result.left, f": {result.error}" if result.error else "")
    return int(result.left > 0)


def _holds(stack: ExitStack, spool: Spool) -> bool:
    try:
        stack.enter_context(spool.held())
    except SpoolHeld:
        return False
    return True


def _end_signal(patience: float) -> threading.Event:
    """Set at SIGTERM, when stdin ends and when the parent does; so long afterwards the process has ended for certain.

    Ctrl-C, and a terminal that closes, are for the driver, which then closes stdin.
    """
    end, parent = threading.Event(), os.getppid()

    def until_alone() -> None:
        while os.getppid() == parent:
            if select.select([0], [], [], _POLL)[0] and not os.read(0, 4096):
                break
        end.set()

    def at_the_latest() -> None:
        end.wait()
        time.sleep(patience)
        os._exit(1)  # a request to MLflow may hang for minutes

    signal.signal(signal.SIGTERM, lambda *_: end.set())
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for target in (until_alone, at_the_latest):
        threading.Thread(target=target, daemon=True).start()
    return end


if __name__ == "__main__":
    sys.exit(main())
