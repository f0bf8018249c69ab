"""Labelling and scoring on Ray Data: scene ids go to a pool of actors, rows come back in the same order.

Ids travel and not images: each node maps the shards that it needs into memory, as it does for training. So nothing big
passes through the object store, no read task waits for a CPU that the actors have taken, and any scenes in any order
cost the same.
"""

from __future__ import annotations

import logging
import pickle
import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import ray.data
from ray.data import ActorPoolStrategy
from ray.exceptions import RayError
from ray.util.annotations import RayDeprecationWarning

from segfrontier.errors import StageError
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab._ray.looking import Look
from segfrontier.lab._ray.policy import first_line, lost, unstarted
from segfrontier.lab.passes.base import Outcome

log = logging.getLogger(__name__)
# `max_restarts` has no other name yet. Said once for this module: `catch_warnings` would change all threads' filters.
warnings.filterwarnings("ignore", category=RayDeprecationWarning, module=rf"{re.escape(__name__)}\Z")
_BLOCKS_AN_ACTOR, _MOST_IN_A_BLOCK = 8, 64


def outcomes(settings: dict[str, Any], names: Sequence[str], fleet: WorkerPool, *, gpu: bool) -> Iterator[Outcome]:
    """What came of each scene, in the order of `names`, while the actors work on the next; raises what an actor raised.

    Where a process or a node is lost, a new pool goes on after the last row that came.
    """
    done, losses = 0, 0
    while done < len(names):
        try:
            for row in _pass(settings, names[done:], fleet, gpu=gpu):
                if row["error"] is not None:
                    raise pickle.loads(row["error"])
                if row["scene"] != names[done]:
                    raise StageError(f"rows must come back in order; {names[done]!r} was due, {row['scene']!r} came")
                made = None if row["row"] is None else pickle.loads(row["row"])
                yield Outcome(row["scene"], made, row["fault"] or "")
                done, losses = done + 1, 0
            break
        except RayError as error:
            if not lost(error):
                raise unstarted(error) from error
            losses += 1
            if losses > fleet.max_failures:
                raise StageError(
                    f"a stage needs processes that stay alive; they were lost {losses} times around scene "
                    f"{names[done]!r}, the last time with: {first_line(error)}. Look into the logs of Ray for why: an "
                    f"image too large for the memory?"
                ) from error
            log.warning("a process was lost around scene %r; a new pool of actors goes on from there", names[done])
    if done < len(names):
        raise StageError(f"every scene must come back; {len(names) - done} did not, from {names[done]!r} on")


def _pass(settings: dict[str, Any], names: Sequence[str], fleet: WorkerPool, *, gpu: bool) -> Iterator[dict[str, Any]]:
    """The rows that one pool of actors gets through."""
    _quieten()
    size = min(_MOST_IN_A_BLOCK, -(-len(names) // (fleet.actors * _BLOCKS_AN_ACTOR)))
    # Not `from_arrow`, which starts a process to look at the table.
    scenes = ray.data.from_items([{"scene": name} for name in names], override_num_blocks=-(-len(names) // size))
    scenes.context.execution_options.preserve_order = True
    scenes.context.enable_progress_bars = False
    each = fleet.process(gpu=gpu)
    looked = scenes.map_batches(
        Look,
        fn_constructor_kwargs=settings,
        batch_size=size,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=min(fleet.actors, len(names))),
        num_cpus=each.cpus,
        num_gpus=each.gpus or None,
        memory=each.resources.get("memory"),
        label_selector=dict(each.labels) or None,
        max_restarts=0,  # Ray Data's default has no end: an image that ends its process would hang the stage
    )
    for block in looked.iter_batches(batch_size=None, batch_format="pyarrow"):
        yield from block.to_pylist()


def _quieten() -> None:
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.addFilter(_news)


def _news(record: logging.LogRecord) -> bool:
    """Keep Ray Data's warnings on the terminal, but not tracebacks, which reach the caller as exceptions, nor that bars
    are off, as they are on purpose. Its log file has them all.
    """
    of_bars = record.name == "ray.data._internal.progress"
    return record.levelno >= logging.WARNING and not (of_bars or record.exc_info)
