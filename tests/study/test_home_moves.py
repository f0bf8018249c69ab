"""A home that is moved or copied is whole where it lies now, and leaves the old one alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from toystudy import toy_study

from segfrontier.home.layout import Home
from segfrontier.home.records import Record, records
from segfrontier.lab.leaving.loading import load_model
from segfrontier.study.run import run_study


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    study = toy_study(folder, methods=["fine"], budgets=[0.2], executor={"kind": "local"})
    run_study(study, home=folder / "runs", tracking="none")
    return folder, study


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_copy_points_into_itself_and_never_writes_into_the_old_one(made, tmp_path):
    folder, study = made
    old = folder / "runs"
    shutil.copytree(old, tmp_path / "copy")
    before = state(old)
    copy = Home((tmp_path / "copy").absolute())
    (record, *_) = records(copy.study(study.name))
    assert (
        Path(record.score_folder).is_relative_to(copy.path) and (Path(record.score_folder) / "pictures.png").is_file()
    )
    assert str(old) not in (copy.cell(record.key) / "record.json").read_text()
    model = load_model(f"{copy.path}:{record.key[:8]}", device="cpu")
    assert model.predict(__import__("numpy").zeros((24, 32, 3), "uint8")).shape == (24, 32)
    again = run_study(study.model_copy(update={"seeds": (0, 1, 5)}), home=copy.path, tracking="none")
    assert set(again.outcomes.values()) == {"done"} and all(path.is_relative_to(copy.path) for path in again.report)
    assert len(records(copy.study(study.name))) == 3
    assert state(old) == before


def test_records_of_earlier_versions_held_whole_paths(made, tmp_path):
    folder, study = made
    shutil.copytree(folder / "runs", tmp_path / "copy")
    copy = Home(tmp_path / "copy")
    (record, *_) = records(copy.study(study.name))
    file = copy.cell(record.key) / "record.json"
    plain = json.loads(file.read_text())
    entry = f"store/entries/{Path(record.score_folder).name}"
    file.write_text(
        json.dumps(plain | {"score_folder": f"/gone/store/runs/{entry}", "pictures": [f"/gone/{entry}/a.png"]})
    )
    moved = Record.load(file.parent)
    assert moved.score_folder == str(copy.path / entry) and moved.pictures == (str(copy.path / entry / "a.png"),)
    file.write_text(json.dumps(plain | {"score_folder": "/elsewhere/x"}))
    assert Record.load(file.parent).score_folder == "", "what lies in no store is in no home"
