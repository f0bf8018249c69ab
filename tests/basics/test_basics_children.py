"""Children that end with their parent, tried by killing it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from waiting import until

from segfrontier.basics.children import bound

POOL = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from segfrontier.basics.children import die_with_parent

def work(_):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once: two processes write here
    time.sleep(60)

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, get_context("spawn"), initializer=die_with_parent, initargs=(os.getpid(),))
    list(pool.map(work, range(2)))
"""
PROGRAM = """
import subprocess, sys, time
from segfrontier.basics.children import bound

tree = "import os, subprocess, sys; print(os.getpid(), subprocess.Popen(['sleep', '60']).pid, flush=True); "
process = subprocess.Popen(bound([sys.executable, "-c", tree + "import time; time.sleep(60)"]))
print(process.pid, flush=True)
time.sleep(60)
"""


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("script", "lines", "count"), [(POOL, 2, 2), (PROGRAM, 2, 3)])
def test_children_die_when_the_parent_is_killed(tmp_path: Path, script: str, lines: int, count: int) -> None:
    (tmp_path / "parent.py").write_text(script)
    parent = subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(word) for _ in range(lines) for word in parent.stdout.readline().split()]
    assert len(children) == count and all(map(lives, children))
    parent.kill()
    parent.wait()
    assert until(lambda: not any(map(lives, children)))
    parent.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_to_the_guard_ends_the_program(sent: signal.Signals) -> None:
    program = subprocess.Popen(
        bound([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"]),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    child = int(program.stdout.readline())
    program.send_signal(sent)
    assert program.wait(10) in (128 + sent, 1, -sent)
    assert until(lambda: not lives(child))
    program.stdout.close()


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_programs(code: int) -> None:
    assert subprocess.run(bound([sys.executable, "-c", f"raise SystemExit({code})"]), timeout=20).returncode == code


def test_a_parent_that_died_before_the_first_look_counts_as_dead() -> None:
    command = bound(["sleep", "60"])
    command[3] = str(os.getpid() + 10**6)  # nobody's parent
    began = time.monotonic()
    assert subprocess.run(command, timeout=20).returncode == 128 + signal.SIGTERM
    assert time.monotonic() - began < 10
