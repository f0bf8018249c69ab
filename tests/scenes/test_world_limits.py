"""Sizes that are refused by their header, before anything is decoded or rendered, in under a second."""

import os
import struct
import time
import tracemalloc
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from test_world_import import make_dataset
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadInput, BadWorld
from segfrontier.scenes import raw
from segfrontier.scenes.builtin import open_world, parse_street
from segfrontier.scenes.codec import MAX_PIXELS, Undecodable, check_image, decode_image, decode_map
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.preview import contact_sheet
from segfrontier.scenes.raw import read_file, read_raw, to_labels
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter


@contextmanager
def at_once(seconds=1.0, megabytes=64):
    tracemalloc.start()
    began = time.monotonic()
    try:
        yield
        assert time.monotonic() - began < seconds
        assert tracemalloc.get_traced_memory()[1] < megabytes * 2**20
    finally:
        tracemalloc.stop()


def png_saying(width, height, *, depth=8, colour=0, rows=b""):
    """A PNG whose header says a size, and that holds the given rows or none."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*parts, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg_saying(width, height):
    frame = struct.pack(">BHHB", 8, height, width, 1) + bytes([1, 0x11, 0])
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8193, 8192), (10_000, 10_000), (20_000, 20_000), (30_000, 30_000), (65_000, 65_000)])
@pytest.mark.parametrize("make", [png_saying, jpeg_saying])
@pytest.mark.parametrize("read", [check_image, read_raw])
def test_a_large_header_is_refused_before_decoding(size, make, read):
    with at_once(), pytest.raises(BadWorld, match=rf"mine: must have (1 to )?{MAX_PIXELS} pixels"):
        read(make(*size), name="mine")


@pytest.mark.parametrize("read", [check_image, read_raw])
@pytest.mark.parametrize(
    "data",
    [
        png_saying(0, 10), png_saying(4000, 4000), png_saying(2**31 - 1, 1), png_saying(40, 40, depth=3),
        png_saying(40, 40, rows=bytes(10**6))[:-20], jpeg_saying(4000, 4000), jpeg_saying(0, 0), b"", b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ", b"\x89PNG\r\n\x1a\n", bytes(100), b"II*\0" + bytes(50), b"BM" + b"\xff" * 60,
    ],
)  # fmt: skip
def test_headers_that_lie_are_told_not_raised(read, data):
    with pytest.raises(BadWorld, match="mine: must"):
        read(data, name="mine")


@pytest.mark.parametrize("data", [b"", b"x", png_saying(4000, 4000)[:40], jpeg_saying(65_000, 65_000)])
def test_stored_bytes_that_are_no_image_are_undecodable(data):
    with pytest.raises(Undecodable, match="scene 7: .* do not decode"):
        decode_image(data, name="scene 7")
    with pytest.raises(BadWorld, match="does not decode"):
        decode_map(data)


def test_one_large_image_of_an_import_is_left_out_and_named(tmp_path):
    spec = FolderSpec.load(make_dataset(tmp_path / "data"))
    (tmp_path / "data" / "images" / "train" / "s1.png").write_bytes(png_saying(30_000, 30_000, colour=2))
    (tmp_path / "data" / "labels" / "train" / "s2.png").write_bytes(png_saying(20_000, 20_000))
    with at_once(seconds=5):
        world = import_folders(spec, tmp_path / "world", max_bad=0.5)
    assert world.splits()[("target", "train")] == 2
    assert all("pixels" in line for line in world.manifest.notes.skipped) and len(world.manifest.notes.skipped) == 2


@pytest.mark.parametrize("place", ["pipe", "endless", "huge", "folder"])
def test_a_label_file_that_is_none_is_told_at_once(tmp_path, place):
    path = tmp_path / "x.png"
    if place == "pipe":
        os.mkfifo(path)
    elif place == "endless":
        path.symlink_to("/dev/zero")
    elif place == "huge":
        with path.open("wb") as file:
            file.truncate(10**12)
    else:
        path.mkdir()
    with at_once(), pytest.raises(BadWorld, match="must be a readable file"):
        read_file(path)


def test_maps_are_the_same_whatever_the_band(monkeypatch):
    rng = np.random.default_rng(0)
    values = rng.choice(np.array([0, 7, 11, 12, 26, 255], np.uint8), (50, 40))
    whole = to_labels(values, TOY, encoding="ids", name="x")
    for band in (1, 37, 400):
        monkeypatch.setattr(raw, "_BAND", band)
        assert (to_labels(values, TOY, encoding="ids", name="x") == whole).all()
        values_and_one = values.copy()
        values_and_one[::10, 0] = 99
        with pytest.raises(BadWorld, match="unknown: id 99 on 5 px"):
            to_labels(values_and_one, TOY, encoding="ids", name="x")
    wanted = np.select([values == 7, np.isin(values, (11, 12)), values == 26], [0, 1, 2], 255)
    assert (whole == wanted).all() and whole.dtype == np.uint8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train=99999999999", "1000000 scenes at most; 100000000459"),
        ("synthetic=" + "9" * 4000, "1000000 scenes at most"),
        ("synthetic=" + "9" * 5000, "synthetic must be int"),
        ("train=500000,val=400000,synthetic=100001", "1000000 scenes at most; 1000001"),
        ("train=-5", "at least one train"),
        ("size=99999x99999", "size must be 64x128 to 1024x2048"),
        ("size=²x³", "HEIGHTxWIDTH"),
        ("size=64x" + "9" * 5000, "HEIGHTxWIDTH"),
        ("size=-64x128", "HEIGHTxWIDTH"),
        ("size=0x0", "size must be 64x128"),
        ("size=64x128x3", "HEIGHTxWIDTH"),
        ("gap=nan", "gap must be a number from 0"),
        ("gap=inf", "gap must be a number from 0"),
        ("gap=-0.1", "gap must be a number from 0"),
        ("gap=1e400", "gap must be a number from 0"),
        ("seed=-1", "seed must be from 0"),
        ("seed=" + "9" * 30, "seed must be from 0"),
        ("x" * 10_000, "did you mean"),
        ("seed=a\0b\n", "seed must be int"),
    ],
)
def test_street_options_that_cannot_be_are_refused_at_once(text, message):
    for read in (parse_street, open_world):
        with at_once(), pytest.raises(BadWorld, match=message) as told:
            read(f"street:{text}")
        assert len(str(told.value)) < 600 and str(told.value).isprintable()


def test_a_sheet_has_a_size_that_fits_in_memory(tmp_path):
    world = write_toy(tmp_path / "w", target_train=20, target_val=20)
    with at_once(seconds=5), pytest.raises(BadInput, match=rf"{MAX_PIXELS} pixels at most; 40 rows"):
        contact_sheet(world, rows_a_split=100, width=2048)
    assert contact_sheet(world, rows_a_split=100, width=32).shape[0] > 40 * 24


def test_a_sheet_of_a_very_tall_image_is_refused(tmp_path):
    with WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        out.add(toy_scene(0, height=30_000, width=16))
    with pytest.raises(BadInput, match="pixels at most"):
        contact_sheet(World.open(tmp_path / "w"), width=1024)
