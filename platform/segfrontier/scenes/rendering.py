"""Rendering the street world on all cores: this module, run as a process for each core, sends its scenes down a pipe.

python -m segfrontier.scenes.rendering PARENT OPTIONS NUMBER COUNT
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial

import numpy as np

from segfrontier.errors import SegFrontierError
from segfrontier.scenes.codec import encode_image
from segfrontier.scenes.options import StreetOptions
from segfrontier.scenes.processes import FEW as FEW
from segfrontier.scenes.processes import cores, results, send, start
from segfrontier.scenes.writer import Scene


class RendererLost(SegFrontierError):
    """A process that rendered scenes ended before it was done."""


def render_all(options: StreetOptions) -> Iterator[Scene]:
    """All scenes of a street world in their order."""
    plan = options.plan()
    first = _render(options, plan[0])  # what cannot be rendered is refused here, before any process starts
    count = cores()
    if count == 1 or len(plan) < FEW:
        yield first
        yield from map(partial(_render, options), plan[1:])
        return
    words = json.dumps(asdict(options))
    renderers = [start(__spec__.name, words, str(number), str(count)) for number in range(count)]
    yield from results(renderers, len(plan), lost=RendererLost, doing="render scenes")


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
    send(parent, map(partial(_render, options), options.plan()[number::count]))


if __name__ == "__main__":
    main(sys.argv[1:])
