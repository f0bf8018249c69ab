"""Drivers as users start them: `segfrontier run` in a process of its own, and what is left when it has gone."""

import os
import subprocess
import sys
from pathlib import Path

from rayhere import CLUSTER, SETTINGS

RUN = ("run", "study.yaml", "--home", "runs")


def start(study, folder, *words, address=None, **how):
    """The process; it prints into FOLDER/driver.log. Without an address it starts a Ray of its own."""
    (folder / "study.yaml").write_text(study.to_yaml())
    code = "from segfrontier.cli import program; program()"
    others = {"RAY_memory_monitor_refresh_ms": "0"}  # what else runs here may need the memory
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | SETTINGS | others
    if address is not None:
        environment |= CLUSTER | {"RAY_ADDRESS": address}
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code, *(words or (*RUN, "--tracking", "none"))],
            cwd=folder, env=environment, stdin=subprocess.DEVNULL, **({"stdout": log, "stderr": log} | how),
        )  # fmt: skip


def said(folder):
    return (folder / "driver.log").read_text()


def trains(home):
    """Whether a cell is in the middle of a training."""
    return any('"done": ' in f.read_text() for f in home.glob("cells/*/status.json"))


def lives(processes):
    """Those of some processes, by pid and command line, that have not ended."""
    found = {}
    for pid, command in processes.items():
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found[pid] = command
    return found
