"""Stages that span nodes: two train together, three label side by side, one is lost in the middle of each."""

import hashlib
import json
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from rayhere import family
from test_ray_faults import STEPS, Slow, driver, saying
from test_ray_lab import open_toy
from toyworld import write_toy

from segfrontier.lab import Argmax, Part, Plan, Rule, Stream
from segfrontier.lab._ray import RayLab, start_ray
from segfrontier.scenes.world import World

pytestmark = [pytest.mark.ray, pytest.mark.soak]

SCENES, SECONDS = 120, 0.1
HEAD = {"include_dashboard": False}
SMALL = {"object_store_memory": 80 * 2**20}


@dataclass(frozen=True)
class Dwelling(Rule):
    """Takes its time, and leaves word of the node that it works on."""

    seen: str

    def label(self, predictor, image, known):
        node = Path(self.seen, ray.get_runtime_context().get_node_id())
        node.write_text(str(int(node.read_text()) + 1) if node.exists() else "1")
        time.sleep(SECONDS)
        return Argmax().label(predictor, image, known)


class Small:
    """A cluster of four nodes of one CPU each, beside a head that has none."""

    def __init__(self):
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **HEAD, **SMALL})
        self.nodes = [self.cluster.add_node(num_cpus=1, **SMALL) for _ in range(4)]

    def busy(self, name):
        """The nodes that have a process of this name."""
        raylets = {node: family(node.all_processes["raylet"][0].process.pid).values() for node in self.nodes}
        return [node for node, commands in raylets.items() if any(c.startswith(name) for c in commands)]

    def lose(self, node):
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)


def drive(home, uri, loses):
    """Train on two workers and label with three, on nodes of which one is lost in the middle of each; say what came."""
    home, small, spans = Path(home), Small(), {}
    seen = home.parent / "seen"  # the same for both: a rule's fields are part of what it makes
    shutil.rmtree(seen, ignore_errors=True)
    seen.mkdir()

    def while_training(done):
        if done >= 10 and "train" not in spans:
            busy = small.busy("ray::RayTrainWorker")
            spans["train"] = len(busy)
            if loses == "True":
                small.lose(busy[0])

    def while_labelling():
        while len(nodes := list(seen.iterdir())) < 3 or any(not n.read_text() for n in nodes):
            time.sleep(0.05)
        spans["label"] = len(nodes)
        if loses == "True":
            small.lose(small.busy("ray::MapWorker")[0])

    start_ray(small.cluster.address)
    with open_toy(home, World.open(uri), RayLab, watcher=saying(while_training), workers=2, actors=3) as lab:
        model = lab.train(Slow(), {"labelled": Stream(parts=(lab.synthetic,), batch=2)}, Plan(steps=STEPS))
        threading.Thread(target=while_labelling, daemon=True).start()
        made = lab.label(model, Part(images=lab.pool), Dwelling(str(seen)))
        weights = hashlib.sha256(Path(model.file()).read_bytes()).hexdigest()
        looked = sum(int(node.read_text() or 0) for node in seen.iterdir())
        print(json.dumps({"weights": weights, "labels": made.digest, "count": len(made), "looked": looked} | spans))
    with suppress(Exception):
        ray.shutdown()
        small.cluster.shutdown()


def test_two_workers_and_three_labellers_span_the_nodes_and_a_lost_one_changes_nothing(tmp_path):
    world = write_toy(tmp_path / "toy", source_train=5, target_train=SCENES, target_val=1)
    found = {}
    for loses in (False, True):
        with driver("drive", tmp_path / str(loses), world.uri, loses, of="test_ray_spans") as process:
            said = process.stdout.read()
            assert process.wait() == 0, said[-2000:]
            found[loses] = json.loads(said.splitlines()[-1])
    whole, less = found[False], found[True]
    assert (whole["train"], whole["label"], less["train"], less["label"]) == (2, 3, 2, 3)
    assert whole["looked"] == SCENES < less["looked"], "what the lost node had begun was looked at again"
    assert [less[k] for k in ("weights", "labels", "count")] == [whole[k] for k in ("weights", "labels", "count")]
