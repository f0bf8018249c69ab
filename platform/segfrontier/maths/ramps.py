"""Weights that grow while a network learns: share of the run that is done -> share of the full weight.

A consistency loss asks for a teacher that knows something; at the beginning there is none.
"""

from __future__ import annotations

import math
from typing import Literal

from segfrontier.maths.checks import require_within, require_word

Ramp = Literal["linear", "sigmoid", "none"]
"""`linear`: nothing for a tenth of the run, then in a straight line to the full weight at six tenths, as the code of
paper 004 does over its 100 epochs. `sigmoid`: mean teacher's, exp(-5 (1 - t)^2), full at the end of the run."""


def ramp_up(progress: float, *, ramp: Ramp) -> float:
    """The share of the weight in force when `progress`, in [0, 1], of the run is done."""
    require_word("ramp", ramp, Ramp)
    require_within("progress", progress, 0, 1)
    if ramp == "none":
        return 1.0
    if ramp == "linear":
        return min(1.0, 2 * max(0.0, progress - 0.1))
    return math.exp(-5 * (1 - progress) ** 2)
