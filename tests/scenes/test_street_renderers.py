"""The processes that render a street world: they end with their parent, and need nothing of its script."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segfrontier.scenes import rendering
from segfrontier.scenes.builtin import open_world, parse_street
from segfrontier.scenes.rendering import RendererLost, render_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

SCRIPT = """
import os, sys
from segfrontier.scenes import rendering
from segfrontier.scenes.builtin import open_world
print("main", flush=True)
rendering.FEW = 10
os.sched_getaffinity = lambda _: {0, 1}  # two renderers, on any machine
world = open_world("street:train=%d,val=2,synthetic=8,size=64x128", progress=lambda d, t: print(d, flush=True))
print(world.digest)
"""


def start(tmp_path, train):
    script = tmp_path / "no_guard.py"
    script.write_text(SCRIPT % train)
    environment = os.environ | {"SEGFRONTIER_CACHE": str(tmp_path / "cache")}
    return subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)


def children_of(pid):
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found[int(stat.parent.name)] = command
    return found


def lives(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_script_without_a_main_guard_renders_on_all_cores(tmp_path):
    process = start(tmp_path, 10)
    lines = process.communicate(timeout=120)[0].split()
    assert process.returncode == 0 and lines.count("main") == 1
    assert lines[-1] == open_world("street:train=10,val=2,synthetic=8,size=64x128").digest, "as one process renders it"


@pytest.mark.slow
def test_renderers_die_with_a_killed_parent_and_its_draft_goes(tmp_path):
    process = start(tmp_path, 5000)
    while process.stdout.readline() != "12\n":
        assert process.poll() is None
    renderers = [pid for pid, command in children_of(process.pid).items() if b"segfrontier.scenes.rendering" in command]
    assert len(renderers) == 2
    process.kill()
    process.wait()
    process.stdout.close()
    until = time.monotonic() + 20
    while any(map(lives, renderers)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(lives, renderers))
    worlds = tmp_path / "cache" / "worlds"
    assert [p for p in worlds.iterdir() if p.suffix == ".part"], "what a killed process cannot clean up"
    again = start(tmp_path, 10)
    assert again.communicate(timeout=120) and again.returncode == 0
    assert not [p for p in worlds.iterdir() if p.suffix == ".part"]


def test_a_renderer_that_is_lost_ends_in_a_sentence_and_leaves_none(monkeypatch):
    monkeypatch.setattr(rendering, "FEW", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    scenes = render_all(parse_street("street:train=500,val=1,synthetic=0,size=64x128"))
    next(scenes)
    ours = [pid for pid, command in children_of(os.getpid()).items() if b"segfrontier.scenes.rendering" in command]
    assert len(ours) == 2
    os.kill(ours[0], 9)
    with pytest.raises(RendererLost, match="code -9"):
        list(scenes)
    assert not any(map(lives, ours))


def test_leaving_early_ends_the_renderers(monkeypatch):
    monkeypatch.setattr(rendering, "FEW", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    scenes = render_all(parse_street("street:train=500,val=1,synthetic=0,size=64x128"))
    next(scenes)
    ours = [pid for pid, command in children_of(os.getpid()).items() if b"segfrontier.scenes.rendering" in command]
    scenes.close()
    assert ours and not any(map(lives, ours))


def test_an_error_of_a_renderer_is_raised_as_it_was(tmp_path):
    options = {"train": 1, "val": 1, "synthetic": 0, "size": "64x128", "gap": 1.0, "seed": 0}
    process = subprocess.run(
        [sys.executable, "-m", "segfrontier.scenes.rendering", str(os.getpid()), json.dumps(options), "0", "1"],
        stdout=subprocess.PIPE, timeout=60, check=True,
    )  # fmt: skip
    import pickle
    from io import BytesIO

    stream = BytesIO(process.stdout)
    assert [pickle.load(stream).id for _ in range(2)] == ["city/train/000000", "city/val/000001"]
    assert not stream.read()
