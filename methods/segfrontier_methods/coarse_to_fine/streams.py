"""Which samples a step of training has: real ones, synthetic ones, and partners to paste from."""

from __future__ import annotations

import numpy as np

from segfrontier.errors import BadInput
from segfrontier.lab import Lab, Part, Recipe, Stream
from segfrontier_methods.coarse_to_fine.knobs import Knobs


def check_parts(knobs: Knobs, lab: Lab, recipe: Recipe) -> None:
    """BadInput for what knobs, world and recipe can only do wrong together; asked before anything is bought."""
    if knobs.needs_synthetic and lab.synthetic is None:
        raise BadInput(
            "coarse_to_fine needs a world with source scenes; this one has none: name one as `source`, or train on "
            "real images alone with synthetic_share: 0, mixing: 0 and boundary: 0"
        )
    synthetic = _synthetic_batch(knobs, recipe)
    if synthetic == recipe.batch or (knobs.synthetic_share and not synthetic):
        raise BadInput(
            f"a batch must hold real and synthetic images; found batch {recipe.batch} with synthetic_share "
            f"{knobs.synthetic_share}, which makes {synthetic} of them synthetic. Change one of the two."
        )


def streams_of(knobs: Knobs, lab: Lab, recipe: Recipe, real: Part, fine: Part | None) -> dict[str, Stream]:
    """The recipe's batch, divided between `real` and `synthetic`; and a `partner` for every real sample."""
    synthetic, count = _synthetic_part(knobs, lab), _synthetic_batch(knobs, recipe)
    streams = {"real": recipe.stream(real, batch=recipe.batch - count)}
    if count and synthetic is not None:
        streams["synthetic"] = recipe.stream(synthetic, batch=count)
    partner = synthetic if knobs.mix.endswith("<-synthetic") else fine
    if knobs.mixing and partner is not None:
        # An order of its own, over the whole set: partners are not this step's synthetic samples.
        streams["partner"] = recipe.stream(partner, batch=recipe.batch - count)
    return streams


def _synthetic_batch(knobs: Knobs, recipe: Recipe) -> int:
    return round(recipe.batch * knobs.synthetic_share)


def _synthetic_part(knobs: Knobs, lab: Lab) -> Part | None:
    """All synthetic scenes, or so many at random; a smaller number's are among a larger one's."""
    part = lab.synthetic
    if part is None or knobs.synthetic_images is None:
        return part
    names = part.names()
    chosen = np.random.default_rng(lab.seed).permutation(len(names))[: knobs.synthetic_images]
    return Part(images=part.images, labels=part.labels, scenes=tuple(names[i] for i in chosen))
