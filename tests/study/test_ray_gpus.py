"""A node whose GPUs exist for Ray alone: a study that wants them says so before its first cell, and names the node."""

import json

import pytest
import torch
from driverhere import RUN, said, start
from nodeshere import end, nodes
from rayhere import family
from toystudy import toy_study

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.skipif(torch.cuda.is_available(), reason="GPUs are here")]

PATIENCE = 240
TWO = {"methods": ["fine"], "budgets": [0.2], "seeds": [0]}


def test_a_gpu_that_is_none_is_named_before_any_cell_begins(tmp_path):
    study = toy_study(tmp_path, executor={"kind": "ray", "gpus_per_cell": 0.5}, **TWO)
    with nodes(1, gpus=2) as cluster:
        examined = start(study, tmp_path, *("doctor", *RUN[1:], "--json"), address=cluster.address)
        answers = ends(examined)
        assert answers == 1, said(tmp_path)
        (line,) = [one for one in said(tmp_path).splitlines() if one.startswith("[")]
        (gpus,) = [check for check in json.loads(line) if check["name"].startswith("GPUs of ")]
        assert gpus["state"] == "fail" and gpus["found"].startswith("torch finds no GPU there")
        (tmp_path / "driver.log").unlink()
        assert ends(start(study, tmp_path, address=cluster.address)) == 3, said(tmp_path)
        words = " ".join(said(tmp_path).split())
        assert "every GPU that nobody uses must be fit for cells; node" in words and "torch finds no GPU there" in words
        assert not list((tmp_path / "runs").glob("cells/*/record.json"))


def ends(driver):
    """The exit code of a driver; whatever it left is gone."""
    try:
        return driver.wait(PATIENCE)
    finally:
        end(family(driver.pid))
        driver.wait()
