"""Rendering the street world on all cores: this module, run as a process for each core, sends its scenes down a pipe.

    python -m segfrontier.scenes.rendering PARENT OPTIONS NUMBER COUNT

It is no `multiprocessing` pool, because such a one would import the user's script again in each worker. A renderer dies
with its parent: its pipe breaks at the next scene, and it watches who its parent is.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from segfrontier.basics.children import die_with_parent
from segfrontier.errors import SegFrontierError
from segfrontier.scenes.codec import encode_image
from segfrontier.scenes.options import StreetOptions
from segfrontier.scenes.writer import Scene

FEW = 200
"""Scenes that this process renders alone, because starting others would take longer."""
_MOST_PROCESSES = 64
_PIPE_BYTES = 2**18  # a few scenes ahead of the writer


class RendererLost(SegFrontierError):
    """A process that rendered scenes ended before it was done."""


def render_all(options: StreetOptions) -> Iterator[Scene]:
    """All scenes of a street world in their order."""
    plan = options.plan()
    first = _render(options, plan[0])  # what cannot be rendered is refused here, before any process starts
    count = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES)
    if count == 1 or len(plan) < FEW:
        yield first
        yield from map(partial(_render, options), plan[1:])
        return
    renderers = [_start(options, number, count) for number in range(count)]
    try:
        for at in range(len(plan)):
            yield _received(renderers[at % count])
    finally:
        for renderer in renderers:
            renderer.kill()
            renderer.communicate()


def _start(options: StreetOptions, number: int, count: int) -> subprocess.Popen[bytes]:
    words = (str(os.getpid()), json.dumps(asdict(options)), str(number), str(count))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __spec__.name, *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pipesize=_PIPE_BYTES,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip


def _received(renderer: subprocess.Popen[bytes]) -> Scene:
    assert renderer.stdout is not None, "it is a pipe"
    try:
        came: Any = pickle.load(renderer.stdout)  # our own process sent it
    except (EOFError, pickle.UnpicklingError):
        raise RendererLost(
            f"the processes that render scenes must live until they are done; one ended with code {renderer.wait()}. "
            f"Look for what ended it (too little memory?), then start again."
        ) from None
    if isinstance(came, SegFrontierError):
        raise came
    assert isinstance(came, Scene), "a renderer sends scenes and errors"
    return came


def _render(options: StreetOptions, place: tuple[str, str, int]) -> Scene:
    from segfrontier.scenes.street import render_scene

    domain, split, index = place
    height, width = options.shape
    drawn = render_scene(
        seed=options.seed, index=index, domain="game" if domain == "source" else "city",
        height=height, width=width, gap=options.gap,
    )  # fmt: skip
    (top, left), (down, right) = options.corner(index), options.kept
    seen = slice(top, top + down), slice(left, left + right)
    return Scene(
        id=f"{'game' if domain == 'source' else 'city'}/{split}/{index:06d}",
        domain=domain, split=split, height=down, width=right,
        image=encode_image(np.ascontiguousarray(drawn.image[seen])),
        semantic=np.ascontiguousarray(drawn.semantic[seen]), instance=np.ascontiguousarray(drawn.instance[seen]),
    )  # fmt: skip


def main(words: Sequence[str]) -> None:
    """Render every COUNTth scene from the NUMBERth on, and send them to the parent."""
    parent, options, number, count = int(words[0]), StreetOptions(**json.loads(words[1])), *map(int, words[2:])
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "wb") as pipe:
        os.dup2(2, 1)  # what is printed meanwhile must not get between the scenes
        for place in options.plan()[number::count]:
            try:
                sent: Scene | SegFrontierError = _render(options, place)
            except SegFrontierError as error:
                sent = error
            pickle.dump(sent, pipe, protocol=5)
            pipe.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
