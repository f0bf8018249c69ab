"""How a material looks in both domains: its texture and its pairs of colours."""

from __future__ import annotations

from typing import NamedTuple

from segfrontier.scenes.street.materials import Tile


class Swatch(NamedTuple):
    """A texture and the colours it moves between.

    A colour is `first/second` (rrggbb), or one value where both are the same; there is one a variant. Row i of `game`
    and row i of `city` colour the same object, so a gap between 0 and 1 lies on the line between them.
    """

    tile: Tile
    across: float
    """Metres that the tile covers along the surface."""
    along: float
    """Metres that it covers upwards, or ahead on the ground."""
    spread: float
    """How far an object's lightness strays from the colour."""
    city: str
    game: str
