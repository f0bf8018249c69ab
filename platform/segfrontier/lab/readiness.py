"""What must hold before the first label is bought: a device that is there, a network that runs, crops that can be cut.

`plan`, `run` and `train` ask the same functions. Whatever fails here has cost nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

from segfrontier.basics import bounds
from segfrontier.errors import BadInput
from segfrontier.lab.devices import require_device
from segfrontier.lab.recipe import Recipe
from segfrontier.lab.training.loop import Bench
from segfrontier.models.encoder import build_encoder
from segfrontier.models.model import ModelSpec, check_spec
from segfrontier.models.pyramid import plan_encoder
from segfrontier.models.weights import find_weights
from segfrontier.scenes.world import Pool

_LARGEST_CROP = 2
"""A crop may be so many times as large as the images at their largest scale; beyond that most of it is padding."""
_MOST_PROCESSES = 1024


def require_bench(bench: Bench, *, here: bool = True) -> None:
    """BadInput if stages cannot run like this."""
    require_device(bench.device, here=here)
    if not 0 <= bench.loader_workers <= _MOST_PROCESSES:
        raise BadInput(
            f"loader processes must be 0 (in the training process itself) to {_MOST_PROCESSES}; found "
            f"{bench.loader_workers}. Write a number in between."
        )
    if bench.threads is not None and not 1 <= bench.threads <= _MOST_PROCESSES:
        raise BadInput(f"threads must be 1 to {_MOST_PROCESSES}; found {bench.threads}. Leave them out to use all.")
    if bench.look_batch is not None and not 1 <= bench.look_batch <= bounds.TOGETHER:
        raise BadInput(
            f"look_batch must be 1 to {bounds.TOGETHER} images, which a model looks at together; found "
            f"{bench.look_batch}. Leave it out for 1 on CPUs and 8 on GPUs."
        )
    if not (math.isfinite(bench.checkpoint_seconds) and bench.checkpoint_seconds >= 0 and bench.log_steps >= 1):
        raise BadInput(
            f"a bench needs checkpoint_seconds >= 0 and log_steps >= 1; found {bench.checkpoint_seconds} and "
            f"{bench.log_steps}. Correct them."
        )


def require_recipe(recipe: Recipe, pool: Pool, *, classes: int, workers: int = 1) -> None:
    """BadInput if a recipe cannot train on these images: its network, its weights, its crops and its batch."""
    _require_network(recipe.model(classes))
    names = pool.scenes()
    if recipe.crop is not None and names:
        limit = math.floor(_LARGEST_CROP * recipe.scale[1] * max(pool.size(names[0])))
        if max(recipe.crop) > limit:
            height, width = pool.size(names[0])
            raise BadInput(
                f"recipe.crop must be at most {limit} pixels a side for images of {height} x {width} at scales up to "
                f"{recipe.scale[1]:g}; found {list(recipe.crop)}. Choose a smaller crop, or leave it out."
            )
    if recipe.batch % (workers * recipe.accumulate):
        raise BadInput(
            f"recipe.batch must divide among the workers and the parts of a step; found {recipe.batch} over {workers} "
            f"workers and accumulate {recipe.accumulate}. Change one of them."
        )


@lru_cache(maxsize=64)
def _require_network(spec: ModelSpec) -> None:
    # Whether batch norms can be synchronised is the cluster's to say, where the network is trained.
    check_spec(replace(spec, norm="batch") if spec.norm == "sync" else spec)
    if spec.pretrained not in ("auto", "never"):  # whatever is named must be here and fit
        build_encoder(spec, plan_encoder(spec), find_weights(spec.encoder, spec.pretrained))
