"""Plain PNG files are checked without pixels and decoded once: what is wrong with one is found as ever."""

import io
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from segfrontier.errors import BadWorld
from segfrontier.scenes import codec, png
from segfrontier.scenes.codec import examine_image
from segfrontier.scenes.raw import read_raw

RNG = np.random.default_rng(5)
RGB = RNG.integers(0, 256, (37, 53, 3), np.uint8)


def saved(image, **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, "PNG", **options)
    return out.getvalue()


def in_colours(ids):
    image = Image.fromarray(ids, "P")
    image.putpalette(RNG.integers(0, 256, 768, np.uint8).tobytes())
    return image


def repacked(data, rows):
    """The same file with other rows, and with checksums that are right."""
    found = png.plain(data)
    grey = png.as_grey(found._replace(parts=(zlib.compress(rows),)))
    head = data[8:33]
    return grey[:8] + head + grey[33:]


def rows_of(data):
    return zlib.decompress(png.plain(data).packed)


@pytest.fixture
def no_pixels(monkeypatch):
    def refuse(*_):
        raise AssertionError("an image whose bytes pass through was decoded")

    monkeypatch.setattr(cv2, "imdecode", refuse)


def test_a_plain_image_is_checked_without_decoding_it(no_pixels):
    assert examine_image(saved(RGB), name="a.png") == ((37, 53), ())
    assert examine_image(saved(RGB[..., 0]), name="a.png") == ((37, 53), ())


@pytest.mark.parametrize("ids", [RGB[..., 0], RGB[..., 0].astype(np.uint16) * 257, in_colours(RGB[..., 1])])
def test_ids_are_decoded_once_and_are_what_they_were(ids, monkeypatch):
    decoded = []
    monkeypatch.setattr(cv2, "imdecode", lambda *a, f=cv2.imdecode: decoded.append(1) or f(*a))
    read = read_raw(saved(ids), name="a.png")
    assert np.array_equal(read, np.asarray(ids)) and read.dtype == np.asarray(ids).dtype and len(decoded) == 1


def test_cut_and_changed_files_are_refused_wherever_it_happened():
    data = saved(RGB)
    for cut in (0, 8, 20, 33, 60, len(data) // 2, len(data) - 14):
        with pytest.raises(BadWorld, match=r"a\.png"):
            examine_image(data[:cut], name="a.png")
    for at in (20, 60, len(data) // 2):
        with pytest.raises(BadWorld, match=r"a\.png"):
            examine_image(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :], name="a.png")


@pytest.mark.parametrize("kept", [0, -1, -160], ids=["no rows", "a byte less", "a row less"])
def test_rows_that_are_missing_under_right_checksums_are_found(kept):
    for data in (saved(RGB), saved(RGB[..., 0])):
        short = repacked(data, rows_of(data)[:kept])
        assert png.plain(short) is not None and not png.has_all_rows(png.plain(short))
        with pytest.raises(BadWorld, match=r"a\.png: must be a whole"):
            examine_image(short, name="a.png")
        with pytest.raises(BadWorld, match=r"a\.png: must be a whole"):
            read_raw(short, name="a.png")


def test_what_is_not_plain_is_left_to_the_decoders():
    alpha, deep = np.dstack([RGB, RGB[..., :1]]), cv2.imencode(".png", RGB.astype(np.uint16) * 257)[1].tobytes()
    assert png.plain(saved(alpha)) is None and png.plain(saved(RGB) + b"more") is None
    assert png.plain(saved(RGB, transparency=(1, 2, 3))) is None
    assert examine_image(saved(alpha), name="a.png")[1] == ("has an alpha channel, which is not read",)
    with pytest.raises(BadWorld, match="16 bits"):
        examine_image(deep, name="a.png")
    for bits in (1, 2, 4):
        assert read_raw(saved(in_colours(RGB[..., 0] & 1), bits=bits), name="a.png").max() == 1


def test_a_size_is_held_against_the_limit_before_rows_are_inflated(monkeypatch):
    monkeypatch.setattr(codec, "MAX_PIXELS", 37 * 53 - 1)
    monkeypatch.setattr(png, "has_all_rows", None)
    with pytest.raises(BadWorld, match="1960 pixels"):
        examine_image(saved(RGB), name="a.png")
