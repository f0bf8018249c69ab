"""Names of jobs, who may be submitted beside whom, what the driver is told, and what its end means."""

import os
from types import SimpleNamespace

import pytest
from terminal import segfrontier

from segfrontier.basics.marks import mark
from segfrontier.cluster.jobs import JobRequest, ServerJob, attempt_of, exit_code, job_id, job_server, submit
from segfrontier.cluster.package import Package
from segfrontier.errors import BadInput, BadStudy, StageError

ORDER = JobRequest(study="toy", text="name: toy\n", home="/shared/runs")
WHOLE = Package({}, {}, ())
STUDY = "name: toy\nmethods: [fine]\nbudgets: [4]\n"


def job(attempt, status, **changes):
    told = ORDER.metadata(attempt) | changes
    return ServerJob(id=f"toy-{attempt}", status=status, metadata=told)


@pytest.mark.parametrize(
    ("known", "attempt"),
    [
        ([], 1),
        ([job(1, "SUCCEEDED")], 2),
        ([job(3, "STOPPED"), job(11, "FAILED"), job(2, "FAILED")], 12),
        ([job(1, "RUNNING", **{"segfrontier.study": "other"})], 1),
        ([job(1, "RUNNING", **{"segfrontier.home": "/elsewhere"})], 1),
        ([ServerJob(id="a", status="RUNNING", metadata={}), job("odd", "FAILED")], 1),
    ],
)
def test_the_next_attempt_at_a_study(known, attempt):
    assert attempt_of(ORDER, known) == attempt


@pytest.mark.parametrize("status", ["PENDING", "RUNNING"])
def test_a_second_job_beside_a_running_one_is_refused_even_of_another_version_of_the_study(status):
    edited = JobRequest(study="toy", text="name: toy\nseeds: [1]\n", home="/shared/runs")
    assert edited.digest != ORDER.digest
    with pytest.raises(BadStudy, match=rf"one job at a time; toy-2 is {status.lower()}\. .*ray job stop toy-2"):
        attempt_of(edited, [job(1, "FAILED"), job(2, status)])


def test_an_id_says_which_study_what_it_asks_for_where_and_how_often():
    assert job_id(ORDER, 3) == f"toy-{ORDER.digest}-3"
    elsewhere = JobRequest(study="toy", text=ORDER.text, home="/other")
    assert len({ORDER.digest, elsewhere.digest, JobRequest(study="toy", text="", home="/shared/runs").digest}) == 3


class Server:
    """A job server that takes each id once."""

    def __init__(self, *ids):
        self.ids, self.asked = set(ids), []

    def list_jobs(self):
        return []

    def submit_job(self, **asked):
        if asked["submission_id"] in self.ids:
            raise RuntimeError(f"Job with submission_id {asked['submission_id']} already exists")
        self.asked.append(asked)
        return asked["submission_id"]


def test_two_that_submit_in_the_same_second_get_one_job():
    server = Server()
    assert submit(server, ORDER, WHOLE, folder="x") == job_id(ORDER, 1)
    server = Server(job_id(ORDER, 1))  # which the list did not show yet
    with pytest.raises(BadStudy, match="was submitted by another a moment ago"):
        submit(server, ORDER, WHOLE, folder="x")


def test_what_a_server_says_no_to_is_told():
    server = Server()
    server.submit_job = lambda **_: (_ for _ in ()).throw(RuntimeError("no room\nfor it"))
    with pytest.raises(StageError, match="it did not: RuntimeError: no room for it"):
        submit(server, ORDER, WHOLE, folder="x")


def test_the_driver_starts_from_the_folder_and_no_secret_is_on_its_command_line():
    order = JobRequest(study="toy", text="", home="/shared/my runs", tracking="http://me:secret@mlflow:5000")
    assert order.command == "exec python -m segfrontier run .segfrontier/study.yaml --home '/shared/my runs'"
    made = order.runtime_env(Package({}, {}, ("platform", ".segfrontier/code")), folder="x", pip=False)
    assert made["env_vars"]["MLFLOW_TRACKING_URI"] == order.tracking and "pip" not in made
    assert made["env_vars"]["PYTHONPATH"] == "platform:.segfrontier/code"
    assert int(made["env_vars"]["RAY_JOB_STOP_WAIT_TIME_S"]) >= 60, "cells need time to save their state"
    assert "secret" not in str(order.metadata(1))
    none = JobRequest(study="toy", text="", home="/r", tracking="none")
    assert none.command.endswith("--tracking none")
    assert "MLFLOW_TRACKING_URI" not in none.runtime_env(WHOLE, folder="x", pip=True)["env_vars"]
    assert none.runtime_env(WHOLE, folder="x", pip=True)["pip"] == {
        "packages": ["-r ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"]
    }


@pytest.mark.parametrize(
    ("status", "code", "ends"),
    [
        ("SUCCEEDED", 0, 0),
        ("FAILED", 1, 1),
        ("FAILED", 3, 3),
        ("FAILED", None, 1),
        ("STOPPED", None, 130),
        ("STOPPED", 1, 130),
    ],
)
def test_a_jobs_end_is_an_exit_code(status, code, ends):
    info = SimpleNamespace(status=SimpleNamespace(value=status), driver_exit_code=code, submission_id="a")
    assert exit_code(info) == ends


def test_a_log_that_ends_before_its_job_is_no_end():
    info = SimpleNamespace(status=SimpleNamespace(value="RUNNING"), driver_exit_code=None, submission_id="a")
    with pytest.raises(StageError, match="job a has ended before it; it is running still"):
        exit_code(info)


@pytest.mark.parametrize("address", ["auto", "10.0.0.1:6379", "ray://10.0.0.1:10001"])
def test_an_address_that_is_no_dashboard_is_refused(address):
    with pytest.raises(BadInput, match="http://HOST:8265"), job_server(address):
        raise AssertionError


def test_the_address_that_is_given_counts_and_not_the_environments(monkeypatch):
    asked = []

    def client(address):
        asked.append((address, os.environ.get("RAY_ADDRESS")))

    monkeypatch.setattr("segfrontier.cluster.jobs.JobSubmissionClient", client)
    monkeypatch.setenv("RAY_ADDRESS", "http://elsewhere:1")
    with job_server("http://127.0.0.1:8265"):
        pass
    assert asked == [("http://127.0.0.1:8265", None)] and os.environ["RAY_ADDRESS"] == "http://elsewhere:1"


def test_a_relative_home_is_refused_before_anything_is_sent(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    said = segfrontier("submit", "study.yaml", "--home", "runs", folder=tmp_path)
    assert said.returncode == 3 and "absolute path that every node sees; found 'runs'. Give --home" in said.stderr


def test_a_server_that_is_not_there_is_told_in_a_sentence(tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "a" * 64)
    (tmp_path / "study.yaml").write_text(STUDY)
    mark(tmp_path / "runs", "home")
    said = segfrontier(
        "submit", "study.yaml", "--home", "/shared/runs", "--address", "http://127.0.0.1:1", folder=tmp_path
    )
    assert said.returncode == 3 and "dashboard must answer at http://127.0.0.1:1; it does not" in said.stderr
    assert "not sent: runs, a home\n" in said.stderr


def test_constraints_are_asked_for_where_nodes_are_to_install_them(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    said = segfrontier("submit", "study.yaml", "--home", "/shared/runs", "--pip", folder=tmp_path)
    assert said.returncode == 3 and "--pip installs the constraints.txt of the folder" in said.stderr
