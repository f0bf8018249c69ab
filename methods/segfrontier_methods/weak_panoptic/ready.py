"""What must hold before the first label is bought, where a knob cannot tell alone: networks that run, sizes that fit.

Labels are paid for once and trainings take hours, so nothing that these images and this recipe rule out may come to
light after either.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from segfrontier.errors import BadInput
from segfrontier.lab import Lab, Network, Recipe
from segfrontier.maths import DIN, mean_field
from segfrontier.models.classifier import TagClassifier
from segfrontier.models.detector import Detector
from segfrontier.models.network import check_network
from segfrontier_methods.weak_panoptic.data import needs_tags, require_things
from segfrontier_methods.weak_panoptic.knobs import Knobs
from segfrontier_methods.weak_panoptic.networks import classifier_of, detector_of


def require_ready(lab: Lab, recipe: Recipe, knobs: Knobs) -> None:
    """BadInput if a training or a pass that these knobs ask for cannot run on the pool's images."""
    require_things(lab)
    if needs_tags(lab, knobs) and knobs.split < 1:
        _require_one_size(lab, recipe)
        _require_classifier(lab, recipe, knobs)
    if knobs.instances != "none":
        _require_network(Detector, detector_of(knobs, recipe, lab.classes.things))
        if knobs.pairwise and knobs.filtering == "exact":
            _require_few_pixels(lab, recipe, knobs)


def _require_one_size(lab: Lab, recipe: Recipe) -> None:
    """The classifier's batches are of whole images, whose crops are fixed: none may be cut or brought to a size."""
    sizes = sorted({lab.pool.size(scene) for scene in lab.sold("box")})
    if len(sizes) > 1 and recipe.batch > 1:
        shown = ", ".join(f"{height}x{width}" for height, width in sizes[:3])
        raise BadInput(
            f"weak_panoptic learns tags from whole images, which must have one size where recipe.batch is above 1; "
            f"found batch {recipe.batch} and {len(sizes)} sizes ({shown}{', ...' if len(sizes) > 3 else ''}). Set "
            f"recipe.batch 1, or bring all images to one size before they are imported."
        )


def _require_classifier(lab: Lab, recipe: Recipe, knobs: Knobs) -> None:
    try:
        _require_network(TagClassifier, classifier_of(knobs, recipe, len(lab.classes)))
    except BadInput as error:
        raise BadInput(
            f"the classifier of tags needs an encoder that reaches tag_stride {knobs.tag_stride}; found "
            f"{recipe.encoder}, of which this is told: {str(error).partition('. ')[0]}. Set tag_stride null for the "
            f"recipe's own stride, or to one that this encoder reaches."
        ) from error


def _require_network(kind: Any, network: Network) -> None:
    spec: Any = network.blueprint
    # Whether batch norms can be synchronised is the cluster's to say, where the network is trained.
    check_network(kind, replace(spec, norm="batch") if spec.norm == "sync" else spec)


def _require_few_pixels(lab: Lab, recipe: Recipe, knobs: Knobs) -> None:
    """The exact CRF takes crops in its training, whole images in scoring; those of the validation are not seen here."""
    sizes = {lab.pool.size(scene) for scene in lab.pool.scenes()}
    if recipe.crop is not None and knobs.instances == "end_to_end":
        sizes.add((recipe.crop[0], recipe.crop[1]))
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    label, image = (torch.empty(count, height, width, device="meta") for count in (1, 3))
    try:
        mean_field(label, image, replace(DIN, iterations=0), by="exact")
    except ValueError as error:
        raise BadInput(
            f"filtering exact must be able to take every image and crop, up to {height}x{width} here; found that "
            f"{error}. Set filtering lattice, or pairwise false."
        ) from error
