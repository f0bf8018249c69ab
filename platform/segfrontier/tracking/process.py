"""The one process that talks to MLflow while a study runs: `python -m segfrontier.tracking.process --home H --study S`.

It ends when its stdin is closed, at SIGTERM, or when its parent is gone; each time after a last sync, which an MLflow
that does not answer cannot draw out. The last line on stdout is the number of runs that still lack something.
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

from segfrontier.home.layout import Home, StudyHome
from segfrontier.tracking.address import hidden
from segfrontier.tracking.sync import Sync, sole

_POLL, _LONGEST_POLL, _LONGEST_WAIT, _OVERTIME = 0.5, 5.0, 30.0, 5.0
_SHARE = 10
"""Looking at the files of many cells may take one part of the time in so many."""
_BACK = "answers again; nothing was lost"
_log = logging.getLogger("segfrontier.tracking")


def main(arguments: Sequence[str] | None = None) -> int:
    """Sync until asked to end; 0 when nothing is left, 1 when something is for the next time."""
    parser = argparse.ArgumentParser(prog="segfrontier.tracking.process", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--study", required=True)
    parser.add_argument("--uri", default=os.environ.get("MLFLOW_TRACKING_URI"), help="default: MLFLOW_TRACKING_URI")
    parser.add_argument("--drain", type=float, default=20.0, help="seconds for the last sync")
    given = parser.parse_args(arguments)
    if given.uri is None:
        parser.error("--uri or MLFLOW_TRACKING_URI must say where runs go; found neither")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    left = _serve(Home(given.home).study(given.study), given.uri, given.drain, _end_signal(given.drain + _OVERTIME))
    sys.stdout.write(f"{left}\n")
    sys.stdout.flush()
    return int(left > 0)


def _serve(study: StudyHome, uri: str, drain: float, end: threading.Event) -> int:
    with ExitStack() as stack:
        while not stack.enter_context(sole(study)):  # that of a driver which was killed may still be at its last sync
            if end.wait(_POLL):
                return 1
        sync, wait, well = Sync(study, uri), _POLL, True
        while not end.wait(wait):
            began = time.monotonic()
            result = sync.run(going=lambda: not end.is_set())
            if well == bool(result.error) and not end.is_set():
                well = not result.error
                _log.info("%s: %s", hidden(uri), result.error or _BACK)
            took = time.monotonic() - began
            calm = min(max(_POLL, _SHARE * took), _LONGEST_POLL)
            wait = calm if well else min(2 * wait, _LONGEST_WAIT)
        until = time.monotonic() + drain
        result = sync.run(going=lambda: time.monotonic() < until)
        if not well and not result.error:  # it came back while the last sync but one was asked to end
            _log.info("%s: %s", hidden(uri), _BACK)
    _log.info("ended; %d left%s", result.left, f": {result.error}" if result.error else "")
    return result.left


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
