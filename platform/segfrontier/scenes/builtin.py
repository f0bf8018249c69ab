"""Worlds by name: `street` is rendered on first use into the cache; anything else is a folder or URI.

street                                   200 train, 60 val and 400 synthetic scenes of 96x192
street:train=64,val=32,size=128x256,gap=0.5
street:size=64x128,classes=groups7                the same scenes in seven classes instead of nineteen
street:size=192x384,window=64x64                  a window of each scene, which shows few of the classes
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from segfrontier.basics.locks import FileLock
from segfrontier.errors import BadWorld
from segfrontier.scenes.cache import discard, room
from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.files import digest
from segfrontier.scenes.options import TABLES
from segfrontier.scenes.options import StreetOptions as StreetOptions
from segfrontier.scenes.options import parse_street as parse_street
from segfrontier.scenes.rendering import render_all
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter

Progress = Callable[[int, int], None]


def open_world(ref: str | Path, *, progress: Progress | None = None) -> World:
    """A world by name, folder or URI. A built-in world is rendered once and then found in the cache."""
    text = str(ref)
    if text != "street" and not text.startswith("street:"):
        return World.open(ref)
    options = parse_street(text)
    from segfrontier.scenes.street import VERSION

    name = digest(f"{VERSION}:{options.rendered}".encode())[:16]
    folder = room("worlds") / f"street-{name}"
    world = _whole(folder) or _rendered_once(folder, options, progress)
    return world if options.classes == world.classes.name else world.mapped_to(*TABLES[options.classes])


def _rendered_once(folder: Path, options: StreetOptions, progress: Progress | None) -> World:
    lock = FileLock(folder.with_suffix(".lock"))
    while not lock.take():  # another process renders it
        time.sleep(lock.poll)
    try:
        return _whole(folder) or _rendered(folder, options, progress)
    finally:
        lock.release()


def _whole(folder: Path) -> World | None:
    """The built-in world at a place in the cache; None where it is not there, or not whole any more."""
    try:
        world = World.open(folder)
        world.require_files()
    except BadWorld:
        return None
    return world


def _rendered(folder: Path, options: StreetOptions, progress: Progress | None) -> World:
    discard(folder)  # what is left of a damaged one
    return write_street(folder, options, progress=progress)


def write_street(folder: str | Path, options: StreetOptions, *, progress: Progress | None = None) -> World:
    """Render the street world into a new folder, on all cores."""
    total = options.train + options.val + options.synthetic
    origin = {"importer": "street", **options.rendered}
    with WorldWriter(folder, name="street", classes=CITYSCAPES, origin=origin) as out:
        for done, scene in enumerate(render_all(options), start=1):
            out.add(scene)
            if progress:
                progress(done, total)
    return World.open(folder)
