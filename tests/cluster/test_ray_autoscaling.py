"""A study on a cluster of no nodes: they come for its cells, spot ones first, and leave when they have been idle."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from rayhere import TESTS
from test_ray_jobs import ALONE, may_be_alone
from toystudy import outcome, toy_study

from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.study.run import run_study

pytestmark = [pytest.mark.ray, pytest.mark.soak]


def test_a_study_brings_its_nodes_and_they_leave_with_it(tmp_path):
    if not may_be_alone():
        pytest.skip("needs the right to make a network namespace (root), so that nothing listens beyond loopback")
    cells = {"methods": ["fine", "fine+coarse"], "budgets": [200 / 3600], "seeds": [0, 1]}
    study = toy_study(tmp_path, **cells, executor={"kind": "ray", "parallel_cells": 2})
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    (token := tmp_path / "token").write_text("5" * 64)
    token.chmod(0o600)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "PYTHONPATH": os.pathsep.join([*filter(None, sys.path), str(TESTS)]), "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token), "RAY_memory_monitor_refresh_ms": "0",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    command = [*ALONE, "bash", "-c", '"$@"; exit $?', "bash", sys.executable]
    command += [str(TESTS / "cluster" / "autoscaledhere.py"), str(tmp_path)]
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as short:
        done = subprocess.run(
            [*command, short], cwd=tmp_path, env=environment, timeout=400, capture_output=True, text=True
        )
    log = (tmp_path / "driver.log").read_text() if (tmp_path / "driver.log").exists() else ""
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + log[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["refused"] == 3 and "is on a disk of this machine alone" in (tmp_path / "refused.log").read_text()
    assert found["code"] == 0, log
    (head,) = found["began"].values()
    assert head["cpus"] == 0 and head["labels"]["ray.io/market-type"] == "on-demand"
    came = [node for name, node in found["seen"].items() if name not in found["began"]]
    assert 1 <= len(came) <= 2, "as many as two cells at once need, and no more"
    assert {node["labels"]["ray.io/market-type"] for node in came} == {"spot"}, "on demand where no spot is to be had"
    assert found["gone"] and found["left"] == found["began"]
    here = run_study(toy_study(tmp_path, **cells), home=tmp_path / "here", tracking="none").study
    there = Home(tmp_path / "runs").study("toy")
    told = [sorted(map(str, map(outcome, records(place)))) for place in (there, here)]
    assert len(told[0]) == 4 and told[0] == told[1]
