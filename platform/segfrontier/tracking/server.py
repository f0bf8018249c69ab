"""An MLflow server of our own on 127.0.0.1, over an SQLite file; it ends with the block, or with this process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from segfrontier.basics.children import bound
from segfrontier.errors import BadInput, SegFrontierError
from segfrontier.tracking.address import artefacts_beside

HOST = "127.0.0.1"
_PATIENCE, _GRACE = 120.0, 10.0
_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Server:
    """`mlflow server` as a child process; inside the block it answers at `address`. What it says is in `log`."""

    def __init__(self, uri: str, *, port: int, log: Path) -> None:
        self.uri, self.port, self.log = uri, port, log
        self.address = f"http://{HOST}:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", self.uri, "--workers", "1"]
        command += [
            "--artifacts-destination",
            str(artefacts_beside(self.uri)),
            "--host",
            HOST,
            "--port",
            str(self.port),
        ]
        environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | _SETTINGS
        with self._opened_log() as log:
            # A session of its own: Ctrl-C reaches this process alone, which then ends the server with its workers.
            self.process = subprocess.Popen(
                bound(command),
                env=environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait_for_answer(self.process)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End it and its workers; nothing happens where it has ended."""
        if self.process is None:
            return
        process, self.process = self.process, None
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(_GRACE)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        process.wait()

    def _opened_log(self) -> BinaryIO:
        try:
            return self.log.open("wb")
        except OSError as error:
            raise BadInput(
                f"the dashboard must be able to write its log; {self.log} cannot be written ({error.strerror}). Give "
                f"a --home that can."
            ) from None

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _PATIENCE
        while not answers(self.address):
            if process.poll() is not None or time.monotonic() > until:
                tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
                raise SegFrontierError(
                    f"the dashboard at {self.address} must answer; it has not, and ended with {process.poll()}; "
                    f"{self.log} says:\n{tail}"
                )
            time.sleep(0.1)


def answers(address: str) -> bool:
    """Whether an MLflow server is at an address."""
    return said_at(f"{address}/health") is not None


def said_at(url: str) -> str | None:
    """What a server says there; None where nobody answers, or somebody who does not speak HTTP, as Ray's ports do."""
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return str(reply.read(1000).decode(errors="replace").strip())
    except (OSError, HTTPException):
        return None


def free_port(first: int) -> int:
    """The first free port of 127.0.0.1 from `first` on; any free one for 0."""
    for port in range(first, min(first + 100, 65536)) if first else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SegFrontierError(f"one of the ports {first} to {first + 99} must be free; none is; give another --port")
