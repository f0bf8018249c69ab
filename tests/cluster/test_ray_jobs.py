"""A study as a job of a real head with a token: what is submitted is what runs, once at a time, stopped and resumed.

All of it happens in a network namespace of its own: Ray's head would listen beyond loopback.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rayhere import TESTS
from toystudy import RECIPE, toy_study

from segfrontier.home.context import read_context
from segfrontier.home.layout import Home
from segfrontier.home.records import records

pytestmark = [pytest.mark.ray, pytest.mark.slow]

ROOT = TESTS.parent
ALONE = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
EDITED = (
    "methods/segfrontier_methods/supervised/objective.py",
    'Loss("cross_entropy", loss)',
    'Loss("edited", 0 * loss)',
)


def may_be_alone():
    try:
        return subprocess.run([*ALONE, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A checkout whose loss was edited, submitted; what its user saw."""
    if not may_be_alone():
        pytest.skip("needs the right to make a network namespace (root), so that nothing listens beyond loopback")
    folder = tmp_path_factory.mktemp("job")
    work = folder / "work"
    for name in ("platform", "methods"):
        shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
    file, old, new = EDITED
    text = (work / file).read_text()
    assert text.count(old) == 1
    (work / file).write_text(text.replace(old, new))
    study = toy_study(
        folder, methods=["fine"], budgets=[0.1], seeds=[0], recipe=RECIPE | {"steps": 200},
        executor={"kind": "ray", "workers_per_stage": 1},
    )  # fmt: skip
    (work / "study.yaml").write_text(study.to_yaml())
    (token := folder / "token").write_text("5" * 64)
    token.chmod(0o600)
    ours = os.pathsep.join(map(str, (work / "platform", work / "methods", TESTS, TESTS / "study")))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "PYTHONPATH": ours, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_memory_monitor_refresh_ms": "0", "SEGFRONTIER_CACHE": str(folder / "cache"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    # A shell for the first process: it takes leave of orphans that have ended, or Ray would wait for them.
    command = [*ALONE, "bash", "-c", '"$@"; exit $?', "bash", sys.executable]
    command += [str(TESTS / "cluster" / "jobhere.py"), str(folder)]
    said = {"capture_output": True, "text": True}
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as short:
        done = subprocess.run([*command, short], cwd=folder, env=environment, timeout=600, **said)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    if not found["started"]:
        pytest.skip(f"Ray's dashboard came up in none of three tries: {done.stderr[-1500:]}")
    return found | {"folder": folder}


def the_edit_in_the_submitted_folder_is_what_training_workers_ran(told):
    assert told["third"][0] == 0, told["third"][1]
    (record,) = records(Home(told["folder"] / "runs").study("toy"))
    curve = {value for _, value in record.curves["train1/edited"]}
    assert curve == {0.0} and "train1/cross_entropy" not in record.curves and record.scenes == 3


def a_second_submit_beside_the_first_is_refused_and_one_after_it_resumes(told):
    code, said = told["second"]
    assert code == 3 and f"one job at a time; {told['id']} is running" in said
    assert sorted(job.rpartition("-")[2] for job in told["jobs"]) == ["1", "2"], "the refused one is no job"
    assert {job["segfrontier.attempt"] for job in told["jobs"].values()} == {"1", "2"}
    assert "toy: 1 cells, 1 to compute" in told["third"][1]


def a_stopped_job_has_saved_its_state(told):
    assert told["stopped"] == "STOPPED" and told["stop_seconds"] < 115, "it was not killed"
    assert told["left"]["records"] == 0 and told["left"]["checkpoints"] > 0
    (log,) = [file.read_text() for file in (told["folder"] / "runs").glob("cells/*/log.txt")]
    assert "stopped" in log and log.rstrip().endswith("done")


def the_home_names_the_job_and_the_job_the_study(told):
    second = f"{told['id'].removesuffix('-1')}-2"
    assert read_context(Home(told["folder"] / "runs").study("toy"))["job"] == second
    assert told["jobs"][second]["segfrontier.study"] == "toy"
    assert told["jobs"][second]["segfrontier.home"] == str(told["folder"] / "runs")


def a_plain_job_with_a_home_that_goes_with_it_is_refused(told):
    code, said = told["plain"]
    assert code == 3 and "the home of a job must be an absolute path; runs lies in the folder" in said


def nothing_listened_beyond_loopback(told):
    assert told["elsewhere"] == []


# One test, so that processes that share out the tests do not each start a cluster.
CHECKS = (
    the_edit_in_the_submitted_folder_is_what_training_workers_ran,
    a_second_submit_beside_the_first_is_refused_and_one_after_it_resumes,
    a_stopped_job_has_saved_its_state,
    the_home_names_the_job_and_the_job_the_study,
    a_plain_job_with_a_home_that_goes_with_it_is_refused,
    nothing_listened_beyond_loopback,
)


def test_a_study_as_a_job(told):
    for check in CHECKS:
        check(told)
