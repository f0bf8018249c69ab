"""A cluster of several small nodes on this machine, in a process of its own that can be told to lose one."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

from rayhere import CLUSTER, SETTINGS, family

MEMORY = 80 * 2**20


def main(count, gpus):
    """Say where the cluster is and which raylets it has; lose the node whose number is read; end with the input."""
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    nodes = [cluster.add_node(num_cpus=1, num_gpus=gpus, object_store_memory=MEMORY) for _ in range(count)]
    raylets = [node.all_processes["raylet"][0].process.pid for node in nodes]
    print(json.dumps({"address": cluster.address, "raylets": raylets}), flush=True)
    for line in sys.stdin:
        cluster.remove_node(nodes[int(line)], allow_graceful=False)
        print("lost", flush=True)


class Nodes:
    """The cluster, from outside."""

    def __init__(self, process):
        self._process = process
        first = next((line for line in process.stdout if line.startswith("{")), None)
        assert first is not None, "the cluster did not start"
        plain = json.loads(first)
        self.address, self._raylets = plain["address"], plain["raylets"]

    def of(self, pid):
        """The number of the node that a process belongs to; None where it is none's."""
        return next((n for n, raylet in enumerate(self._raylets) if pid in family(raylet)), None)

    def lose(self, number):
        """Kill a node with all that runs on it."""
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "lost\n"


@contextmanager
def nodes(count=3, *, gpus=0):
    """So many nodes of one CPU each, beside a head that has none; they and all they started are gone afterwards.

    `gpus` of each are there for Ray alone.
    """
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | SETTINGS | CLUSTER
    process = subprocess.Popen(
        [sys.executable, "-c", f"import nodeshere; nodeshere.main({count}, {gpus})"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
        env=environment | {"RAY_memory_monitor_refresh_ms": "0", "PYTHONPATH": f"{SETTINGS['PYTHONPATH']}:{HERE}"},
    )  # fmt: skip
    try:
        yield Nodes(process)
    finally:
        end(family(process.pid))
        process.communicate()  # closes its pipes as well


def end(pids):
    """Kill processes that may have gone by themselves."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


HERE = Path(__file__).parent
