"""Label files that hold a world's labels as they are go in as they are packed; all others are encoded."""

from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from toyworld import TOY, toy_scene

from segfrontier.scenes import png
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.writer import WorldWriter

HARD = [cv2.IMWRITE_PNG_COMPRESSION, 9]
"""Harder than a world packs its own maps, so that one can tell whose bytes it holds."""


def palette(labels, path):
    image = Image.fromarray(labels, mode="P")
    image.putpalette(TOY.palette.tobytes())
    image.save(path, compress_level=9)


def rows(data):
    return png.plain(data).packed


def imported(root, write_labels, *, ids=None, write_instances=None, exact=True):
    """The world of three scenes, their label files, and what it stores of each."""
    for part in ("images", "labels", "instances"):
        (root / part).mkdir(parents=True)
    for number in range(3):
        scene = toy_scene(number)
        (root / f"images/s{number}.png").write_bytes(scene.image)
        write_labels(scene.semantic, root / f"labels/s{number}.png")
        (write_instances or grey)(scene.instance, root / f"instances/s{number}.png")
    spec = {
        "name": "mine", "encoding": "ids", "instances": "exact" if exact else "files",
        "splits": {"train": {"images": "images/{id}.png", "semantic": "labels/{id}.png",
                             "instances": "instances/{id}.png"}},
        "classes": [
            {"name": c.name, "colour": list(c.colour), "ids": [i if ids is None else ids[i]], "thing": c.thing}
            for i, c in enumerate(TOY.classes)
        ],
        "void": [255],
    }  # fmt: skip
    (root / "mine.yaml").write_text(yaml.safe_dump(spec))
    return import_folders(FolderSpec.load(root / "mine.yaml"), root.parent / f"{root.name}-world")


def grey(labels, path):
    cv2.imwrite(str(path), labels, HARD)


def stored(world, kind):
    (shard,) = (Path(world.uri) / "truth").glob("*.parquet")
    table = pq.read_table(shard).sort_by("scene")
    return table.column(kind).to_pylist()


def files(root, part):
    return [path.read_bytes() for path in sorted((root / part).glob("*.png"))]


def same_rows(ours, theirs):
    return [rows(a) == rows(b) for a, b in zip(ours, theirs, strict=True)]


@pytest.mark.parametrize("write", [grey, palette])
def test_files_of_just_the_labels_keep_their_rows(write, tmp_path):
    world = imported(tmp_path / "data", write)
    assert same_rows(stored(world, "semantic"), files(tmp_path / "data", "labels")) == [True] * 3
    assert same_rows(stored(world, "instance"), files(tmp_path / "data", "instances")) == [True] * 3
    assert all(png.plain(data).colour == png.GREY for data in stored(world, "semantic"))
    for number in range(3):
        np.testing.assert_array_equal(world.truth().semantic(f"train/s{number}"), toy_scene(number).semantic)
        np.testing.assert_array_equal(world.truth().instance(f"train/s{number}"), toy_scene(number).instance)


def other_ids(labels, path):
    grey(np.choose(labels.clip(0, 3), [2, 0, 1, 255]).astype(np.uint8), path)


def deep(labels, path):
    grey(labels.astype(np.uint16), path)


@pytest.mark.parametrize(("write", "ids"), [(other_ids, [2, 0, 1]), (deep, None)])
def test_files_of_other_ids_or_another_depth_are_encoded(write, ids, tmp_path):
    world = imported(tmp_path / "data", write, ids=ids)
    assert same_rows(stored(world, "semantic"), files(tmp_path / "data", "labels")) == [False] * 3
    for number in range(3):
        np.testing.assert_array_equal(world.truth().semantic(f"train/s{number}"), toy_scene(number).semantic)


def gaps(instance, path):
    grey((instance * 7).astype(np.uint16), path)


def test_instances_that_get_other_numbers_are_encoded(tmp_path):
    world = imported(tmp_path / "data", grey, write_instances=gaps, exact=False)
    assert any(toy_scene(number).instance.max() > 1 for number in range(3))
    assert not any(same_rows(stored(world, "instance"), files(tmp_path / "data", "instances")))
    for number in range(3):
        np.testing.assert_array_equal(world.truth().instance(f"train/s{number}") > 0, toy_scene(number).instance > 0)


def test_what_a_file_carries_beside_its_labels_stays_out(tmp_path):
    def with_text(labels, path):
        from PIL.PngImagePlugin import PngInfo

        words = PngInfo()
        words.add_text("Author", "somebody")
        Image.fromarray(labels).save(path, pnginfo=words)

    world = imported(tmp_path / "data", with_text)
    assert all(b"somebody" in data for data in files(tmp_path / "data", "labels"))
    assert not any(b"somebody" in data for data in stored(world, "semantic"))
    assert same_rows(stored(world, "semantic"), files(tmp_path / "data", "labels")) == [True] * 3


def test_scenes_reach_the_disk_while_more_of_them_come(tmp_path):
    with WorldWriter(tmp_path / "world", name="w", classes=TOY) as out:
        sizes = []
        for number in range(130):
            out.add(toy_scene(number + 1000))
            (draft,) = tmp_path.glob(".world.*.part")
            sizes.append(sum(path.stat().st_size for path in draft.rglob("*.parquet")))
    assert sizes[62] < 100 < 100_000 < sizes[63] == sizes[126], "64 rows are a group"
    assert sizes[127] > 1.9 * sizes[63]
