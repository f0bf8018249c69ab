"""Drivers as users start them: `segfrontier run` in a process of its own, and what is left when it has gone."""

import os
import subprocess
import sys
import time
from pathlib import Path

from rayhere import SETTINGS

MARK = "SEGFRONTIER_TEST_DRIVER"
RUN = ("run", "study.yaml", "--home", "runs")


def start(study, folder, *words, mark="", **how):
    """The process; it prints into FOLDER/driver.log. Whatever it starts inherits `mark` in its environment."""
    (folder / "study.yaml").write_text(study.to_yaml())
    code = "from segfrontier.cli import main; main()"
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | SETTINGS | {MARK: mark}
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code, *(words or (*RUN, "--tracking", "none"))],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, **({"stdout": log, "stderr": log} | how),
        )  # fmt: skip


def said(folder):
    return (folder / "driver.log").read_text()


def until(holds, seconds=60.0):
    """Whether something came to hold in time."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def trains(home):
    """Whether a cell is in the middle of a training."""
    return any('"done": ' in f.read_text() for f in home.glob("cells/*/status.json"))


def marked(mark):
    """Processes that live and inherited a mark, with their command lines."""
    wanted, found = f"{MARK}={mark}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found
