"""Miniatures of data sets in their official layout, which the tests of their imports write."""

import io

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 12, 16


def photo(number=0, size=(HEIGHT, WIDTH), form="PNG", mode="RGB", **options):
    """An encoded image of noise, as a camera would deliver it."""
    channels = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    noise = np.random.default_rng(number).integers(0, 256, (*size, channels)).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(noise.squeeze(), mode).save(data, form, **options)
    return data.getvalue()


def put(path, data):
    """Write bytes, or an array as a PNG of its own bit depth; a (values, palette) pair as a palette PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, bytes):
        path.write_bytes(data)
    elif isinstance(data, tuple):
        image = Image.fromarray(data[0], "P")
        image.putpalette(np.asarray(data[1], np.uint8).tobytes())
        image.save(path)
    else:
        ok, encoded = cv2.imencode(".png", data[..., ::-1] if data.ndim == 3 else data)
        assert ok
        path.write_bytes(encoded.tobytes())


def blocks(*values, size=(HEIGHT, WIDTH), dtype=np.uint8):
    """A map of upright stripes of unequal widths, one for each value: 1, 2, 3, ... shares of the width."""
    ends = np.cumsum(range(1, len(values) + 1)) * size[1] // sum(range(1, len(values) + 1))
    out = np.empty(size, dtype)
    for value, start, end in zip(values, (0, *ends), ends, strict=False):
        out[:, start:end] = value
    return out


def listing(folder):
    """All of a folder, to see that nothing in it has changed."""
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
