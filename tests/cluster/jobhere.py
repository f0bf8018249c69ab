"""A user and a cluster in one process: a head with a token and its job server, and what is submitted there.

To be run in a network namespace of its own, where whatever Ray listens on is loopback. The last line printed is JSON.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from driverhere import trains
from ray.job_submission import JobSubmissionClient
from rayhere import LOOPBACK
from terminal import segfrontier
from waiting import until

ADDRESS = "http://127.0.0.1:28265"
HEAD = (
    "ray", "start", "--head", "--node-ip-address=127.0.0.1", "--port=26379", "--dashboard-host=127.0.0.1",
    "--dashboard-port=28265", "--num-cpus=2", "--disable-usage-stats",
)  # fmt: skip


def main(folder, short):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if not start_head(short):
        return {"started": False}
    work, home = folder / "work", folder / "runs"
    words = ("submit", "study.yaml", "--home", home, "--tracking", "none", "--address", ADDRESS)

    first = segfrontier(*words, "--no-wait", folder=work)
    assert first.returncode == 0, first.stderr
    client = JobSubmissionClient(ADDRESS)
    (job,) = [each for each in client.list_jobs() if each.submission_id]
    assert until(lambda: trains(home), 120), client.get_job_logs(job.submission_id)
    second = segfrontier(*words, folder=work)
    began = time.monotonic()
    client.stop_job(job.submission_id)
    assert until(lambda: ended(client, job.submission_id), 120)
    stop_seconds = time.monotonic() - began
    stopped = client.get_job_info(job.submission_id)
    left = {
        "records": len(list(home.glob("cells/*/record.json"))),
        "checkpoints": len(list(home.rglob("checkpoints/*"))),
    }

    plain = client.submit_job(
        entrypoint="segfrontier run study.yaml",  # whose home is relative
        runtime_env={"working_dir": str(work), "env_vars": {"PYTHONPATH": "platform:methods"}},
    )
    third = segfrontier(*words, folder=work)
    assert until(lambda: ended(client, plain), 120)
    jobs = {each.submission_id: dict(each.metadata) for each in client.list_jobs() if each.submission_id != plain}
    return {
        "started": True, "id": job.submission_id, "second": [second.returncode, second.stderr],
        "stopped": stopped.status.value, "stop_seconds": stop_seconds, "left": left,
        "third": [third.returncode, third.stdout + third.stderr], "jobs": jobs,
        "plain": [client.get_job_info(plain).driver_exit_code, client.get_job_logs(plain)],
        "elsewhere": sorted(listeners() - LOOPBACK),
    }  # fmt: skip


def start_head(short):
    """Whether its dashboard answers, in three tries: Ray calls a head started even if its dashboard never came up.

    Ray's folder needs a short name: a module of the dashboard ends where the path of its socket exceeds 107 bytes, and
    pytest's own folders reach that. Ray itself prints why a dashboard did not start.
    """
    for attempt in range(3):
        started = subprocess.run([*HEAD, f"--temp-dir={short / str(attempt)}"], stdout=subprocess.DEVNULL)
        if started.returncode == 0 and answers():
            return True
        subprocess.run(["ray", "stop", "--force"], stdout=subprocess.DEVNULL)  # it sees this namespace alone
    return False


def answers():
    try:
        return bool(JobSubmissionClient(ADDRESS).get_version())
    except (ConnectionError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return False


def ended(client, job):
    return client.get_job_status(job).is_terminal()


def listeners():
    """Whatever listens in this namespace."""
    lines = [line.split() for t in ("tcp", "tcp6") for line in Path(f"/proc/net/{t}").read_text().splitlines()[1:]]
    return {fields[1].rpartition(":")[0] for fields in lines if fields[3] == "0A"}


if __name__ == "__main__":
    began, found = time.monotonic(), main(*map(Path, sys.argv[1:]))
    print(json.dumps(found | {"seconds": time.monotonic() - began}))
