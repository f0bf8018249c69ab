"""The stage of one scene: meshes placed on the street, before any camera or colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import Mesh

Heading = tuple[float, float]
"""Cosine and sine of the turn to the right."""
AHEAD: Heading = (1.0, 0.0)


def turned(t: float) -> Heading:
    """A heading from the tangent of half its angle, which needs no sine that machines may round differently."""
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


GROUND_KEY = 1e9
"""Painting key of the ground: before everything that stands on it."""

X, Y, Z, SX, SY, SZ, COS, SIN, KEY, PAINT, THING, THIN, U0, KU = range(14)
"""Columns of the table of placed meshes."""


class Stage:
    """What stands on the street. Painting goes from the largest key (distance) to the smallest."""

    def __init__(self) -> None:
        self.meshes: list[Mesh] = []
        self.paints: list[Paint] = []
        self._rows: list[tuple[float, ...]] = []
        self._things = 0

    def put(
        self,
        mesh: Mesh,
        paints: Sequence[Paint],
        *,
        x: float,
        z: float,
        y: float = 0.0,
        size: tuple[float, float, float] = (1.0, 1.0, 1.0),
        heading: Heading = AHEAD,
        key: float | None = None,
        thing: bool = False,
        thin: bool = False,
        texture: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        """Place a mesh: scaled by `size`, turned to `heading`, at (x, y, z).

        `thing` gives it an instance id; `thin` keeps it at least a pixel wide; `texture` is the world coordinate
        where its pattern starts and the pattern's stretch.
        """
        if thing:
            self._things += 1
        number = self._things if thing else 0
        depth = z if key is None else key
        self._rows.append((x, y, z, *size, *heading, depth, len(self.paints), number, thin, *texture))
        self.meshes.append(mesh)
        self.paints.extend(paints)

    def table(self) -> NDArray[np.float64]:
        """One row a placed mesh, in the order of `meshes`."""
        return np.array(self._rows, np.float64)
