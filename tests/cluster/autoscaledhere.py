"""cluster.yaml's worker types under Ray's own autoscaler, scaled down to CPUs: a study from zero nodes to zero nodes.

Nodes are processes of Ray's fake provider, which is where Ray itself tests its autoscaler. To be run in a network
namespace of its own: the head listens where it likes. The last line printed is JSON.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import ray
import yaml
from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID, FAKE_HEAD_NODE_TYPE
from rayhere import TESTS
from waiting import until

PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"
GCS = "127.0.0.1:6379"  # where the provider's nodes look for it
SHARED = "import segfrontier.study.preflight as p; p._OF_ONE_MACHINE = (); "
"""All nodes are processes of this machine, which share its disk: of which kind it is says otherwise."""
FAKE = {
    "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1", "RAY_enable_autoscaler_v2": "1",
    "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID, "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
}  # fmt: skip


def scaled_down():
    """The file with a CPU for each GPU, two at most, and seconds for minutes."""
    real = yaml.safe_load((TESTS.parent / "cluster.yaml").read_text())
    types = {}
    for name, plain in real["available_node_types"].items():
        gpus = plain["resources"]["GPU"]
        types[name] = {k: v for k, v in plain.items() if k in ("labels", "min_workers", "max_workers", "priority")}
        types[name] |= {"resources": {"CPU": min(gpus, 2)}, "node_config": {}}
        types[name]["max_workers"] = min(plain["max_workers"], 2)
    types[FAKE_HEAD_NODE_TYPE] = types.pop(real["head_node_type"])  # the provider gives its head this name
    lists = {name: [] for name in real if name.endswith("_commands")}
    lists |= {"initialization_commands": [], "worker_setup_commands": [], "cluster_synced_files": []}
    return {
        "cluster_name": real["cluster_name"], "auth": {},
        "head_node_type": FAKE_HEAD_NODE_TYPE, "available_node_types": types,
        "provider": {"type": "external", "module": PROVIDER, "launch_multiple": True}, "file_mounts": {},
        "max_workers": 2, "upscaling_speed": real["upscaling_speed"], "idle_timeout_minutes": 0.2, **lists,
    }  # fmt: skip


def main(folder, short):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    config = short / "autoscaling.json"
    config.write_text(json.dumps(scaled_down()))
    head = ("ray", "start", "--head", "--port=6379", "--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1")
    head += ("--num-cpus=0", "--num-gpus=0", "--disable-usage-stats", f"--temp-dir={short}")
    labels = scaled_down()["available_node_types"][FAKE_HEAD_NODE_TYPE]["labels"]
    subprocess.run(
        [*head, f"--labels={','.join(f'{k}={v}' for k, v in labels.items())}", f"--autoscaling-config={config}"],
        env=os.environ | FAKE, stdout=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    ray.init(GCS, log_to_driver=False)
    began, seen = nodes(), {}
    refused = start(folder, "refused.log").wait()
    driver = start(folder, "driver.log", SHARED)
    while driver.poll() is None:
        seen |= nodes()
        time.sleep(0.5)
    gone = until(lambda: nodes().keys() == began.keys(), 90)
    codes = {"refused": refused, "code": driver.returncode}
    return codes | {"began": began, "seen": seen, "gone": gone, "left": nodes()}


def start(folder, log, before=""):
    run = ("run", "study.yaml", "--home", "runs", "--tracking", "none", "--address", GCS)
    with (folder / log).open("wb") as file:
        code = f"{before}from segfrontier.cli import program; program()"
        return subprocess.Popen([sys.executable, "-c", code, *run], cwd=folder, stdout=file, stderr=file)


def nodes():
    """The CPUs and labels of the nodes that are alive, by their ids."""
    return {
        node["NodeID"]: {"cpus": node["Resources"].get("CPU", 0), "labels": node["Labels"]}
        for node in ray.nodes()
        if node["Alive"]
    }


if __name__ == "__main__":
    print(json.dumps(main(*map(Path, sys.argv[1:]))))
