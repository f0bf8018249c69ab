"""Jobs of a study: named so that a second one beside the first is refused, followed, and ended by an exit code.

A job's id is the study's name, a digest of what it asks for and where it keeps it, and a number: the job server takes
each id once. A job that has ended is followed by one of the next number, which goes on from the home.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from segfrontier.basics.wording import one_line
from segfrontier.cluster.package import CONSTRAINTS, STUDY, Package
from segfrontier.errors import BadInput, BadStudy, StageError

ADDRESS = "http://127.0.0.1:8265"
STOP_SECONDS = 120
"""How long `ray job stop` lets cells save their state, before it kills them; Ray's own default is 3."""
ENDED = ("STOPPED", "SUCCEEDED", "FAILED")
_OVERRIDES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
_STOPPED = 130
_TALKERS = (
    "ray._private.runtime_env.packaging", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What is to be run as a job."""

    study: str  # its name
    text: str  # its resolved file
    home: str
    tracking: str | None = None  # MLflow's URI, or "none"

    @property
    def digest(self) -> str:
        """Of all that it asks for."""
        return hashlib.blake2b(f"{self.home}\0{self.text}".encode(), digest_size=4).hexdigest()

    @property
    def command(self) -> str:
        """What the job's driver runs, in the job's folder. `exec`: a stop is to reach it, and not the shell alone."""
        words = ["python", "-m", "segfrontier", "run", str(STUDY), "--home", self.home]
        return "exec " + shlex.join([*words, "--tracking", "none"] if self.tracking == "none" else words)

    def runtime_env(self, package: Package, *, folder: str, pip: bool) -> dict[str, Any]:
        """What Ray prepares on every node. An address of MLflow may hold a password, so no command line shows it."""
        variables = {"PYTHONPATH": package.python_path, "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_SECONDS)}
        if self.tracking not in (None, "none"):
            variables["MLFLOW_TRACKING_URI"] = str(self.tracking)
        asked = {"pip": {"packages": [f"-r ${{RAY_RUNTIME_ENV_CREATE_WORKING_DIR}}/{CONSTRAINTS}"]}} if pip else {}
        return {"working_dir": folder, "env_vars": variables} | asked

    def metadata(self, attempt: int) -> dict[str, str]:
        """Ties the job to its study. The study's run in MLflow has the job's id as tag `segfrontier.job`."""
        return {
            "segfrontier.study": self.study, "segfrontier.home": self.home, "segfrontier.digest": self.digest,
            "segfrontier.attempt": str(attempt), "mlflow.experiment": self.study,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ServerJob:
    """A job as the server knows it."""

    id: str
    status: str
    metadata: Mapping[str, str]

    def is_of(self, order: JobRequest) -> bool:
        """Whether it runs, or ran, the same study in the same home."""
        told = (self.metadata.get("segfrontier.study"), self.metadata.get("segfrontier.home"))
        return told == (order.study, order.home)


def attempt_of(order: JobRequest, known: Iterable[ServerJob]) -> int:
    """The number of the next job of a study; refused while one is at it."""
    mine = [job for job in known if job.is_of(order)]
    if running := [job for job in mine if job.status not in ENDED]:
        raise BadStudy(
            f"a study must be run by one job at a time; {running[0].id} is {running[0].status.lower()}. Follow it with "
            f"`ray job logs --follow {running[0].id}`, or end it with `ray job stop {running[0].id}` and submit again."
        )
    numbers = [job.metadata.get("segfrontier.attempt", "") for job in mine]
    return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def job_id(order: JobRequest, attempt: int) -> str:
    """The id of one attempt at a study."""
    return f"{order.study}-{order.digest}-{attempt}"


@contextmanager
def job_server(address: str) -> Iterator[JobSubmissionClient]:
    """The job server at the address that was given, and no other: Ray would rather take one from the environment."""
    if not address.startswith(("http://", "https://")):
        raise BadInput(
            f"the address of a job server must be that of a cluster's dashboard, http://HOST:8265; found {address!r}. "
            f"`ray dashboard cluster.yaml` brings it to {ADDRESS}."
        )
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    before = {name: os.environ.pop(name) for name in _OVERRIDES if name in os.environ}
    try:
        with answering(address):
            client = JobSubmissionClient(address)
        yield client
    finally:
        os.environ.update(before)


@contextmanager
def answering(address: str) -> Iterator[None]:
    """Tell in a sentence where the server is not there, or does not know us."""
    try:
        yield
    except AuthenticationError:
        raise BadInput(
            f"the cluster at {address} asks for its token; none, or another one, is known here. Copy the cluster's to "
            f"~/.ray/auth_token (mode 0600), or set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH."
        ) from None
    except ConnectionError as error:
        raise BadInput(
            f"a Ray cluster's dashboard must answer at {address}; it does not ({one_line(error)}). Start one with `ray "
            f"up cluster.yaml`, and bring it here with `ray dashboard cluster.yaml`."
        ) from None


def submit(client: JobSubmissionClient, order: JobRequest, package: Package, *, folder: Path, pip: bool = False) -> str:
    """Send a package that was written to a folder, and have it run; the job's id."""
    known = [
        ServerJob(id=job.submission_id or "", status=str(job.status.value), metadata=job.metadata or {})
        for job in client.list_jobs()
    ]
    number = attempt_of(order, known)
    try:
        return str(
            client.submit_job(
                entrypoint=order.command, submission_id=job_id(order, number), metadata=order.metadata(number),
                runtime_env=order.runtime_env(package, folder=str(folder), pip=pip),
            )
        )  # fmt: skip
    except RuntimeError as error:
        if "already" in str(error) and job_id(order, number) in str(error):
            raise BadStudy(
                f"a study must be run by one job at a time; {job_id(order, number)} was submitted by another a moment "
                f"ago. Follow it with `ray job logs --follow {job_id(order, number)}`."
            ) from None
        raise StageError(f"the job server must take the job; it did not: {one_line(error)}") from None


def follow(client: JobSubmissionClient, job: str, show: Callable[[str], None]) -> int:
    """Show a job's log until it has ended; the exit code of its driver."""

    async def tail() -> None:
        async for text in client.tail_job_logs(job):
            show(text)

    asyncio.run(tail())
    return exit_code(client.get_job_info(job))


def exit_code(info: Any) -> int:
    """That of the driver; 130 where it was stopped, 1 where it never came to have one."""
    status = str(info.status.value)
    if status not in ENDED:
        raise StageError(f"the log of job {info.submission_id} has ended before it; it is {status.lower()} still")
    if status == "STOPPED":
        return _STOPPED
    return int(info.driver_exit_code) if info.driver_exit_code is not None else int(status != "SUCCEEDED")
