"""A local Ray listens on 127.0.0.1 alone, is started once, and ends when it should."""

import os
import subprocess
import sys

import pytest
import ray
from rayhere import CLUSTER, LOOPBACK, SETTINGS, family, listening

import segfrontier
import segfrontier_methods
from segfrontier.lab._ray import start_ray

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]


def test_everything_listens_on_loopback_alone():
    processes = family(os.getpid())
    assert any("gcs_server" in c for c in processes.values()) and any("raylet" in c for c in processes.values())
    assert "0100007F" in listening(processes) and listening(processes) <= LOOPBACK
    assert not any("dashboard/dashboard.py" in c and "--head" in c for c in processes.values())


def test_starting_again_changes_nothing():
    before = ray.get_runtime_context().get_job_id()
    start_ray(num_cpus=7)
    assert ray.get_runtime_context().get_job_id() == before and ray.cluster_resources()["CPU"] == 2


def test_workers_inherit_the_cache_and_import_the_engine():
    @ray.remote
    def seen():
        return os.environ["SEGFRONTIER_CACHE"], segfrontier.__file__, segfrontier_methods.__file__

    here = (os.environ["SEGFRONTIER_CACHE"], segfrontier.__file__, segfrontier_methods.__file__)
    assert ray.get(seen.remote()) == here


SIGNALLED = """
import atexit, os, signal, time
heard = []

def signalled(where):
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)  # signals are heard between two steps of Python
    print(where, len(heard), flush=True)

signal.signal(signal.SIGTERM, lambda *_: heard.append(1))
atexit.register(signalled, "at the end")  # after all that whoever is imported later does there
import ray
from ray._private.node import Node
from segfrontier.lab._ray import start_ray, stop_ray

end = Node.kill_all_processes
Node.kill_all_processes = lambda *a, **k: (signalled("while its processes end"), end(*a, **k))
"""


@pytest.mark.slow
@pytest.mark.parametrize("own", [True, False])
def test_signals_are_heard_while_ray_is_left_and_afterwards(own):
    """Ray's servers outlive its library in this process, which took the handler of SIGTERM with it."""
    address = "" if own else ray.get_runtime_context().gcs_address
    code = f"{SIGNALLED}\nstart_ray({address!r} or None, num_cpus=1)\n" + ("stop_ray()" if own else "")
    settings = SETTINGS if own else SETTINGS | CLUSTER
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | settings
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    places = ["while its processes end", "at the end"]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{place} {n}" for n, place in enumerate(places, start=1)]
