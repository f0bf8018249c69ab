"""Ratios of counts in which nothing out of nothing is unknown, not 0: NaN, and left out of means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def ratio(part: Any, whole: Any) -> Floats:
    """part / whole element by element, NaN where the whole is 0 or less."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def known_mean(values: Floats) -> float:
    """The mean of the values that are not NaN, NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
