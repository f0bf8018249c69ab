"""What `ui` and a study start for MLflow ends with them, however they end."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from segfrontier.home.layout import open_home
from segfrontier.tracking.server import answers, free_port

pytestmark = pytest.mark.slow

CLI = "from segfrontier.cli import main; main()"
UNREACHABLE = """
import os, sys
from pathlib import Path
from segfrontier.tracking import Spool, Writer
spool = Spool(Path(sys.argv[1]))
spool.put("study", "toy", {"study": "toy"})
with Writer(spool, sys.argv[2], Path(sys.argv[1]) / "runs.json", drain=1) as writer:
    print(writer._process.pid, flush=True)
    sys.stdin.readline()
"""


def until(holds, seconds):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.1)
    return holds()


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_dashboard_and_its_port_go_with_ui(tmp_path, number):
    home, port = open_home(tmp_path / "runs").path, free_port(0)
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "ui.log").open("wb") as log:
        ui = subprocess.Popen(
            [sys.executable, "-c", CLI, "ui", "--home", str(home), "--port", str(port)], stdout=log, stderr=log
        )
    assert until(lambda: answers(address) or ui.poll() is not None, 120) and ui.poll() is None
    ui.send_signal(number)
    assert ui.wait(30) == (0 if number == signal.SIGHUP else -number)
    assert until(lambda: not answers(address) and free_port(port) == port, 15), "the server has kept its port"


def test_a_writer_whose_mlflow_never_answers_does_not_outlive_its_driver_for_long(tmp_path):
    """A server that takes connections and says nothing holds a request for two minutes."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        driver = subprocess.Popen(
            [sys.executable, "-c", UNREACHABLE, str(tmp_path), f"http://127.0.0.1:{silent.getsockname()[1]}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        writer = int(driver.stdout.readline())
        silent.settimeout(60)
        with silent.accept()[0]:  # it asks, and waits
            driver.kill()
            driver.communicate()
            assert until(lambda: not alive(writer), 15)
    assert len(list(tmp_path.glob("[0-9]*.json"))) == 1, "nothing is lost"
