"""`segfrontier doctor` and `segfrontier plan` as a user types them."""

import json

import pytest
import typer
import yaml
from typer.testing import CliRunner

from segfrontier.commands import doctor as doctor_module
from segfrontier.commands import plan as plan_module
from segfrontier.doctor.machine import Check
from segfrontier.errors import BadStudy


def run(function, *words):
    app = typer.Typer()
    app.command()(function)
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200", "TERM": "dumb"})


@pytest.fixture
def quick(monkeypatch):
    """Checks that take seconds are left to their own tests."""
    from segfrontier.doctor import machine, services

    for name in ("ray_parts", "upload", "tracking"):
        monkeypatch.setattr(services, name, lambda *_, name=name: machine.ok(name, "well"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def file(tmp_path, toy_world):
    plain = {
        "name": "toy", "worlds": toy_world.uri, "prices": "street", "methods": ["fine"], "budgets": [2, 4],
        "seeds": [0, 1], "recipe": {"pretrained": "never", "steps": 3, "lr": [0.01, 0.02]},
    }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(plain))
    (tmp_path / "runs").mkdir()
    return path


def test_a_healthy_machine_ends_with_0(tmp_path, quick, file, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"total": 10**12, "free": 10**12}))
    done = run(doctor_module.doctor, file, "--home", tmp_path / "runs")
    assert done.exit_code == 0, done.output
    assert "ok    home" in done.output and "target/train 6" in done.output
    assert "weights of mobilenetv3_small_100" in done.output and "no address is given" in done.output
    assert not list((tmp_path / "runs").iterdir())


def test_a_failed_check_ends_with_1_and_its_advice(tmp_path, quick, monkeypatch):
    bad = Check(name="disk", state="fail", found="[nothing] left", advice="make room")
    monkeypatch.setattr("segfrontier.doctor.machine.disk", lambda home: bad)
    done = run(doctor_module.doctor, "--home", tmp_path)
    assert done.exit_code == 1 and f"[nothing] left\n{'':<25}-> make room" in done.output
    done = run(doctor_module.doctor, "--home", tmp_path, "--json")
    (found,) = [check for check in json.loads(done.output) if check["name"] == "disk"]
    assert done.exit_code == 1 and found["state"] == "fail" and found["advice"] == "make room"


def test_a_world_that_does_not_open_is_a_failure_among_others(tmp_path, quick, file):
    done = run(doctor_module.doctor, file, "--set", "worlds=nowhere", "--home", tmp_path, "--json")
    states = {check["name"]: check["state"] for check in json.loads(done.output)}
    assert done.exit_code == 1 and states["world nowhere"] == "fail" and states["home"] == "ok"


def test_a_plan_as_tables_and_words(tmp_path, file):
    done = run(plan_module.plan, file, "--home", tmp_path / "runs", "--no-probe")
    assert done.exit_code == 0, done.output
    lines = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "fine, 2 h lr=0.01 2 1.5 4 0" in lines and "fine, 4 h lr=0.02 2 3.0 4 0" in lines
    assert "train 8 8 0 8" in lines and "buy 8 4" in lines and "8 cells." in lines
    assert done.output.endswith(f"next: segfrontier run {file} --home {tmp_path / 'runs'}\n")
    assert not list((tmp_path / "runs").iterdir())


def test_a_plan_as_json_and_what_is_refused(tmp_path, file):
    done = run(plan_module.plan, file, "--set", "budgets=[0.1, 4]", "--home", tmp_path / "runs", "--no-probe", "--json")
    found = json.loads(done.output)
    assert done.exit_code == 3 and found["stages"]["asked"] == 8 and len(found["cells"]) == 8
    assert [len(labels) for labels in found["refused"].values()] == [4]
    told = run(plan_module.plan, file, "--set", "budgets=[0.1, 4]", "--home", tmp_path / "runs", "--no-probe")
    assert told.exit_code == 3 and "These cells would be refused:" in told.output and "and 1 more" in told.output
    assert "next:" not in told.output


def test_a_plan_tells_the_time_and_the_next_command(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(plan_module.plan, file, "--set", "recipe.lr=0.01", "--set", "budgets=[2, 3]")
    assert done.output.endswith(f"next: segfrontier run {file} --set recipe.lr=0.01 --set 'budgets=[2, 3]'\n")
    assert done.exit_code == 0 and "Compute: about " in done.output and "of one CPU process" in done.output


def test_a_wrong_key_is_refused_before_anything_is_opened(tmp_path, file):
    done = run(plan_module.plan, file, "--set", "budgtes=[4]")
    assert isinstance(done.exception, BadStudy) and "did you mean 'budgets'?" in str(done.exception)
