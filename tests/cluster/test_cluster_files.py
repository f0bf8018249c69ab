"""The files that start clusters and jobs: read as Ray, the shell and Kubernetes read them, and held to their words."""

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.runtime_env import RuntimeEnv

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(Path(ray.autoscaler.__file__).with_name("ray-schema.json").read_text())
AWS = yaml.safe_load((ROOT / "cluster.yaml").read_text())
TYPES = AWS["available_node_types"]
WORKERS = {name: plain for name, plain in TYPES.items() if name != AWS["head_node_type"]}
RAYJOB = yaml.safe_load((ROOT / "cluster/rayjob.yaml").read_text())
COMMANDS = [
    command
    for name, found in AWS.items()
    if name.endswith("_commands")
    for command in found
    if isinstance(command, str)
]


def test_cluster_yaml_is_what_rays_launcher_takes():
    jsonschema.validate(AWS, SCHEMA)
    whole = prepare_config(AWS)  # as `ray up` fills it up with defaults
    validate_config(whole)
    assert set(whole["available_node_types"]) == set(TYPES), "nothing of Ray's defaults is started beside ours"


def test_a_mistake_in_it_would_be_refused():
    with pytest.raises(Exception, match="Additional properties"):
        jsonschema.validate(AWS | {"head_node": {}}, SCHEMA)
    wrong = {**TYPES, "gpu-small": TYPES["gpu-small"] | {"resources": {"GPU": 0.5}}}
    with pytest.raises(Exception, match="0.5 is not of type 'integer'"):
        jsonschema.validate(AWS | {"available_node_types": wrong}, SCHEMA)


def test_the_head_is_on_demand_and_computes_nothing():
    head = TYPES[AWS["head_node_type"]]
    assert head["resources"] == {"CPU": 0, "GPU": 0} and "InstanceMarketOptions" not in head["node_config"]
    (start,) = [command for command in AWS["head_start_ray_commands"] if "ray start" in command]
    assert "--num-cpus=0" in start and "--dashboard-host=127.0.0.1" in start
    kept = [
        disk for disk in head["node_config"]["BlockDeviceMappings"] if not disk["Ebs"].get("DeleteOnTermination", True)
    ]
    assert len(kept) == 1, "MLflow's database lies on a volume that outlives the head"


def test_workers_come_from_nothing_spot_first_with_the_same_on_demand():
    assert AWS["idle_timeout_minutes"] > 0
    for name, plain in WORKERS.items():
        assert plain["min_workers"] == 0 < plain["max_workers"] <= AWS["max_workers"], name
        spot = plain["node_config"].get("InstanceMarketOptions") == {"MarketType": "spot"}
        assert plain["labels"]["ray.io/market-type"] == ("spot" if spot else "on-demand") and spot == name.endswith(
            "-spot"
        )
        if spot:
            other = WORKERS[name.removesuffix("-spot")]
            assert plain["priority"] > other["priority"], "the cheaper one is tried first"
            same = ("resources", "max_workers")
            assert [plain[key] for key in same] == [other[key] for key in same]
            assert plain["node_config"]["InstanceType"] == other["node_config"]["InstanceType"]
            assert plain["labels"]["ray.io/accelerator-type"] == other["labels"]["ray.io/accelerator-type"]
    assert sorted(plain["resources"]["GPU"] for plain in WORKERS.values()) == [1, 1, 8, 8]


def test_every_node_shows_the_token_and_mounts_the_shared_file_system():
    assert AWS["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert any("chmod 600 ~/.ray/auth_token" in command for command in AWS["setup_commands"])
    assert any("mount -t nfs4" in command and command.endswith("/shared") for command in AWS["setup_commands"])
    for side in ("head", "worker"):
        (start,) = [command for command in AWS[f"{side}_start_ray_commands"] if "ray start" in command]
        assert "RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$HOME/.ray/auth_token" in start, side
    assert not any(re.search(r"RAY_AUTH_MODE=disabled|RAY_AUTH_TOKEN=", command) for command in COMMANDS)


def test_nothing_listens_to_the_world():
    assert not any("0.0.0.0" in command for command in COMMANDS)
    (server,) = [command for command in COMMANDS if "mlflow server" in command]
    assert "--host 127.0.0.1" in server and "s3://" in server and "sqlite:////mlflow/" in server


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_are_shell(command):
    subprocess.run(["bash", "-n", "-c", command], check=True)


def test_the_project_is_installed_from_its_constraints():
    assert any("-c ~/segfrontier/constraints.txt -e" in command for command in AWS["setup_commands"])
    assert AWS["file_mounts"]["/home/ubuntu/segfrontier"] == "."


def test_the_runtime_env_of_the_plain_command_is_one():
    plain = yaml.safe_load((ROOT / "cluster/runtime-env.yaml").read_text())
    made = RuntimeEnv(**plain)
    assert made.env_vars()["PYTHONPATH"].split(":") == ["platform", "methods"]
    assert all((ROOT / place).is_dir() for place in ("platform", "methods"))
    shown = (ROOT / "cluster/runtime-env.yaml").read_text().partition("# pip:")[2]
    with_pip = yaml.safe_load("pip:" + shown.replace("\n# ", "\n"))
    assert RuntimeEnv(**plain, **with_pip).pip_config()["packages"] == [
        "-r ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/constraints.txt"
    ]


def test_the_rayjob_resumes_asks_for_the_token_and_starts_from_nothing():
    assert (RAYJOB["apiVersion"], RAYJOB["kind"]) == ("ray.io/v1", "RayJob")
    spec = RAYJOB["spec"]
    assert spec["submissionMode"] == "SidecarMode" and spec["backoffLimit"] == 2
    cluster = spec["rayClusterSpec"]
    head = cluster["headGroupSpec"]
    assert head["template"]["spec"]["restartPolicy"] == "Never" and head["rayStartParams"]["num-cpus"] == "0"
    assert cluster["authOptions"] == {"mode": "token"} and cluster["enableInTreeAutoscaling"] is True
    assert "--home /shared/" in spec["entrypoint"]
    mounts = [
        {mount["mountPath"] for mount in group["template"]["spec"]["containers"][0]["volumeMounts"]}
        for group in (head, *cluster["workerGroupSpecs"])
    ]
    assert all("/shared" in mount for mount in mounts), "every pod sees the home"
    assert all(group["minReplicas"] == 0 for group in cluster["workerGroupSpecs"])
    RuntimeEnv(**yaml.safe_load(spec["runtimeEnvYAML"]))


def test_the_rayjob_deletes_workers_first_and_keeps_a_failed_head_for_an_hour():
    rules = RAYJOB["spec"]["deletionStrategy"]["deletionRules"]
    found = {(rule["condition"]["jobStatus"], rule["policy"]): rule["condition"]["ttlSeconds"] for rule in rules}
    assert found["FAILED", "DeleteWorkers"] < found["FAILED", "DeleteCluster"] == 3600
    assert ("SUCCEEDED", "DeleteCluster") in found


def test_versions_are_those_of_the_constraints():
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    assert RAYJOB["spec"]["rayClusterSpec"]["rayVersion"] == pinned["ray"]
