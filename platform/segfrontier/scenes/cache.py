"""The cache: a marked folder of mirrors and built-in worlds, all of which can be made again.

images/ and truth/ of a world are mirrored apart, as they lie apart in it; only the owner may read mirrored truth.
"""

from __future__ import annotations

import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Literal

from segfrontier.basics.atomic import sweep
from segfrontier.basics.marks import mark
from segfrontier.errors import BadInput

Room = Literal["mirror", "truth", "worlds"]
_ROOMS: tuple[Room, ...] = ("mirror", "truth", "worlds")


def cache_folder() -> Path:
    """Where the cache is: `$SEGFRONTIER_CACHE`, else in the user's cache folder."""
    named = os.environ.get("SEGFRONTIER_CACHE")
    return Path(named).expanduser().absolute() if named else Path.home() / ".cache" / "segfrontier"


def room(name: Room) -> Path:
    """A folder of the cache, which is made and marked where there is none, and rid of what dead writers left."""
    folder = _opened(cache_folder()) / name
    if not folder.is_dir():  # removed meanwhile
        _opened.cache_clear()
        _opened(cache_folder())
    return folder


@lru_cache(maxsize=64)
def _opened(cache: Path) -> Path:
    try:
        mark(cache, "cache")
        for name in _ROOMS:
            (cache / name).mkdir(mode=0o700 if name == "truth" else 0o777, exist_ok=True)
            sweep(cache / name)
    except OSError as error:
        raise BadInput(
            f"{cache}: the cache must be a folder that can be written to; it is not ({error}). Set SEGFRONTIER_CACHE "
            f"to one with room for the worlds."
        ) from None
    return cache


def discard(path: Path) -> None:
    """Remove something damaged from the cache, whatever lies in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
