"""Paths and URIs: one door to local folders and object stores (`s3://`, `gs://`, `file://`) through pyarrow."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pyarrow import fs

from segfrontier.basics.reading import LARGE, NotPlain, read_bounded
from segfrontier.errors import BadWorld

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

T = TypeVar("T")


def resolve(uri: str | Path) -> tuple[fs.FileSystem, str]:
    """The filesystem and the path inside it."""
    text = str(uri)
    try:
        if "://" in text:
            return fs.FileSystem.from_uri(text)
        return fs.LocalFileSystem(), str(Path(text).expanduser().absolute())
    except (ValueError, OSError) as error:
        raise BadWorld(
            f"{text!r} must be a folder or a URI that pyarrow can open (s3://, gs://, file://): {error}"
        ) from error


def real_path(path: Path) -> Path:
    """Where a path leads; a link that leads to itself leads nowhere, and is its own place (`Path.resolve` raises)."""
    return Path(os.path.realpath(path))


def join(uri: str | Path, name: str) -> str:
    """A name below a folder or URI; a URI's options (`?endpoint_override=...`) stay behind the path."""
    place, mark, options = str(uri).partition("?") if "://" in str(uri) else (str(uri), "", "")
    return f"{place.rstrip('/')}/{name}{mark}{options}"


def read_bytes(filesystem: fs.FileSystem, path: str, limit: int = LARGE) -> bytes:
    """A whole file of at most `limit` bytes; OSError where it is none. Never waits for a pipe."""
    if isinstance(filesystem, fs.LocalFileSystem):
        return read_bounded(path, limit)
    with filesystem.open_input_file(path) as stream:
        if stream.size() > limit:
            raise NotPlain(f"it has {stream.size()} bytes, more than the {limit} that may be read")
        return bytes(stream.read())


def digest(data: bytes | memoryview, *more: bytes | memoryview) -> str:
    """The content digest that SegFrontier uses everywhere: blake2b, 128 bits, hex."""
    state = _state(data)
    for part in more:
        state.update(part)
    return state.hexdigest()


def _state(data: bytes | memoryview = b"") -> hashlib.blake2b:
    return hashlib.blake2b(data, digest_size=16)


class DigestedFile(io.RawIOBase):
    """A new file that knows, as it is written from its start to its end, its size and its digest."""

    def __init__(self, filesystem: fs.FileSystem, path: str) -> None:
        self._stream, self._digest, self.size = filesystem.open_output_stream(path), _state(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._stream.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        return self.size

    def close(self) -> None:
        self._stream.close()
        super().close()

    @property
    def digest(self) -> str:
        """See `digest`."""
        return self._digest.hexdigest()


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to `size` items, in order."""
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
