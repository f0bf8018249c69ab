"""Worlds by name: `street` is rendered on first use into the cache; anything else is a folder or URI.

street                                   200 train, 60 val and 400 synthetic scenes of 96x192
street:train=64,val=32,size=128x256,gap=0.5
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.codec import encode_image
from segfrontier.scenes.files import cache_folder, digest, staging_name
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import Scene, WorldWriter

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetOptions:
    """How much of the street world to render: `train` and `val` city scenes, `synthetic` game scenes."""

    train: int = 200
    val: int = 60
    synthetic: int = 400
    size: str = "96x192"
    gap: float = 1.0
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        height, _, width = self.size.partition("x")
        if not (height.isdigit() and width.isdigit()):
            raise BadWorld(f"street: size must be HEIGHTxWIDTH, e.g. 96x192; found {self.size!r}")
        return int(height), int(width)


def parse_street(text: str) -> StreetOptions:
    """`street` or `street:key=value,...`; a wrong key names the nearest right one."""
    name, _, rest = text.partition(":")
    if name != "street":
        raise BadWorld(f"the built-in world is called 'street'; found {name!r}")
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(StreetOptions()).items()}
    values: dict[str, object] = {}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if key not in kinds or not equals:
            near = get_close_matches(key, kinds, n=1, cutoff=0.0)[0]
            raise BadWorld(
                f"street takes key=value with the keys {', '.join(kinds)}; found {part!r}: did you mean {near!r}?"
            )
        try:
            values[key] = kinds[key](value)
        except ValueError as error:
            raise BadWorld(f"street: {key} must be {kinds[key].__name__}; found {value!r}") from error
    options = StreetOptions(**values)  # type: ignore[arg-type]
    if not all(options.shape) or options.train < 1 or options.val < 1 or options.synthetic < 0:
        raise BadWorld(f"street needs at least one train and one val scene; found {options}")
    return options


def open_world(ref: str | Path, *, progress: Progress | None = None) -> World:
    """A world by name, folder or URI. A built-in world is rendered once and then found in the cache."""
    text = str(ref)
    if text != "street" and not text.startswith("street:"):
        return World.open(ref)
    options = parse_street(text)
    from segfrontier.scenes.street import VERSION

    name = digest(f"{VERSION}:{asdict(options)}".encode())[:16]
    folder = cache_folder() / "worlds" / f"street-{name}"
    if not folder.exists():
        staged = staging_name(folder)
        try:
            write_street(staged, options, progress=progress)
            # Another process may have been faster; its scenes are the same ones.
            with contextlib.suppress(OSError):
                staged.rename(folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    return World.open(folder)


def write_street(folder: str | Path, options: StreetOptions, *, progress: Progress | None = None) -> World:
    """Render the street world into a new folder, on all cores."""
    plan = [
        *(("source", "train", i) for i in range(options.synthetic)),
        *(("target", "train", options.synthetic + i) for i in range(options.train)),
        *(("target", "val", options.synthetic + options.train + i) for i in range(options.val)),
    ]
    with WorldWriter(
        folder, name="street", classes=CITYSCAPES, origin={"importer": "street", **asdict(options)}
    ) as out:
        for done, scene in enumerate(_render_all(plan, options), start=1):
            out.add(scene)
            if progress:
                progress(done, len(plan))
    return World.open(folder)


def _render_all(plan: list[tuple[str, str, int]], options: StreetOptions) -> Iterator[Scene]:
    render = partial(_render, options)
    render(plan[0])  # a bad size or gap is told here, before any process starts
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or len(plan) < 200:
        yield from map(render, plan)
        return
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as workers:
        yield from workers.map(render, plan, chunksize=16)


def _render(options: StreetOptions, place: tuple[str, str, int]) -> Scene:
    from segfrontier.scenes.street import render_scene

    domain, split, index = place
    height, width = options.shape
    drawn = render_scene(
        seed=options.seed, index=index, domain="game" if domain == "source" else "city",
        height=height, width=width, gap=options.gap,
    )  # fmt: skip
    return Scene(
        id=f"{'game' if domain == 'source' else 'city'}/{split}/{index:06d}",
        domain=domain, split=split, height=height, width=width,
        image=encode_image(drawn.image), semantic=drawn.semantic, instance=drawn.instance,
    )  # fmt: skip
