"""The 19 labels by name, for code that places them."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from segfrontier.scenes.classes import CITYSCAPES


class Label(IntEnum):
    """Label values of `CITYSCAPES`, in its order."""

    ROAD = 0
    SIDEWALK = 1
    BUILDING = 2
    WALL = 3
    FENCE = 4
    POLE = 5
    LIGHT = 6
    SIGN = 7
    VEGETATION = 8
    TERRAIN = 9
    SKY = 10
    PERSON = 11
    RIDER = 12
    CAR = 13
    TRUCK = 14
    BUS = 15
    TRAIN = 16
    MOTORCYCLE = 17
    BICYCLE = 18


IS_THING = np.isin(np.arange(256), CITYSCAPES.things)
"""Whether a label's objects are counted, by label value."""
