"""Trainings that move: to nodes with labels, off a node that is taken back, onto more nodes where there is room."""

import json
import logging
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import ray
import torch
from ray.cluster_utils import Cluster
from rayhere import family
from test_ray_faults import Slow, driver
from test_ray_lab import open_toy, weights
from toylab import Recorder, Tiny
from toyworld import write_toy

from segfrontier.lab import Argmax, LocalLab, Part, Plan, Stream
from segfrontier.lab._ray import RayLab, moves, start_ray
from segfrontier.scenes.world import World

pytestmark = [pytest.mark.ray, pytest.mark.soak]

STEPS = 150
SMALL = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
LABELS = {"segfrontier.io/kind": "b"}


class Labelled:
    """A cluster whose nodes are of kind a or b, with a CPU each, beside a head that has none."""

    def __init__(self):
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": SMALL["object_store_memory"]}
        self.cluster, self.nodes = Cluster(initialize_head=True, head_node_args=head), {}

    def add(self, name, kind):
        self.nodes[name] = self.cluster.add_node(labels={"segfrontier.io/kind": kind}, **SMALL)

    def busy(self, name="ray::RayTrainWorker"):
        raylets = {name: node.all_processes["raylet"][0].process.pid for name, node in self.nodes.items()}
        return [n for n, pid in raylets.items() if any(c.startswith(name) for c in family(pid).values())]

    def take_back(self, name):
        """Tell as a provider does that takes a spot node back in a minute."""
        from ray.core.generated.autoscaler_pb2 import DrainNodeReason

        reason, deadline = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"), time.time_ns() // 10**6 + 60_000
        gcs = ray._raylet.GcsClient(address=self.cluster.address)
        accepted, why = gcs.drain_node(self.nodes[name].node_id, reason, "spot", deadline)
        assert accepted, why


def train(lab, seed):
    streams = {"labelled": Stream(parts=(lab.synthetic,), batch=2)}
    return lab.train(Slow(blueprint=Tiny(norm=False)), streams, Plan(steps=STEPS, seed=seed))


def drive(home, uri):
    """One training is taken back in its middle, one finds room for a second worker; say where they ran."""
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format="%(message)s")
    there, seen = Labelled(), {"first": [], "second": []}
    there.add("a", "a")
    there.add("b1", "b")
    moves.GROW_SECONDS = 1.0

    def watched(name, then):
        def on_step(done, total, values):
            if total == STEPS:  # and no image of a pass
                seen[name].append((done, there.busy()))
                then(done)

        return Recorder(on_step=on_step)

    def once(at, act):
        left = [act]
        return lambda done: left.pop()() if done >= at and left else None

    def taken():
        there.add("b2", "b")
        there.take_back("b1")

    start_ray(there.cluster.address)
    more = {"node_labels": LABELS, "max_failures": 0}
    with open_toy(Path(home), World.open(uri), RayLab, watcher=watched("first", once(20, taken)), **more) as lab:
        weights(train(lab, 0))
        made = lab.label(train(lab, 0), Part(images=lab.pool), Argmax())
    more |= {"workers": 2, "fewest_workers": 1}
    grow = once(20, lambda: there.add("b3", "b"))
    with open_toy(Path(home), World.open(uri), RayLab, watcher=watched("second", grow), **more) as lab:
        train(lab, 1)
    print(json.dumps(seen | {"labels": made.digest}))
    with suppress(Exception):
        ray.shutdown()
        there.cluster.shutdown()


def test_a_training_moves_with_its_state_and_its_numbers_stay(tmp_path):
    world = write_toy(tmp_path / "toy", source_train=5, target_train=4, target_val=1)
    with driver("drive", tmp_path / "ray", world.uri, of="test_ray_moves") as process:
        said = process.stdout.read()
        assert process.wait() == 0, said[-3000:]
    print(said)
    seen = json.loads(said.splitlines()[-1])
    for name in ("first", "second"):
        steps = [done for done, _ in seen[name]]
        assert steps == sorted(steps) and steps[-1] == STEPS, f"{name}: what was trained is not trained again"
    where = [[tuple(busy) for _, busy in seen[name]] for name in ("first", "second")]
    assert set(where[0]) - {()} == {("b1",), ("b2",)} and "will be taken back" in said, "on nodes with the label alone"
    assert ("b2",) in where[1] and ("b2", "b3") in where[1] and "there is room for 2 workers" in said
    with open_toy(tmp_path / "ray", world, LocalLab) as lab:  # the same stages: found, not computed
        found = [weights(train(lab, seed)) for seed in (0, 1)]
    with open_toy(tmp_path / "local", world, LocalLab) as lab:
        wanted = [weights(train(lab, seed)) for seed in (0, 1)]
    for ours, theirs in zip(found, wanted, strict=True):
        for key, value in theirs["segmenter"].items():
            torch.testing.assert_close(ours["segmenter"][key], value, rtol=1e-4, atol=1e-5)
