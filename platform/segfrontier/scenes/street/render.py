"""A street scene from its seed and index: layout, camera, face map, truth, picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.scenes.street.camera import draw_view
from segfrontier.scenes.street.crowd import fill_walkways
from segfrontier.scenes.street.dice import Dice, RandomStream, generator
from segfrontier.scenes.street.frontage import line_street
from segfrontier.scenes.street.ground import lay_ground
from segfrontier.scenes.street.kerbside import furnish
from segfrontier.scenes.street.labels import IS_THING, Label
from segfrontier.scenes.street.look import draw_air, draw_lens, swatches
from segfrontier.scenes.street.materials import Material, Paint
from segfrontier.scenes.street.plan import StreetPlan, draw_plan
from segfrontier.scenes.street.raster import Raster, rasterise
from segfrontier.scenes.street.sensor import develop
from segfrontier.scenes.street.shade import dress, shade
from segfrontier.scenes.street.shadow import cast
from segfrontier.scenes.street.stage import Stage
from segfrontier.scenes.street.tiles import atlas
from segfrontier.scenes.street.traffic import fill_traffic

Domain = Literal["game", "city"]
DOMAINS: tuple[str, ...] = get_args(Domain)
HEIGHTS, WIDTHS = (64, 1024), (128, 2048)
STEP = 2
"""Samples a pixel and axis: the picture averages them, the truth takes the one at the pixel's centre."""


@dataclass(frozen=True, slots=True, eq=False)
class StreetScene:
    """A picture and its exact truth."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    semantic: NDArray[np.uint8]
    """(H, W) labels 0..18; every pixel has one."""
    instance: NDArray[np.uint16]
    """(H, W) ids of countable objects, 0 where there is none."""


def _stage(dice: Dice) -> tuple[StreetPlan, Stage]:
    plan, stage = draw_plan(dice), Stage()
    lay_ground(dice, plan, stage)
    line_street(dice, plan, stage)
    furnish(dice, plan, stage)
    fill_traffic(dice, plan, stage)
    fill_walkways(dice, plan, stage)
    return plan, stage


def _truth(raster: Raster) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Labels and instances at the pixel centres."""
    at = raster.index[::STEP, ::STEP]
    labels = np.concatenate([np.array([Label.SKY], np.uint8), raster.faces.label])
    ids = np.concatenate([np.zeros(1, np.uint16), raster.faces.instance])
    return labels[at], np.where(IS_THING[labels], ids, np.uint16(0))[at]


def _require(good: bool, rule: str, found: object, advice: str) -> None:
    if not good:
        raise BadInput(f"{rule}; found {found!r}. {advice}")


def _check(seed: int, index: int, domain: str, height: int, width: int, gap: float) -> None:
    whole = {"seed": seed, "index": index, "height": height, "width": width}
    for name, value in whole.items():
        integral = isinstance(value, int | np.integer) and not isinstance(value, bool)
        _require(integral, f"a street scene's {name} must be a whole number", value, "Give an int.")
    _require(seed >= 0, "a street world's seed must be 0 or more", seed, "Choose another seed.")
    _require(0 <= index < 1 << 32, "a street scene's index must be in [0, 2**32)", index, "Count scenes from 0.")
    _require(domain in DOMAINS, f"a street domain must be one of {', '.join(DOMAINS)}", domain, "Check its spelling.")
    size = f"{height}x{width}"
    fits = HEIGHTS[0] <= height <= HEIGHTS[1] and WIDTHS[0] <= width <= WIDTHS[1]
    rule = f"a street scene must be {HEIGHTS[0]}x{WIDTHS[0]} to {HEIGHTS[1]}x{WIDTHS[1]} (height x width)"
    _require(fits, rule, size, "Render at the nearest size that fits and resize.")
    number = isinstance(gap, int | float | np.integer | np.floating) and math.isfinite(gap) and 0 <= gap <= 1
    _require(number, "gap must be a number from 0 (no domain gap) to 1 (the full gap)", gap, "Choose one in between.")


def render_scene(*, seed: int, index: int, domain: Domain, height: int, width: int, gap: float = 1.0) -> StreetScene:
    """Render scene `index` of the world `seed`, the same bytes on every machine.

    `city` is the fixed end of the scale and ignores `gap`. `game` differs from it by `gap`: every colour, texture and
    quantity of light, optics and camera is (1 - gap) of city's and gap of its own, from the same random numbers, so
    at 0 both domains are the same pictures. The layout depends on seed and index alone, whatever the domain, gap and
    size; a world that must not hold a scene in both domains gives them different indices.
    """
    _check(seed, index, domain, height, width, gap)
    seed, index, height, width = int(seed), int(index), int(height), int(width)
    share = float(gap) if domain == "game" else 0.0
    plan, stage = _stage(Dice(generator(seed, index, RandomStream.LAYOUT)))
    view = draw_view(Dice(generator(seed, index, RandomStream.CAMERA)), game_share=share, lane=plan.lane / 2)
    camera = view.camera(height, width, STEP)
    raster = rasterise(stage, camera, STEP * height, STEP * width, thin=STEP - 1.0)
    semantic, instance = _truth(raster)

    dice, colours = Dice(generator(seed, index, RandomStream.LOOK)), swatches(share)
    air, lens = draw_air(dice, share), draw_lens(dice, share)
    sky = Paint(Material.SKY, dice.unit(), dice.unit())
    skin = dress(raster.faces, stage.paints, sky, camera, colours, air)
    shadow = cast(stage, camera, raster.index.shape, air.sun, int(200 * air.direct))
    samples = shade(raster.index, skin, camera, air, shadow, atlas(share))
    image = develop(samples, STEP, lens, generator(seed, index, RandomStream.NOISE))
    return StreetScene(image, semantic, instance)
