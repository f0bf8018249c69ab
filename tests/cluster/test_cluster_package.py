"""What a job's folder holds: the code that is here, before whatever a node has installed, and no more than a bound."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from segfrontier.basics.marks import mark
from segfrontier.cluster import package as packaging
from segfrontier.cluster.package import CODE, STUDY, Package, package, require_there, to_send
from segfrontier.errors import BadInput
from segfrontier.lab._ray.health import uploaded

ROOT = Path(__file__).parents[2]


def entry(name, value):
    return EntryPoint(name=name, value=value, group="segfrontier.methods")


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A working directory with a method of one's own in it, and one that is installed elsewhere."""
    work, site = tmp_path / "work", tmp_path / "site"
    (work / "mine").mkdir(parents=True)
    (work / "mine" / "near_method.py").write_text("PLACE = 'near'\n")
    (site / "far_package" / "inner").mkdir(parents=True)
    (site / "far_package" / "__init__.py").write_text("PLACE = 'far'\n")
    (site / "far_package" / "inner" / "tables.yaml").write_text("a: 1\n")
    (site / "far_package" / "__pycache__").mkdir()
    (site / "far_package" / "__pycache__" / "x.pyc").write_text("no source")
    for folder in (work / "mine", site):
        monkeypatch.syspath_prepend(str(folder))
    known = (entry("near", "near_method:Near"), entry("far", "far_package:Far"))
    monkeypatch.setattr(packaging, "entries", lambda: known)
    yield work
    for name in ("near_method", "far_package"):
        sys.modules.pop(name, None)


def test_code_in_the_folder_is_taken_from_there_and_other_code_is_carried_along(own):
    made = package(own, "name: x\n", uploaded(own))
    assert made.roots[0] == Path("mine") and made.roots[-1] == CODE
    assert made.files[Path("mine/near_method.py")] == own / "mine/near_method.py"
    assert CODE / "far_package/inner/tables.yaml" in made.files, "what lies beside the code goes along"
    assert not [place for place in made.files if "__pycache__" in place.parts]
    assert CODE / "segfrontier/cli.py" in made.files, "SegFrontier itself, where the folder is no checkout"
    assert made.texts[STUDY] == "name: x\n"


def test_what_runs_there_is_what_was_sent(own, tmp_path):
    """A Python that starts in the folder, with nothing of ours installed: -I and -S leave all but the folder out."""
    there = tmp_path / "there"
    made = package(own, "name: x\n", uploaded(own))
    made.write(there)
    code = f"""
import os, sys
sys.path[:0] = [os.path.abspath(place) for place in {made.python_path!r}.split(":")]
import platform, near_method, far_package, segfrontier
from importlib.metadata import entry_points
print(near_method.PLACE, far_package.PLACE, segfrontier.__file__)
print(sorted(e.name for e in entry_points(group="segfrontier.methods")), bool(platform.system()))
"""
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=there, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said == [f"near far {there / CODE / 'segfrontier/__init__.py'}", "['far', 'near'] True"]


def test_a_checkout_brings_its_own_engine_whatever_is_imported_here(tmp_path):
    for place in ("platform/segfrontier", "methods/segfrontier_methods"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "__init__.py").write_text("")
    made = package(tmp_path, "", uploaded(tmp_path))
    assert made.python_path == "platform:methods:.segfrontier/code"
    assert not [place for place in made.files if place.is_relative_to(CODE / "segfrontier")]
    assert not (tmp_path / ".segfrontier").exists(), "nothing is written into the user's folder"


def test_an_engine_that_rayignore_leaves_out_is_no_source_root(tmp_path):
    (tmp_path / "platform/segfrontier").mkdir(parents=True)
    (tmp_path / "platform/segfrontier/__init__.py").write_text("")
    (tmp_path / ".rayignore").write_text("platform/\n")
    made = package(tmp_path, "", uploaded(tmp_path))
    assert Path("platform") not in made.roots and CODE / "segfrontier/__init__.py" in made.files


def test_this_checkout_is_small_enough_and_its_rayignore_leaves_pictures_and_tests_out():
    sent = uploaded(ROOT)
    made = package(ROOT, "name: x\n", sent)
    made.require_small()
    assert made.size < 3_000_000, "half of the bound, or someone forgot .rayignore"
    tops = {place.parts[0] for place in sent}
    assert {"platform", "methods", "constraints.txt", "cluster.yaml"} <= tops
    assert not tops & {"tests", "benchmarks", "docs", ".git", "runs"}
    assert "platform:methods" in made.python_path


def test_homes_stores_caches_worlds_and_environments_are_not_sent(tmp_path):
    (tmp_path / "mine").mkdir()
    for kind in ("home", "store", "cache", "ledger"):
        mark(tmp_path / f"a-{kind}", kind)
        (tmp_path / f"a-{kind}" / "file").write_text("large")
    for place, marker in {"mine/env": "pyvenv.cfg", "worlds/toy": "world.json", "worlds/other": "world.json"}.items():
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / marker).write_text("{}")
        (tmp_path / place / "file").write_text("large")
    (tmp_path / "linked").symlink_to(tmp_path / "a-home")
    (tmp_path / "world.json").write_text("a file of the user's own, in the folder itself")
    (tmp_path / "mine/method.py").write_text("x")
    sent, left = to_send(tmp_path, {"worlds": [{"target": "worlds/toy", "source": "street"}]})
    assert {str(place) for place in sent} == {
        "mine/method.py", "world.json", "worlds/toy/world.json", "worlds/toy/file"
    }, "a world goes where the study names it"  # fmt: skip
    assert {str(place): what for place, what in left.items()} == {
        "a-home": "home", "a-store": "store", "a-cache": "cache", "a-ledger": "ledger", "linked": "home",
        "mine/env": "virtual environment", "worlds/other": "world",
    }  # fmt: skip


def test_a_home_itself_is_no_folder_to_send(tmp_path):
    mark(tmp_path, "home")
    with pytest.raises(BadInput, match="must hold code; .* is a home of SegFrontier"):
        to_send(tmp_path, {})


def test_too_large_a_folder_names_what_is_large(tmp_path):
    sizes = {"big/a.bin": 600, "big/b.bin": 500, "small.txt": 10, "mid/c.bin": 300, "tiny/d": 1}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    whole = Package({Path(name): tmp_path / name for name in sizes}, {})
    assert whole.size == sum(sizes.values()) == 1411
    whole.require_small(1411)
    with pytest.raises(
        BadInput, match=r"largest: big/a.bin \(600 B\), big/b.bin \(500 B\), mid/c.bin \(300 B\)\. Name"
    ):
        whole.require_small(1410)


@pytest.mark.parametrize(
    "world", ["street", "street:train=8", "/shared/worlds/camvid", "s3://bucket/world", "here/mine"]
)
def test_worlds_that_a_job_can_read(world):
    require_there({"worlds": [{"target": world, "source": None}], "prices": "prices.yaml"}, [
        Path("here/mine/manifest.json"), Path("prices.yaml"),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("study", "what"),
    [
        ({"worlds": [{"target": "worlds/camvid", "source": None}]}, "a world .* found 'worlds/camvid'"),
        ({"worlds": [{"target": "street", "source": "worlds/gta"}]}, "a world .* found 'worlds/gta'"),
        ({"prices": "my-prices.yaml"}, "a price list .* found 'my-prices.yaml'"),
    ],
)
def test_places_that_only_this_machine_has_are_refused(study, what):
    with pytest.raises(BadInput, match=what):
        require_there(study, [Path("study.yaml")])
