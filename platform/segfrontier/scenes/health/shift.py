"""Whether two splits are labelled alike: the total variation of their class shares, and what chance makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.health.encodings import total_variation

BETWEEN_SPLITS, BETWEEN_DOMAINS = 0.1, 0.2  # of pixels that would have to change class
_DIVISIONS, _SEED = 100, 0


@dataclass(frozen=True, slots=True)
class Shift:
    """How far apart two splits are; `chance`: what 95 of 100 divisions of the same scenes at random stay below."""

    distance: float
    chance: float
    classes: tuple[int, ...]  # that differ most, most first


def shift(left: NDArray[np.int64], right: NDArray[np.int64]) -> Shift:
    """From (scenes, classes) numbers of pixels, without void."""
    shares = _shares(left.sum(0)), _shares(right.sum(0))
    rng, both = np.random.default_rng(_SEED), np.concatenate([left, right]).astype(np.float64)
    total, drawn = both.sum(0), []
    for _ in range(_DIVISIONS):
        part = both[rng.permutation(len(both))[: len(left)]].sum(0)
        drawn.append(total_variation(_shares(part), _shares(total - part)))  # type: ignore[arg-type]
    order = np.argsort(-np.abs(shares[0] - shares[1]), kind="stable")
    distance = total_variation(shares[0], shares[1])  # type: ignore[arg-type]
    return Shift(distance, float(np.quantile(drawn, 0.95)), tuple(order[:3].tolist()))


def _shares(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(pixels / max(float(pixels.sum()), 1.0), np.float64)
