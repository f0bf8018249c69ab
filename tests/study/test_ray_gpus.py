"""A node whose GPUs exist for Ray alone: a study that wants them says so before its first cell, and names the node."""

import pytest
import torch
from driverhere import said, start
from nodeshere import end, nodes
from rayhere import family
from toystudy import toy_study

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.skipif(torch.cuda.is_available(), reason="GPUs are here")]

PATIENCE = 240
TWO = {"methods": ["fine"], "budgets": [0.2], "seeds": [0]}


def test_a_gpu_that_is_none_is_named_before_any_cell_begins(tmp_path):
    study = toy_study(tmp_path, executor={"kind": "ray", "gpus_per_cell": 0.5}, **TWO)
    with nodes(1, gpus=2) as cluster:
        driver = start(study, tmp_path, address=cluster.address)
        try:
            assert driver.wait(PATIENCE) == 3, said(tmp_path)
        finally:
            end(family(driver.pid))
            driver.wait()
    words = " ".join(said(tmp_path).split())
    assert "every GPU that nobody uses must be fit for cells; node" in words and "torch finds no GPU there" in words
    assert not list((tmp_path / "runs").glob("cells/*/record.json"))
