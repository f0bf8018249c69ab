"""A password in MLflow's address: in no file of the home, whatever becomes of MLflow."""

from functools import partial

import pytest
from toystudy import toy_study

from segfrontier.study import publishing
from segfrontier.study.run import run_study
from segfrontier.tracking import Companion


@pytest.mark.slow
def test_a_password_of_mlflow_stands_in_no_file_of_the_home(tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "Companion", partial(Companion, drain=2.0))
    monkeypatch.setattr(publishing, "_PATIENCE", 1.0)
    uri = "http://me:hunter2@127.0.0.1:9"
    of = toy_study(tmp_path, methods=["fine"], budgets=[0.1], seeds=[0])
    finished = run_study(of, home=tmp_path / "runs", tracking=uri)
    assert finished.unsynced, "nothing answers there"
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(files) > 15 and finished.study.path / "mlflow.log" in files
    assert [path for path in files if b"hunter2" in path.read_bytes()] == []
