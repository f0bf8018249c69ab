"""What `ui` and a study start for MLflow ends with them, however they end."""

import signal
import socket
import subprocess
import sys

import pytest
from trackhere import a_home, a_port, a_record
from waiting import alive, until

from segfrontier.home.layout import open_home
from segfrontier.tracking.server import answers, free_port

pytestmark = pytest.mark.slow

CLI = "from segfrontier.cli import program; program()"
UNREACHABLE = """
import sys
from pathlib import Path
from segfrontier.home.layout import Home
from segfrontier.tracking import Companion
with Companion(Home(Path(sys.argv[1])).study("tiny"), sys.argv[2], drain=1) as companion:
    print(companion._process.pid, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_the_dashboard_and_its_port_go_with_ui(tmp_path, number):
    home, port = open_home(tmp_path / "runs").path, a_port()
    address = f"http://127.0.0.1:{port}"
    with (tmp_path / "ui.log").open("wb") as log:
        ui = subprocess.Popen(
            [sys.executable, "-c", CLI, "ui", "--home", str(home), "--port", str(port)], stdout=log, stderr=log
        )
    assert until(lambda: answers(address) or ui.poll() is not None, 120) and ui.poll() is None
    ui.send_signal(number)
    assert ui.wait(30) == (0 if number == signal.SIGHUP else -number)
    assert until(lambda: not answers(address) and free_port(port) == port, 15), "the server has kept its port"


def test_a_companion_whose_mlflow_never_answers_does_not_outlive_its_driver_for_long(tmp_path):
    """A server that takes connections and says nothing holds a request for two minutes."""
    place = a_home(tmp_path / "runs", [a_record()])
    with socket.create_server(("127.0.0.1", 0)) as silent:
        driver = subprocess.Popen(
            [sys.executable, "-c", UNREACHABLE, str(tmp_path / "runs"), f"http://127.0.0.1:{silent.getsockname()[1]}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        companion = int(driver.stdout.readline())
        silent.settimeout(60)
        with silent.accept()[0]:  # it asks, and waits
            driver.kill()
            driver.communicate()
            assert until(lambda: not alive(companion), 15)
    assert place.runs() == {}
