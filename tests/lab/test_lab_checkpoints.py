"""Checkpoints that are whole and still will not do: training goes on from the one before, or anew, to the same end."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from test_lab_training import assert_same, train
from toylab import Plain

from segfrontier.scenes.files import digest

CHECKPOINTS = "cut/work/checkpoints"


def named(folder: Path, data: bytes, step: int = 9) -> Path:
    """A checkpoint whose digest is right."""
    path = folder / f"step-{step:09d}-{digest(data)}.pt"
    path.write_bytes(data)
    return path


def saved(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def changed(folder: Path, **changes: object) -> bytes:
    newest = max(folder.glob("step-*.pt"))
    return saved(torch.load(newest, weights_only=True) | changes)


class Hostile:
    """What a pickle that runs code looks like."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


BAD: dict[str, Callable[[Path], object]] = {
    "no bytes": lambda f: named(f, b""),
    "text": lambda f: named(f, b"not a checkpoint"),
    "half a zip": lambda f: named(f, max(f.glob("step-*.pt")).read_bytes()[:-200]),
    "a pickle that runs code": lambda f: named(f, pickle.dumps(Hostile())),
    "a list": lambda f: named(f, saved([1, 2])),
    "no learners": lambda f: named(f, saved({"step": 9})),
    "no history": lambda f: named(f, changed(f, history=None)),
    "a step that is none": lambda f: named(f, changed(f, step="nine")),
    "another network": lambda f: named(f, changed(f, learners={"weights": {"segmenter": {"x": torch.ones(3)}}})),
    "a folder": lambda f: (f / f"step-000000009-{'0' * 32}.pt").mkdir(),
    "a pipe": lambda f: os.mkfifo(f / f"step-000000009-{'0' * 32}.pt"),
    "a link to nowhere": lambda f: (f / f"step-000000009-{'0' * 32}.pt").symlink_to("nowhere"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, dict[str, torch.Tensor]], str]]:
    from toyworld import write_toy

    folder = tmp_path_factory.mktemp("whole")
    weights = train(Plain(), write_toy(folder / "toy"), folder, name="whole")
    return weights, (folder / "whole" / "out" / "log.jsonl").read_text()


@pytest.mark.parametrize("alone", [False, True], ids=["one before it", "alone"])
@pytest.mark.parametrize("name", BAD)
def test_training_goes_on_from_the_one_before_or_anew(toy_world, tmp_path, whole, name, alone):
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6)
    folder = tmp_path / CHECKPOINTS
    good = list(folder.glob("step-*.pt"))
    BAD[name](folder)
    if alone:
        for path in good:
            path.unlink()
    assert_same(train(Plain(), toy_world, tmp_path, name="cut"), whole[0])
    assert (tmp_path / "cut/out/log.jsonl").read_text() == whole[1]
    assert not (tmp_path / "ran").exists() and not Path("ran").exists()


def test_a_bad_one_is_named_and_makes_no_good_one_go(toy_world, tmp_path, caplog):
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6)
    bad = named(tmp_path / CHECKPOINTS, b"not a checkpoint")
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=2)
    assert f"{bad} is damaged" in caplog.text
    left = sorted(p.name for p in (tmp_path / CHECKPOINTS).iterdir())
    assert [n[:14] for n in left if n.endswith(".pt")] == ["step-000000007", "step-000000008"]
    assert [n for n in left if n.endswith(".damaged")] == [bad.with_suffix(".damaged").name]


def test_the_machines_faults_are_not_the_checkpoints(toy_world, tmp_path, monkeypatch):
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6)
    before = sorted((tmp_path / CHECKPOINTS).iterdir())

    def no_memory(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("torch.load", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        train(Plain(), toy_world, tmp_path, name="cut")
    assert sorted((tmp_path / CHECKPOINTS).iterdir()) == before


@pytest.mark.parametrize("damage", [None, "", '{"step": 1, "ce', "folder"])
def test_the_log_comes_from_the_checkpoint_whatever_lies_beside_it(toy_world, tmp_path, whole, damage):
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6)
    log = tmp_path / "cut/work/log.jsonl"
    if damage == "gone":
        log.unlink()
    elif damage is not None:
        log.write_text(damage)
    assert_same(train(Plain(), toy_world, tmp_path, name="cut"), whole[0])
    assert (tmp_path / "cut/out/log.jsonl").read_text() == whole[1]


@pytest.mark.parametrize("log_is_whole", [True, False])
def test_a_checkpoint_of_an_earlier_version_goes_on_with_the_log_beside_it(toy_world, tmp_path, whole, log_is_whole):
    train(Plain(), toy_world, tmp_path, name="cut", stop_after=6)
    folder = tmp_path / CHECKPOINTS
    newest = max(folder.glob("step-*.pt"))
    state = torch.load(newest, weights_only=True)
    del state["history"]["lines"]
    for path in folder.iterdir():
        path.unlink()
    named(folder, saved(state), step=state["step"])
    if not log_is_whole:
        (tmp_path / "cut/work/log.jsonl").write_text('{"step": 1, "ce')
    assert_same(train(Plain(), toy_world, tmp_path, name="cut"), whole[0])
    assert (tmp_path / "cut/out/log.jsonl").read_text() == whole[1]


def test_files_in_the_place_of_folders_and_drafts_of_the_dead_go(toy_world, tmp_path, whole):
    work = tmp_path / "cut" / "work"
    work.mkdir(parents=True)
    (work / "checkpoints").write_text("")
    (work / "snapshots").symlink_to("nowhere")
    (work / ".log.jsonl.0123456789ab.part").write_text('{"st')
    assert_same(train(Plain(), toy_world, tmp_path, name="cut", snapshots=1), whole[0])
    assert sorted(p.name for p in work.iterdir()) == ["checkpoints", "log.jsonl", "snapshots"]
    assert json.loads((work / "log.jsonl").read_text().splitlines()[-1])["step"] == 10
