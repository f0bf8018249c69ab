"""The engine of all imports: many processes give the world of one, and a killed import goes on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from officialhere import blocks, listing, photo, put
from terminal import segfrontier
from test_import_cityscapes import IMAGE, LABEL, write_city

from segfrontier.errors import BadWorld
from segfrontier.scenes.importing import catalogue, engine, import_dataset
from segfrontier.scenes.importing.official import official_source, read_item
from segfrontier.scenes.journal import JOURNAL
from segfrontier.scenes.raw import UnknownLabel

TESTS = Path(__file__).parents[1]
KILLED = """
import os, signal, sys
from segfrontier.scenes.importing import catalogue, engine
from segfrontier.scenes.importing.official import official_source
root, world, after = sys.argv[1], sys.argv[2], int(sys.argv[3])
def step(done, total):
    if done == after:
        os.kill(os.getpid(), signal.SIGKILL)
source = official_source(catalogue.DATASETS["cityscapes"], root)
engine.import_source(source, world, shard_bytes=1, progress=step)
"""


def killed(root, world, after):
    """An import that is killed after so many scenes; what its draft holds then."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(root), str(world), str(after)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    (draft,) = world.parent.glob(f".{world.name}.*.part")
    return draft


@pytest.fixture
def counted(monkeypatch):
    """The ids of the scenes that are read."""
    read = []

    def reading(item, **options):
        read.append(item.id)
        return read_item(item, **options)

    monkeypatch.setattr("segfrontier.scenes.importing.official.read_item", reading)
    return read


def whole(root, folder):
    return engine.import_source(official_source(catalogue.DATASETS["cityscapes"], root), folder, shard_bytes=1)


@pytest.mark.slow
def test_a_killed_import_goes_on_with_what_is_written(tmp_path, counted):
    root = write_city(tmp_path / "city", coarse=False)
    put(root / IMAGE, photo(3, mode="RGBA"))
    expected = whole(root, tmp_path / "expected")
    draft = killed(root, tmp_path / "world", after=3)
    lines = (draft / "content" / JOURNAL).read_text().splitlines()
    assert len(lines) == 3
    counted.clear()
    world = whole(root, tmp_path / "world")
    assert len(counted) == 3, "of six scenes three were written"
    assert world.digest == expected.digest and world.manifest == expected.manifest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["city", "expected", "world"]
    assert sorted(p.name for p in (tmp_path / "world").iterdir()) == ["images", "truth", "world.json"]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["shard", "line", "changed file"])
def test_what_is_not_whole_of_a_killed_import_is_made_again(tmp_path, counted, damage):
    root = write_city(tmp_path / "city", coarse=False)
    expected = whole(root, tmp_path / "expected").digest
    draft = killed(root, tmp_path / "world", after=4)
    content = draft / "content"
    lines = (content / JOURNAL).read_text()
    if damage == "shard":
        path = content / "images" / json.loads(lines.splitlines()[1])["shard"]["name"]
        path.write_bytes(path.read_bytes()[:-5] + b"wrong")
        read_again = 5
    elif damage == "line":
        (content / JOURNAL).write_text(lines[:-20])
        read_again = 3
    else:
        os.utime(root / LABEL, ns=(1, 1))
        read_again = 6
    counted.clear()
    assert whole(root, tmp_path / "world").digest == expected
    assert len(counted) == read_again
    assert not list(tmp_path.glob(".*")), "the draft that is of no use goes, too"


def test_the_same_import_twice_at_a_time_is_refused(tmp_path, monkeypatch):
    root = write_city(tmp_path / "city", count=1)

    def step(done, total):
        if done == 1:
            with pytest.raises(BadWorld, match="is writing the same there"):
                import_dataset("cityscapes", root, tmp_path / "world")

    import_dataset("cityscapes", root, tmp_path / "world", progress=step)


@pytest.mark.slow
def test_many_processes_give_the_world_of_one(tmp_path):
    root = write_city(tmp_path / "city", count=3)
    put(root / IMAGE, b"")
    put(root / LABEL.replace("000000", "000001"), blocks(7, 24)[:-1])
    put(root / IMAGE.replace("000000", "000002"), photo(3, mode="RGBA"))
    steps = []
    one = import_dataset("cityscapes", root, tmp_path / "one", max_bad=0.5)
    two = import_dataset(
        "cityscapes", root, tmp_path / "two", max_bad=0.5, processes=2, progress=lambda *step: steps.append(step)
    )
    assert two.manifest == one.manifest and steps == [(n, 9) for n in range(1, 10)]
    assert listing(tmp_path / "one").keys() == {
        tmp_path / "one" / p.relative_to(tmp_path / "two") for p in listing(tmp_path / "two")
    }
    put(root / LABEL.replace("000000", "000002"), np.full((12, 16), 99, np.uint8))
    with pytest.raises(UnknownLabel, match="id 99 on 192 px"):
        import_dataset("cityscapes", root, tmp_path / "three", max_bad=1.0, processes=2)
    assert not list(tmp_path.glob("*three*"))


def test_every_data_set_stands_in_the_documents_with_its_folders():
    page = (TESTS.parent / "docs" / "worlds.md").read_text().partition("\n## ")[0]
    rows = {row.split("|")[1].strip(" `"): row for row in page.splitlines() if row.startswith("| `")}
    assert set(rows) == {*catalogue.DATASETS, "camvid"}
    for name, dataset in catalogue.DATASETS.items():
        heads = {template.split("/")[0] for part in dataset.layouts[0] for template in (part.images, *part.listed)}
        assert "| the same |" in rows[name] or all(f"`{head}/" in rows[name] for head in heads), name
        assert (dataset.domain == "source") == (", source |" in rows[name])


def test_as_a_user_types_it(tmp_path):
    write_city(tmp_path / "city", test=2)
    done = segfrontier(
        "world", "import", "cityscapes", "city", "worlds/city", "--classes", "synthia13", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "target/train: 4 scenes" in done.stdout and "remarks: 1" in done.stdout.replace("\n", " ")
    assert "prices" not in done.stdout, "a list of Cityscapes' prices comes with us"
    told = segfrontier("world", "inspect", "worlds/city", folder=tmp_path).stdout
    assert "13 classes" in told and "remarks: 1" in told and "are not given out" in told
    wrong = segfrontier("world", "import", "cityscape", "city", "worlds/x", folder=tmp_path)
    assert wrong.returncode == 3 and "Did you mean 'cityscapes'?" in wrong.stderr.replace("\n", " ")
