"""Where a world is written: beside its place, under a draft's name, and then there at once or not at all.

On an object store, which cannot rename, the files are written in their place with the manifest last, and what this
writer wrote is removed where it fails. Nothing else is ever removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyarrow import fs

from segfrontier.basics.atomic import staged_folder
from segfrontier.errors import BadWorld
from segfrontier.scenes.files import join, real_path, resolve
from segfrontier.scenes.manifest import MANIFEST


def refuse_taken(uri: str | Path, *, sources: Iterable[Path] = ()) -> None:
    """Raise unless a new world may be written at `uri`: nothing or an empty folder is there, and no source near it."""
    filesystem, path = resolve(uri)
    try:
        there = filesystem.get_file_info(path).type
        if there == fs.FileType.Directory:
            _refuse_filled(filesystem, path, uri)
        elif there != fs.FileType.NotFound or os.path.lexists(path):
            raise BadWorld(f"{uri}: a world's folder must be new or empty; a file is there. Choose another folder.")
    except OSError as error:
        raise _unwritable(uri, error) from None
    if isinstance(filesystem, fs.LocalFileSystem):
        above = next(parent for parent in Path(path).parents if os.path.lexists(parent))
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise BadWorld(
                f"{uri}: a world must lie in a folder that is writable; {above} is none. Choose another one."
            )
        _refuse_near(Path(path), sources)


def _refuse_filled(filesystem: fs.FileSystem, path: str, uri: str | Path) -> None:
    held = [info.base_name for info in filesystem.get_file_info(fs.FileSelector(path))]
    if MANIFEST in held:
        raise BadWorld(f"{uri} already holds a world; choose another folder or remove it first")
    if held:
        raise BadWorld(
            f"{uri}: a world's folder must be new or empty; there are {len(held)} files or folders in it, e.g. "
            f"{min(held)!r}. Choose another folder."
        )


def _refuse_near(target: Path, sources: Iterable[Path]) -> None:
    real = real_path(target)
    for source in sorted(set(sources)):
        there = real_path(source)
        if real == there or there in real.parents or real in there.parents:
            raise BadWorld(
                f"{target}: a new world must lie apart from the files that it is made of; {source} holds some of them. "
                f"Choose another folder."
            )


@contextmanager
def new_world(uri: str | Path, *, key: str = "") -> Iterator[tuple[fs.FileSystem, str]]:
    """A filesystem, and a folder in it, to write a world into; at the end of the block it is at `uri`.

    With a `key`, what a killed writer of the same key had written for `uri` is in a local folder already.
    """
    refuse_taken(uri)
    filesystem, path = resolve(uri)
    if not isinstance(filesystem, fs.LocalFileSystem):
        with _in_place(filesystem, path):
            yield filesystem, path
        return
    ours = True
    try:
        with staged_folder(Path(path).resolve(), key=key) as draft:
            ours = False
            yield filesystem, str(draft)
            ours = True
    except OSError as error:
        if not ours:
            raise
        raise _unwritable(uri, error) from None


@contextmanager
def _in_place(filesystem: fs.FileSystem, path: str) -> Iterator[None]:
    """What is new below `path` is removed again if the block fails; it was empty when the block began."""
    try:
        yield
    except BaseException:
        for part in (MANIFEST, "images", "truth"):
            with suppress(OSError):
                if part == MANIFEST:
                    filesystem.delete_file(join(path, part))
                else:
                    filesystem.delete_dir(join(path, part))
        raise


def _unwritable(uri: str | Path, error: OSError) -> BadWorld:
    return BadWorld(f"{uri}: a world's folder must be writable; it is not ({error}). Choose another folder.")
