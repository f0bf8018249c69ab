"""What killed writers leave in a home goes when a lab next opens there; what is being written stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toylab import toy_lab

from segfrontier.basics.atomic import open_draft, sweep
from segfrontier.lab.opening import sweep_home

DRAFT = "0123456789ab.part"
PLACES = (
    "", "labels", "labels/mine", "store", "cells/mine", "studies", "studies/tiny", "studies/tiny/report",
)  # fmt: skip


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def old_draft(folder: Path, pid: int, age: float, *, name: str = ".fine.arrow") -> Path:
    """A draft as earlier versions named it."""
    path = folder / f"{name}.{pid}-0a1b2c3d"
    path.write_bytes(b"unpaid truth")
    os.utime(path, (time.time() - age,) * 2)
    return path


def test_drafts_go_from_all_folders_of_a_home_but_other_cells(tmp_path: Path) -> None:
    drafts = [tmp_path / place / f".x.{DRAFT}" for place in PLACES]
    others = [tmp_path / "cells" / "other" / f".x.{DRAFT}", tmp_path / "labels" / "other" / f".x.{DRAFT}"]
    kept = [tmp_path / "labels" / "fine-ab.arrow", tmp_path / "labels" / ".hidden", tmp_path / "labels" / "x.part"]
    for path in (*drafts, *others, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    sweep_home(tmp_path, "mine")
    assert [p for p in drafts if p.exists()] == [] and all(p.exists() for p in (*others, *kept))
    sweep_home(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("alive", "age", "goes"),
    [(False, 3600, True), (False, 120, True), (False, 0, False), (True, 3600, False), (True, 2 * 86400, True)],
)
def test_old_drafts_go_when_their_writer_is_dead_and_they_rest(
    tmp_path: Path, alive: bool, age: float, goes: bool
) -> None:
    path = old_draft(tmp_path, os.getpid() if alive else dead_pid(), age)
    folder = tmp_path / f".street-ab.{os.getpid() if alive else dead_pid()}-00000000"
    folder.mkdir()
    (folder / "part").touch()
    for one in (folder / "part", folder):
        os.utime(one, (time.time() - age,) * 2)
    assert sweep(tmp_path) == 2 * goes
    assert path.exists() != goes and folder.exists() != goes


@pytest.mark.parametrize(
    "name", ["fine.arrow.1-0a1b2c3d", ".fine.arrow", ".fine.1-0a1b", ".a.b-0a1b2c3d", ".1-0a1b2c3d"]
)
def test_other_names_are_no_drafts(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    os.utime(tmp_path / name, (0, 0))
    assert sweep(tmp_path) == 0 and (tmp_path / name).exists()


def test_links_are_never_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "keep").touch()
    home = tmp_path / "home"
    home.mkdir()
    (home / f".x.{DRAFT}").symlink_to(tmp_path / "outside")
    (home / f".y.{dead_pid()}-0a1b2c3d").symlink_to(tmp_path / "outside" / "keep")
    sweep(home)
    assert (tmp_path / "outside" / "keep").exists()


def test_a_home_of_many_cells_is_swept_in_no_time(tmp_path: Path) -> None:
    for i in range(10_000):
        (tmp_path / "cells" / f"{i:032x}").mkdir(parents=True)
    sweep_home(tmp_path, f"{0:032x}")  # warm
    began = time.perf_counter()
    sweep_home(tmp_path, f"{1:032x}")
    assert time.perf_counter() - began < 0.1


BUYER = """
import sys, time
sys.path.insert(0, {tests!r})
from toylab import toy_lab
from segfrontier.lab import Fine
from segfrontier.scenes.labels import _Digest
from segfrontier.scenes.world import World
def slow(*_):
    print("writing", flush=True)
    time.sleep(60)
with toy_lab({home!r}, World.open({world!r})) as lab:
    _Digest.hexdigest = slow
    lab.buy(Fine(lab.pool.scenes()))
"""


@pytest.mark.slow
def test_a_killed_purchase_leaves_no_truth_behind_the_next_start(toy_world, tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = BUYER.format(tests=str(Path(__file__).parents[1]), home=str(home), world=toy_world.uri)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as buyer:
        assert buyer.stdout is not None
        assert buyer.stdout.readline() == b"writing\n"
        (draft,) = (home / "labels").rglob(".fine.arrow.*.part")
        assert draft.stat().st_size > 0
        toy_lab(home, toy_world).close()
        assert draft.exists(), "a live writer's draft stays"
        buyer.send_signal(signal.SIGKILL)
        buyer.wait()
    toy_lab(home, toy_world).close()
    assert not draft.exists() and not list(home.rglob("*.part"))


def test_a_draft_may_be_published_under_any_name(tmp_path: Path) -> None:
    from segfrontier.basics.atomic import publish

    with open_draft(tmp_path / "x.arrow") as draft:
        draft.write_text("1")
        publish(draft, tmp_path / "x-1.arrow")
    with open_draft(tmp_path / "y") as draft:
        draft.write_text("2")
    assert [p.name for p in tmp_path.iterdir()] == ["x-1.arrow"]
