"""A local Ray listens on 127.0.0.1 alone, is started once, and ends when it should."""

import os

import pytest
import ray
from rayhere import LOOPBACK, family, listening

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
