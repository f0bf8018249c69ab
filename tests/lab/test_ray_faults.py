"""Killed drivers, stopped drivers and lost nodes: work goes on from what was stored, and the weights are the same."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from rayhere import CLUSTER, SETTINGS, family
from test_ray_lab import assert_same, open_toy, weights
from toylab import Plain, Recorder
from toyworld import write_toy

from segfrontier.errors import Stopped
from segfrontier.lab import LocalLab, Plan, Stream
from segfrontier.lab._ray import RayLab, start_ray
from segfrontier.scenes.world import World

pytestmark = [pytest.mark.ray, pytest.mark.slow]

STEPS, STOPPED = 60, 7
AGENTS = ("ray::RuntimeEnvAgent", "ray::DashboardAgent")  # they wait a minute for the rest of a killed Ray


@dataclass(frozen=True, kw_only=True)
class Slow(Plain):
    """Takes its time, so that something can happen to it."""

    delay: float = 0.1

    def step(self, nets, batch, at):
        time.sleep(self.delay)
        yield from super().step(nets, batch, at)


def saying(then=lambda done: None):
    """Prints each step it hears of, and passes it on."""

    def on_step(done, total, values):
        print("step", done, flush=True)
        then(done)

    return Recorder(on_step=on_step)


def train(home, world, kind, watcher=None, *, delay=0.1, **more):
    with open_toy(home, world, kind, watcher=watcher, **more) as lab:
        streams = {"labelled": Stream(parts=(lab.synthetic,), batch=2)}
        return weights(lab.train(Slow(delay=delay), streams, Plan(steps=STEPS)))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("faults") / "toy", source_train=5, target_train=2, target_val=1)


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    return train(tmp_path_factory.mktemp("local"), world, LocalLab, delay=0.0)


@pytest.fixture(scope="module")
def agents():
    """Those of a Ray that was killed, all gone after a minute at most; the next test passes it."""
    left = set()
    yield left
    wait_until_gone(left, seconds=90)


def drive(home, uri):
    """A driver of its own: trains, and says how it ended."""
    try:
        train(Path(home), World.open(uri), RayLab, saying())
    except Stopped as stopped:
        print(stopped)
        sys.exit(STOPPED)


@contextmanager
def driver(call, *arguments, of="test_ray_faults"):
    """A driver in a process of its own; it and all it started are gone afterwards."""
    code = f"import {of} as t; t.{call}{tuple(map(str, arguments))!r}"
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | SETTINGS | CLUSTER
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
    watchdog = threading.Timer(420, lambda: kill(family(process.pid)))
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        kill(family(process.pid))
        process.wait()
        process.stdout.close()


def kill(pids):
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def read_until(process, step):
    """The steps that a driver has said, up to the wanted one."""
    said = []
    for line in process.stdout:
        if line.startswith("step "):
            said.append(int(line.split()[1]))
            if said[-1] >= step:
                return said
    raise AssertionError(f"the driver ended before step {step}; it said {said}")


def wait_until_gone(pids, *, seconds):
    deadline = time.monotonic() + seconds
    while left := [p for p in pids if Path(f"/proc/{p}").exists() and not zombie(p)]:
        assert time.monotonic() < deadline, f"still there: {[Path(f'/proc/{p}/cmdline').read_bytes() for p in left]}"
        time.sleep(0.2)


def zombie(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_a_driver_killed_then_stopped_then_done_without_ray(world, undisturbed, agents, tmp_path):
    with driver("drive", tmp_path, world.uri) as first:
        read_until(first, 10)
        started = family(first.pid)
        first.kill()
        first.wait()
    agents |= {pid for pid, command in started.items() if command.startswith(AGENTS)}
    wait_until_gone(started.keys() - agents, seconds=30)
    with driver("drive", tmp_path, world.uri) as second:
        assert read_until(second, 30)[0] > 10, "it goes on from what was stored"
        started = family(second.pid)
        second.terminate()
        rest = second.stdout.read()
        assert second.wait() == STOPPED and "was asked to stop and did, after step" in rest
        wait_until_gone(started, seconds=30)
    rest = Recorder()
    assert_same(train(tmp_path, world, LocalLab, rest), undisturbed)
    assert rest.steps[0][0] > 30, "what Ray's workers stored, one process goes on from"


def drive_cluster(home, uri):
    """Train on a cluster of two nodes and remove the one that the worker is on."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]

    def lose_a_node(done):
        if done >= 10 and len(nodes) == 2:
            busy = next(node for node in nodes if trains(node.all_processes["raylet"][0].process.pid))
            nodes.remove(busy)
            cluster.remove_node(busy, allow_graceful=False)
            print("lost a node", flush=True)

    start_ray(cluster.address)
    train(Path(home), World.open(uri), RayLab, saying(lose_a_node))
    ray.shutdown()
    cluster.shutdown()


def trains(raylet):
    return any(command.startswith("ray::RayTrainWorker") for command in family(raylet).values())


def test_a_lost_node_is_done_without(world, undisturbed, tmp_path):
    with driver("drive_cluster", tmp_path, world.uri) as process:
        said = process.stdout.read()
        assert process.wait() == 0 and "lost a node" in said and f"step {STEPS}" in said
    assert_same(train(tmp_path, world, LocalLab), undisturbed)
