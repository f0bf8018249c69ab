"""Where worlds are written: nothing that was there before is touched, whatever happens."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_world_import import make_dataset
from toyworld import TOY, toy_scene

from segfrontier.basics.disk import disk_full
from segfrontier.errors import BadWorld, DiskFull
from segfrontier.scenes.builtin import parse_street, write_street
from segfrontier.scenes.files import DigestedFile
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter

TESTS = Path(__file__).parents[1]


def listing(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def with_undeclared_label(root):
    path = make_dataset(root)
    label = root / "labels" / "train" / "s2.png"
    raw = cv2.imread(str(label), cv2.IMREAD_UNCHANGED)
    raw[0, 0] = 99
    cv2.imwrite(str(label), raw)
    return path


@pytest.mark.parametrize("target", ["", "images", "images/val/new", "labels/train", "images/train/deep/er", "../data"])
def test_a_world_never_goes_where_its_source_is(tmp_path, target):
    spec = FolderSpec.load(with_undeclared_label(tmp_path / "data"))
    (tmp_path / "data" / "truth").mkdir()
    before = listing(tmp_path)
    with pytest.raises(BadWorld, match="new or empty|apart from the files"):
        import_folders(spec, tmp_path / "data" / target)
    assert listing(tmp_path) == before


def test_above_a_source_counts_too_also_by_a_link(tmp_path):
    spec = FolderSpec.load(make_dataset(tmp_path / "deep" / "data"))
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "data" / "images")
    for target in (tmp_path / "deep", tmp_path / "link" / "val" / "new"):
        with pytest.raises(BadWorld, match="new or empty|apart from the files"):
            import_folders(spec, target)


def test_beside_the_source_is_fine_as_readme_has_it(tmp_path):
    spec = FolderSpec.load(make_dataset(tmp_path))
    assert import_folders(spec, tmp_path / "worlds" / "mine").splits() == {("target", "train"): 4, ("target", "val"): 4}


def test_a_failed_import_leaves_what_it_found(tmp_path):
    spec = FolderSpec.load(with_undeclared_label(tmp_path / "data"))
    (tmp_path / "empty").mkdir()
    before = listing(tmp_path)
    for target in ("empty", "new"):
        with pytest.raises(BadWorld, match="unknown: id 99"):
            import_folders(spec, tmp_path / target)
        assert listing(tmp_path) == before


@pytest.mark.parametrize("there", ["file", "dangling", "filled", "below a file"])
def test_an_occupied_place_is_refused_before_anything_is_read(tmp_path, there):
    target = tmp_path / "target"
    if there == "file":
        target.write_text("mine")
    elif there == "dangling":
        target.symlink_to(tmp_path / "nowhere")
    elif there == "filled":
        (target / "images").mkdir(parents=True)
        (target / "images" / "mine.txt").write_text("mine")
    else:
        target.write_text("mine")
        target = target / "world"
    before = listing(tmp_path)
    spec = FolderSpec.model_validate({
        "name": "absent", "root": tmp_path / "absent", "encoding": "ids",
        "splits": {"train": {"images": "{id}.png", "semantic": "{id}.png"}},
        "classes": [{"name": "a", "colour": [1, 2, 3]}],
    })  # fmt: skip
    street = parse_street("street:train=1,val=1,synthetic=0,size=64x128")
    for write in (
        lambda: import_folders(spec, target),
        lambda: write_street(target, street),
        lambda: WorldWriter(target, name="w", classes=TOY).__enter__(),
    ):
        with pytest.raises(BadWorld, match="new or empty|writable"):
            write()
    assert listing(tmp_path) == before


def test_a_place_that_was_taken_meanwhile_stays_as_it_is(tmp_path):
    with pytest.raises(BadWorld, match="writable"), WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        out.add(toy_scene(0))
        (tmp_path / "w").mkdir()
        (tmp_path / "w" / "mine.txt").write_text("mine")
    assert listing(tmp_path) == {"w": None, "w/mine.txt": b"mine"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("of the body"), disk_full("here")])
def test_any_end_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)), WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        out.add(toy_scene(0))
        raise error
    assert listing(tmp_path) == {}


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(DigestedFile, "write", full)
    with pytest.raises(DiskFull, match="room"), WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        out.add(toy_scene(0))
    assert listing(tmp_path) == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_import_leaves_the_folder_alone(tmp_path, number):
    """In the state that lost data once: the source's own folder is named as the target's parent, work is under way."""
    make_dataset(tmp_path / "data")
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys, time; sys.path.insert(0, {str(TESTS)!r})\n"
        "from toyworld import TOY, toy_scene\n"
        "from segfrontier.scenes.writer import WorldWriter\n"
        f"with WorldWriter({str(tmp_path / 'data' / 'world')!r}, name='w', classes=TOY, shard_bytes=1) as out:\n"
        "    out.add(toy_scene(0)); print('added', flush=True); time.sleep(60)\n"
    )
    before = listing(tmp_path / "data")
    process = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline() == "added\n"
    process.send_signal(number)
    process.wait(20)
    process.stdout.close()
    after = {k: v for k, v in listing(tmp_path / "data").items() if not k.startswith(".world.")}
    assert after == before
    assert number == signal.SIGKILL or listing(tmp_path / "data") == before, "only SIGKILL leaves a draft"


def test_on_an_object_store_only_what_was_written_is_removed(tmp_path, monkeypatch):
    """A file system that is not local stands for one: files are written in place, the manifest last."""
    from pyarrow import fs

    from segfrontier.scenes import folder as module

    class Remote(fs.FileSystem):
        def __new__(cls):
            return fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())

    monkeypatch.setattr(module, "resolve", lambda uri: (Remote(), str(uri)))
    with pytest.raises(RuntimeError), WorldWriter("w", name="w", classes=TOY) as out:
        out.add(toy_scene(0))
        raise RuntimeError
    assert [p for p in listing(tmp_path) if p != "w"] == []
    with WorldWriter("w", name="w", classes=TOY) as out:
        out.add(toy_scene(0))
    assert World.open(tmp_path / "w").splits() == {("target", "train"): 1}
    with pytest.raises(BadWorld, match="already holds a world"):
        WorldWriter("w", name="w", classes=TOY).__enter__()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "images").mkdir()
    with pytest.raises(BadWorld, match="new or empty"):
        WorldWriter("other", name="w", classes=TOY).__enter__()
    assert (tmp_path / "other" / "images").is_dir()


def test_dead_writers_drafts_in_the_cache_are_swept(tmp_path, monkeypatch):
    from segfrontier.scenes.cache import room

    monkeypatch.setenv("SEGFRONTIER_CACHE", str(tmp_path / "cache"))
    for name in ("mirror", "truth", "worlds"):
        folder = tmp_path / "cache" / name
        folder.mkdir(parents=True)
        (folder / ".x.arrow.0123456789ab.part").write_text("half")
        (folder / ".street-1.0123456789ab.part" / "content").mkdir(parents=True)
        (folder / "whole").write_text("kept")
    room("mirror")
    assert [p.name for p in sorted((tmp_path / "cache").rglob("*")) if p.is_file()] == [
        ".segfrontier.json", "whole", "whole", "whole",
    ]  # fmt: skip
    assert not list((tmp_path / "cache").rglob("*.part"))
    assert (tmp_path / "cache" / "worlds").stat().st_mode & 0o700 == 0o700


def test_writing_takes_no_longer_than_it_must(tmp_path):
    began = time.monotonic()
    with WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        for number in range(100):
            out.add(toy_scene(number))
    assert time.monotonic() - began < 5
    assert np.sum(list(World.open(tmp_path / "w").splits().values())) == 100
