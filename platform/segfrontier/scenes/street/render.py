"""A street scene from its seed and index: layout, camera, face map, truth, picture."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.scenes.street.camera import draw_view
from segfrontier.scenes.street.crowd import fill_walkways
from segfrontier.scenes.street.dice import Dice, Stream, generator
from segfrontier.scenes.street.frontage import line_street
from segfrontier.scenes.street.ground import lay_ground
from segfrontier.scenes.street.kerbside import furnish
from segfrontier.scenes.street.labels import IS_THING, Label
from segfrontier.scenes.street.look import draw_air, draw_lens, swatches
from segfrontier.scenes.street.materials import Material, Paint
from segfrontier.scenes.street.plan import Plan, draw_plan
from segfrontier.scenes.street.raster import Raster, rasterise
from segfrontier.scenes.street.sensor import develop
from segfrontier.scenes.street.shade import dress, shade
from segfrontier.scenes.street.shadow import cast
from segfrontier.scenes.street.stage import Stage
from segfrontier.scenes.street.tiles import atlas
from segfrontier.scenes.street.traffic import fill_traffic

Domain = Literal["game", "city"]


@dataclass(frozen=True, slots=True, eq=False)
class StreetScene:
    """A picture and its exact truth."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    semantic: NDArray[np.uint8]
    """(H, W) labels 0..18; every pixel has one."""
    instance: NDArray[np.uint16]
    """(H, W) ids of countable objects, 0 where there is none."""


def _stage(dice: Dice) -> tuple[Plan, Stage]:
    plan, stage = draw_plan(dice), Stage()
    lay_ground(dice, plan, stage)
    line_street(dice, plan, stage)
    furnish(dice, plan, stage)
    fill_traffic(dice, plan, stage)
    fill_walkways(dice, plan, stage)
    return plan, stage


def _truth(raster: Raster, step: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Labels and instances at the pixel centres."""
    at = raster.index[::step, ::step]
    labels = np.concatenate([np.array([Label.SKY], np.uint8), raster.faces.label])
    ids = np.concatenate([np.zeros(1, np.uint16), raster.faces.instance])
    return labels[at], np.where(IS_THING[labels], ids, np.uint16(0))[at]


def render_scene(*, seed: int, index: int, domain: Domain, height: int, width: int, gap: float = 1.0) -> StreetScene:
    """Render scene `index` of the world `seed`."""
    share = gap if domain == "game" else 0.0
    step = 2
    dice = Dice(generator(seed, index, Stream.LAYOUT))
    plan, stage = _stage(dice)
    view = draw_view(Dice(generator(seed, index, Stream.CAMERA)), game_share=share, lane=plan.lane / 2)
    camera = view.camera(height, width, step)
    raster = rasterise(stage, camera, step * height, step * width, thin=1.0 * step)
    semantic, instance = _truth(raster, step)

    looks = Dice(generator(seed, index, Stream.LOOK))
    air, lens = draw_air(looks, share), draw_lens(looks, share)
    skin = dress(
        raster.faces, stage.paints, Paint(Material.SKY, looks.unit(), looks.unit()), camera, swatches(share), air
    )
    shadow = cast(stage, camera, raster.index.shape, air.sun, int(200 * air.direct))
    colours = shade(raster.index, skin, camera, air, shadow, atlas(share))
    image = develop(colours, step, lens, generator(seed, index, Stream.NOISE))
    return StreetScene(image, semantic, instance)
