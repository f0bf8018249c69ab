"""Which classes weigh more in the loss, and by what knowledge they were chosen."""

from __future__ import annotations

import numpy as np

from segfrontier.lab import Lab, Part, SceneLabels
from segfrontier_methods.proxy_curriculum.knobs import PAPERS_CLASSES, Knobs

_SCENES = 200
"""Source scenes that are counted, evenly spaced: enough for a share of a hundredth."""
LEAK = "warning/the classes that weigh double were chosen on the target's validation labels (paper 003, section 3.3)"


def class_weights(knobs: Knobs, lab: Lab, source: Part) -> tuple[float, ...] | None:
    """A weight for each class; None where all weigh the same."""
    names = lab.classes.names
    if knobs.weighting == "none":
        return None
    heavy = knobs.weighted if knobs.weighting == "named" else rare_classes(source, names, below=knobs.rare_below)
    return tuple(knobs.weight if name in heavy else 1.0 for name in names)


def leaks(knobs: Knobs) -> bool:
    """Whether the heavier classes are those that the paper chose by looking at what it is judged by."""
    return knobs.weighting == "named" and set(knobs.weighted) == set(PAPERS_CLASSES)


def rare_classes(source: Part, names: tuple[str, ...], *, below: float) -> tuple[str, ...]:
    """Those with a smaller share of the source's labelled pixels than `below`, but some."""
    scenes = source.names()
    counts = np.zeros(256, np.int64)
    for at in np.unique(np.linspace(0, len(scenes) - 1, min(_SCENES, len(scenes))).round().astype(int)):
        known = source.pixels(scenes[at])
        if isinstance(known, SceneLabels):
            counts += np.bincount(known.map().ravel(), minlength=256)
    counts = counts[: len(names)]
    return tuple(name for name, count in zip(names, counts, strict=True) if 0 < count < below * counts.sum())
