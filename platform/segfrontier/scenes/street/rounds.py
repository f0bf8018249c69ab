"""Round outlines from one rounded table of the circle, so that no machine's sine can move a pixel."""

from __future__ import annotations

import math

Outline = list[tuple[float, float]]

CIRCLE = tuple((round(math.sin(math.pi * i / 24), 6), round(-math.cos(math.pi * i / 24), 6)) for i in range(48))
"""48 points of the unit circle, from the bottom counter-clockwise."""


def disc(cx: float, cy: float, rx: float, ry: float, *, points: int = 8) -> Outline:
    """An ellipse with 8, 12, 16 or 24 points."""
    step = 48 // points
    return [(cx + rx * x, cy + ry * y) for x, y in CIRCLE[step // 2 :: step]]


def half_ring(cx: float, cy: float, radius: float, thick: float, *, right: bool) -> Outline:
    """Half of a ring: two of them leave the hole open, which one polygon could not."""
    side = 1.0 if right else -1.0
    arc = [(side * x, y) for x, y in CIRCLE[:25:4]]
    outer = [(cx + radius * x, cy + radius * y) for x, y in arc]
    inner = [(cx + (radius - thick) * x, cy + (radius - thick) * y) for x, y in reversed(arc)]
    return outer + inner
