"""Bytes to arrays and back: images as delivered (png, jpg, webp), label maps as lossless PNG.

Reading is in two tempers: `check_image` is strict and runs once, at import; `decode_*` is fast and runs at every step.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from segfrontier.errors import BadWorld
from segfrontier.scenes import png

IMAGE_FORMATS = ("PNG", "JPEG", "WEBP")
# Rotation flags are ignored everywhere: a mask is drawn over the stored raster, so the raster is what counts.
_READ_COLOUR = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
_ORIENTATION = 0x0112  # EXIF's rotation flag; 1 is upright


MAX_PIXELS = 2**26
"""Pixels of the largest image or label map: 67 million, e.g. 8192x8192. Held against the header, before decoding."""


class Undecodable(BadWorld):
    """One stored image does not decode; what works scene by scene leaves it out and names it."""


def whole(data: bytes, *, name: str, what: str) -> Image.Image:
    """Open an encoded image, hold its size against the limit, and only then decode it completely."""
    image = _opened(data, name, what, Image.Image.load)
    # OpenCV, which reads it from now on, must agree; and Pillow takes missing rows for black ones.
    if image.format in IMAGE_FORMATS:
        _require_opencv(image, data, name, what)
    return image


def _opened(data: bytes, name: str, what: str, finish: Callable[[Image.Image], object]) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        require_size(image.height, image.width, name)
        finish(image)
    except BadWorld:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadWorld(f"{name}: must have {MAX_PIXELS} pixels at most ({error}). Cut it into tiles.") from None
    except UnidentifiedImageError:  # whose words are a buffer's address
        raise _not_whole(data, name, what, "it is none of any format that Pillow knows") from None
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise _not_whole(data, name, what, str(error)) from error
    return image


def _require_opencv(image: Image.Image, data: bytes, name: str, what: str) -> None:
    again = _decoded(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if again is None or again.shape[:2] != (image.height, image.width):
        raise _not_whole(data, name, what, "rows are missing, or OpenCV cannot read it")


def _check_whole(image: Image.Image) -> None:
    """All of the file is there: a PNG's checksums say so, another format must be decoded."""
    image.verify() if image.format == "PNG" else image.load()


def _not_whole(data: bytes, name: str, what: str, why: str) -> BadWorld:
    return BadWorld(
        f"{name}: must be a whole {what}; found {len(data)} bytes that do not decode ({why}). Replace or remove the "
        f"file."
    )


def require_size(height: int, width: int, name: str) -> None:
    """Refuse a size that is none, or that no memory should be taken for."""
    if not 0 < height * width <= MAX_PIXELS:
        raise BadWorld(
            f"{name}: must have 1 to {MAX_PIXELS} pixels; its header says {width}x{height}. Cut it into tiles."
        )


def check_image(data: bytes, *, name: str) -> tuple[int, int]:
    """Decode an encoded image completely and return (height, width); `name` stands in the error."""
    return examine_image(data, name=name)[0]


def examine_image(data: bytes, *, name: str) -> tuple[tuple[int, int], tuple[str, ...]]:
    """As `check_image`, and what whoever reads the image should know of what it carries beside its colours."""
    if plain := png.plain(data):
        require_size(plain.height, plain.width, name)
        if plain.bits == 8 and plain.colour != png.INDEXED and png.has_all_rows(plain):
            return (plain.height, plain.width), ()
    what = "png, jpg or webp image"
    image = _opened(data, name, what, _check_whole)
    if image.format not in IMAGE_FORMATS:
        raise BadWorld(f"{name}: must be png, jpg or webp; found {image.format}. Convert the file.")
    if image.format != "JPEG":  # whose one decoder both have; nothing is decoded twice that need not be
        _require_opencv(image, data, name, what)
    deep = is_deep(data)
    if deep or image.mode not in ("RGB", "L", "RGBA", "P"):
        raise BadWorld(
            f"{name}: must have 8 bits a channel; found {'16 bits' if deep else f'mode {image.mode!r}'}. Convert it to "
            f"8-bit RGB first, so that the tone mapping is your choice."
        )
    odd = []
    if image.mode == "RGBA" or "transparency" in image.info:
        odd.append("has an alpha channel, which is not read")
    if (flag := _rotation(image)) != 1:
        odd.append(f"has the rotation flag {flag}, which is not followed: labels lie over the stored raster")
    return (image.height, image.width), tuple(odd)


def label_oddities(data: bytes) -> tuple[str, ...]:
    """What whoever takes labels from a file should know of what it carries beside them."""
    if data.startswith(png.SIGNATURE):
        alpha, tags = png.beside_pixels(data)
        flag = _flag(tags)
    else:
        try:
            image = Image.open(io.BytesIO(data))
        except Exception:  # no image, such as a MATLAB file; or one that whoever reads it will refuse
            return ()
        alpha, flag = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info, _rotation(image)
    odd = ["has an alpha channel, which is not read: what is transparent has its label all the same"] if alpha else []
    if flag != 1:
        odd.append(f"has the rotation flag {flag}, which is not followed: labels are taken as they are stored")
    return tuple(odd)


def _flag(tags: bytes) -> int:
    if not tags:
        return 1
    exif = Image.Exif()
    try:
        exif.load(tags)
        return int(exif.get(_ORIENTATION, 1))
    except Exception:  # as `_rotation`
        return 1


def is_deep(data: bytes) -> bool:
    """Whether a PNG has 16 bits a channel: Pillow opens 16-bit RGB as 8-bit RGB without a word."""
    return data.startswith(png.SIGNATURE) and data[24] == 16


def _rotation(image: Image.Image) -> int:
    try:
        return int(Image.Image.getexif(image).get(_ORIENTATION, 1))  # a PNG's own would decode it
    except Exception:  # Pillow's reader of tags raises whatever it stumbles over; the image itself is whole
        return 1


def decode_image(data: Any, *, name: str = "an image") -> NDArray[np.uint8]:
    """(H, W, 3) RGB from encoded bytes (anything with a buffer)."""
    image = _decoded(data, _READ_COLOUR)
    if image is None:
        raise Undecodable(
            f"{name}: {len(data)} bytes do not decode as an image; `segfrontier world inspect` names all such"
        )
    return np.asarray(image, np.uint8)


def decode_ids(plain: png.Plain | None, *, name: str) -> NDArray[Any] | None:
    """(H, W) ids or indices of a plain PNG, decoded once; None of any other file, and of one that is not whole."""
    if plain is None or plain.colour == png.RGB:
        return None
    require_size(plain.height, plain.width, name)
    image = _decoded(png.as_grey(plain), cv2.IMREAD_UNCHANGED)
    return None if image is None or image.shape != (plain.height, plain.width) else np.asarray(image)


def decode_deep(data: Any, *, name: str) -> NDArray[Any]:
    """(H, W) or (H, W, C) of an image in its own depth, red first; Pillow would make 8 bits of 16-bit colours."""
    image = _decoded(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise _not_whole(data, name, "label image", "OpenCV cannot read it")
    return image if image.ndim == 2 else image[..., [2, 1, 0]]


def _decoded(data: Any, flags: int) -> Any:
    """What OpenCV makes of encoded bytes; None where it makes nothing, or where the header says too many pixels."""
    if not _fits(data):
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # no bytes at all, or a header that says more pixels than OpenCV takes
        return None


def _fits(data: Any) -> bool:
    """Whether the header says no more pixels than are allowed, before gigabytes are taken for them."""
    head = bytes(memoryview(data)[:24])
    if head.startswith(png.SIGNATURE):  # most of what is stored; Pillow would take a tenth of the time of a map
        return 0 < int.from_bytes(head[16:20], "big") * int.from_bytes(head[20:24], "big") <= MAX_PIXELS
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.height * image.width <= MAX_PIXELS
    except Image.DecompressionBombError:
        return False
    except Exception:  # whatever Pillow stumbles over is OpenCV's to refuse
        return True


def encode_image(image: NDArray[np.uint8], *, quality: int | None = None) -> bytes:
    """PNG bytes of an RGB image, or JPEG bytes where a quality is given."""
    if quality is None:
        ok, data = cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    else:
        ok, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise BadWorld(f"an image of shape {image.shape} could not be encoded")
    return bytes(data)


def encode_map(labels: NDArray[Any]) -> bytes:
    """Lossless PNG of a uint8 or uint16 label map."""
    if labels.dtype not in (np.uint8, np.uint16) or labels.ndim != 2:
        raise ValueError(f"a label map is (H, W) uint8 or uint16; got {labels.shape} {labels.dtype}")
    ok, data = cv2.imencode(".png", np.ascontiguousarray(labels), [cv2.IMWRITE_PNG_COMPRESSION, 2])
    if not ok:
        raise BadWorld(f"a label map of shape {labels.shape} could not be encoded")
    return bytes(data)


def decode_map(data: Any) -> NDArray[Any]:
    """The label map that `encode_map` wrote, in its own dtype."""
    labels = _decoded(data, cv2.IMREAD_UNCHANGED)
    if labels is None or labels.ndim != 2:
        raise BadWorld("a stored label map does not decode; the world or label file is damaged: make it again")
    return np.asarray(labels)


def resize_labels(labels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Nearest-neighbour resize, the only way truth is ever resized: no new label value can appear.

    Exact nearest (pixel centres), so that labels stay under the pixels of an image that is resized beside them.
    """
    if labels.shape == (height, width):
        return labels
    return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
