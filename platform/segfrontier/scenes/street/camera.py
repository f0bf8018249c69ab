"""The pinhole camera that every scene is seen through, in units of the picture's frame so that size changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.street.dice import Dice

NEAR = 0.8
"""Nothing is drawn closer than this many metres."""

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Camera:
    """A level camera: focal length in samples, principal point as sample indices, place in metres."""

    focal: float
    centre: float
    horizon: float
    height: float
    aside: float

    def project(self, x: F64, y: F64, z: F64) -> tuple[F64, F64]:
        """Sample coordinates (column, row) of world points; points behind the camera move to the near plane."""
        scale = self.focal / np.maximum(z, NEAR)
        return self.centre + (x - self.aside) * scale, self.horizon + (self.height - y) * scale


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """A camera as drawn for a scene: everything in shares of the frame's width, so it fits any picture size."""

    focal: float
    horizon: float
    pan: float
    height: float
    aside: float

    def camera(self, height: int, width: int, samples: int) -> Camera:
        """This view for one picture with `samples` samples a pixel and axis; sample 0 is the centre of pixel 0.

        The frame is the smallest 2:1 one that holds the picture, which crops it.
        """
        frame = float(max(width, 2 * height))
        return Camera(
            focal=samples * self.focal * frame,
            centre=samples * (width / 2 - 0.5 + self.pan * frame),
            horizon=samples * (height / 2 - 0.5 + self.horizon * frame),
            height=self.height,
            aside=self.aside,
        )


CITY = {"focal": (1.02, 1.16), "horizon": (-0.05, -0.01), "height": (1.25, 1.5)}
GAME = {"focal": (0.98, 1.09), "horizon": (-0.052, -0.013), "height": (1.45, 1.75)}


def draw_view(dice: Dice, *, game_share: float, lane: float) -> CameraView:
    """A view for one scene: `city` ranges at game_share 0, `game` ranges at 1, linear between them."""

    def drawn(name: str) -> float:
        place = dice.unit()
        city, game = (low + (high - low) * place for low, high in (CITY[name], GAME[name]))
        return city + (game - city) * game_share

    return CameraView(
        focal=drawn("focal"),
        horizon=drawn("horizon"),
        pan=dice.between(-0.02, 0.02),
        height=drawn("height"),
        aside=lane + dice.between(-0.35, 0.35),
    )
