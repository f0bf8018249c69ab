"""The parts of the street renderer on their own: camera, occlusion, meshes, tiles, sensor, shadows, dice."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.street import cars, heavies, look, plot, render, sensor, shadow, tiles
from segfrontier.scenes.street.camera import Camera, CameraView
from segfrontier.scenes.street.dice import Dice, RandomStream, generator
from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.materials import Material, Paint, Tile
from segfrontier.scenes.street.mesh import Face, Mesh, box, near
from segfrontier.scenes.street.palette_movers import MOVERS
from segfrontier.scenes.street.palette_places import PLACES
from segfrontier.scenes.street.plan import DISTRICTS, draw_plan
from segfrontier.scenes.street.raster import Raster, rasterise
from segfrontier.scenes.street.rounds import CIRCLE
from segfrontier.scenes.street.stage import Stage, turned

CAMERA = Camera(focal=200.0, centre=95.5, horizon=40.0, height=1.4, aside=0.0)
GREY = Paint(Material.POLE, 0.0, 0.5)


def _raster(stage: Stage) -> Raster:
    return rasterise(stage, CAMERA, 96, 192, thin=1.0)


def _ids(raster: Raster) -> np.ndarray:
    return np.concatenate([[0], raster.faces.instance])[raster.index]


def _put(stage: Stage, mesh: Mesh, z: float, *, x: float = 0.0, heading: tuple[float, float] = (1.0, 0.0)) -> None:
    stage.put(mesh, [GREY] * 8, x=x, z=z, heading=heading, thing=True)


def test_labels_are_those_of_cityscapes():
    assert tuple(label.name.lower() for label in Label) == CITYSCAPES.names


def test_a_face_lands_where_the_pinhole_says():
    stage = Stage()
    stage.put(Mesh.of([Face(near(-1.0, 1.0, 0.0, 2.0, 0.0), Label.WALL, 0)]), [GREY], x=0.5, z=20.0)
    rows, columns = np.nonzero(_raster(stage).index)
    assert (columns.min(), columns.max()) == pytest.approx((95.5 - 200 * 0.5 / 20, 95.5 + 200 * 1.5 / 20), abs=1)
    assert (rows.min(), rows.max()) == pytest.approx((40 - 200 * 0.6 / 20, 40 + 200 * 1.4 / 20), abs=1)


def test_nearer_things_cover_farther_ones_whatever_the_order_of_placing():
    for order in ((10.0, 20.0), (20.0, 10.0)):
        stage = Stage()
        for z in order:
            _put(stage, cars.CARS[0], z)
        ids = _ids(_raster(stage))
        ahead = 1 + order.index(10.0)
        alone = Stage()
        _put(alone, cars.CARS[0], 10.0)
        np.testing.assert_array_equal(ids == ahead, _ids(_raster(alone)) > 0)


def test_size_falls_with_distance():
    heights = []
    for z in (10.0, 20.0, 40.0):
        stage = Stage()
        _put(stage, cars.CARS[1], z)
        heights.append(np.ptp(np.nonzero(_ids(_raster(stage)))[0]) + 1)
    assert heights[0] > 1.7 * heights[1] > 2.8 * heights[2]


@pytest.mark.parametrize("mesh", [*cars.CARS, *heavies.TRUCKS, *heavies.BUSES, *heavies.TRAMS])
def test_vehicles_show_rear_lamps_from_behind_and_head_lamps_from_ahead(mesh):
    for heading, shown, hidden in (((1.0, 0.0), "rear", "head"), ((-1.0, 0.0), "head", "rear")):
        stage = Stage()
        _put(stage, mesh, 25.0, heading=heading)
        seen = set(mesh.slots[np.unique(_raster(stage).index)[1:] - 1].tolist())
        lamps = {"head": cars.LAMP, "rear": cars.REAR_LAMP}
        assert (cars.LAMP, cars.REAR_LAMP) == (heavies.LAMP, heavies.REAR_LAMP)
        assert lamps[shown] in seen and lamps[hidden] not in seen


def test_the_faces_of_a_block_look_outwards():
    stage = Stage()
    stage.put(Mesh.of(box((-1, 1), (0, 1), (-2, 2), Label.WALL, 0)), [GREY], x=0.0, z=12.0, heading=turned(0.1))
    normals = _raster(stage).faces.normal
    far, left, right, top, near_face = normals
    assert far[2] > 0.9 and near_face[2] < -0.9 and left[0] < -0.9 and right[0] > 0.9 and top[1] == 1.0
    np.testing.assert_allclose((normals**2).sum(1), 1.0)


def test_a_thin_thing_is_never_thinner_than_asked():
    stage = Stage()
    pole = Mesh.of([Face(near(-0.5, 0.5, 0.0, 1.0, 0.0), Label.POLE, 0)])
    stage.put(pole, [GREY], x=0.0, z=60.0, size=(0.01, 4.0, 1.0), thin=True)
    assert (np.count_nonzero(_raster(stage).index, axis=1).max()) >= 2


def test_the_slope_of_inverse_distance_matches_the_geometry():
    """A wall along the street at x = 3: a column c sees it at z = 3 f / (c - centre)."""
    stage = Stage()
    wall = Mesh.of([Face([(0, 0, 30), (0, 0, 10), (0, 2, 10), (0, 2, 30)], Label.WALL, 0)])
    stage.put(wall, [GREY], x=3.0, z=0.0)
    faces = _raster(stage).faces
    for column in (120.0, 140.0):
        inverse = faces.depth[0] + faces.across[0] * (column - faces.column[0])
        assert inverse == pytest.approx((column - CAMERA.centre) / (3 * CAMERA.focal))


def test_a_view_scales_with_the_picture():
    view = CameraView(focal=1.1, horizon=-0.02, pan=0.01, height=1.4, aside=1.5)
    small, large = view.camera(96, 192, 1), view.camera(960, 1920, 1)
    assert large.focal == pytest.approx(10 * small.focal)
    for a, b in ((small.centre, large.centre), (small.horizon, large.horizon)):
        assert b + 0.5 == pytest.approx(10 * (a + 0.5))


def test_every_mesh_on_a_stage_has_a_paint_for_each_slot():
    for index in range(15):
        _, stage = render._stage(Dice(generator(0, index, RandomStream.LAYOUT)))
        starts = [*stage.table()[:, 9].astype(int).tolist(), len(stage.paints)]
        for mesh, (start, end) in zip(stage.meshes, pairwise(starts), strict=True):
            assert mesh.slots.max() < end - start


def test_palettes_cover_all_materials_and_pair_their_variants():
    palettes = PLACES | MOVERS
    assert set(palettes) == set(Material) and not set(PLACES) & set(MOVERS)
    for material, swatch in palettes.items():
        assert len(swatch.city.split()) == len(swatch.game.split()), material
    assert all(len(d.facades) == len(plot.WINDOWS) for d in DISTRICTS)


def test_swatches_lie_between_the_domains():
    city, half, game = (look.swatches(share) for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(half.first, (city.first + game.first) / 2)
    paint = [Paint(Material.ASPHALT, 0.999999, 0.25), Paint(Material.SADDLE, 0.0, 0.5)]
    first, _, material = city.coloured(paint)
    assert material.tolist() == [Material.ASPHALT, Material.SADDLE]
    assert np.abs(first - city.first[city.start[material] + [3, 0]]).max() < 15


def test_mips_are_averages():
    flat = tiles.atlas(0.0)
    assert len(flat) == len(Tile) * tiles.TILE_TEXELS
    for tile in Tile:
        texels = flat[tile * tiles.TILE_TEXELS :][: tiles.TILE_TEXELS].astype(float)
        means = [texels[start:][: (tiles.SIZE >> i) ** 2].mean() for i, start in enumerate(tiles.LEVEL_START)]
        np.testing.assert_allclose(means, means[0], atol=3)


def test_pixels_are_tents_of_samples():
    samples = Generator(PCG64(1)).integers(0, 256, (3, 8, 12), dtype=np.uint16)
    padded = np.pad(samples.astype(int), ((0, 0), (1, 1), (1, 1)), mode="edge")
    kernel = np.outer([1, 2, 1], [1, 2, 1])
    expected = np.empty((3, 4, 6), int)
    for c, i, j in np.ndindex(3, 4, 6):
        expected[c, i, j] = ((padded[c, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] * kernel).sum() + 8) >> 4
    np.testing.assert_array_equal(sensor._pixels(samples, 2), expected)


def _lens(**changes: float) -> look.Lens:
    plain = {"contrast": 1.0, "lift": 0.0, "saturation": 1.0, "vignette": 0.0, "blur": 0.0, "noise": 0.0, "chroma": 0.0}
    return look.Lens(gain=(1.0, 1.0, 1.0), **(plain | changes))


def test_a_plain_lens_changes_nothing_and_each_fault_does_its_own():
    grey = np.full((3, 64, 128), 120, np.uint16)
    colour = grey.copy()
    colour[0] = 180
    rng = Generator(PCG64(2))
    np.testing.assert_allclose(sensor.develop(colour, 1, _lens(), rng).transpose(2, 0, 1).astype(int), colour, atol=1)
    noisy = sensor.develop(grey, 1, _lens(noise=5.0), rng).astype(float)
    assert noisy.std() == pytest.approx(5.0, rel=0.05) and noisy.mean() == pytest.approx(120, abs=1.5)
    dark = sensor.develop(grey, 1, _lens(vignette=0.5), rng)[..., 0].astype(int)
    assert dark[32, 64] >= 119 and dark[0, 0] == dark[-1, -1] == pytest.approx(60, abs=2)
    pale = sensor.develop(colour, 1, _lens(saturation=0.5), rng).astype(int)
    assert np.ptp(pale[0, 0]) == pytest.approx(30, abs=2)


def test_shadows_fall_away_from_the_sun():
    stage = Stage()
    stage.put(Mesh.of(box((-1, 1), (0, 2), (-1, 1), Label.WALL, 0)), [GREY], x=0.0, z=15.0)
    for sun in ((-0.6, 0.6, -0.5), (0.6, 0.6, -0.5)):
        columns = np.nonzero(shadow.cast(stage, CAMERA, (96, 192), sun, 100))[1]
        assert (columns.mean() > CAMERA.centre) == (sun[0] < 0)
    assert not shadow.cast(stage, CAMERA, (96, 192), (0.6, 0.6, -0.5), 0).any()


def test_dice_are_fair_and_streams_are_independent():
    dice = Dice(generator(5, 6, RandomStream.LAYOUT))
    draws = [dice.weighted("abc", (1, 2, 1)) for _ in range(4000)]
    assert [draws.count(c) / 4000 for c in "abc"] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    keys = [(0, 0), (1, 0), (0, 1), (1 << 32, 0), (0, 1 << 31), ((7 << 32) + 1, 0)]
    firsts = {generator(seed, index, stream).random() for seed, index in keys for stream in RandomStream}
    assert len(firsts) == len(keys) * len(RandomStream)


def test_headings_are_directions():
    for t in (-0.8, 0.0, 0.3):
        assert turned(t) == pytest.approx((math.cos(2 * math.atan(t)), math.sin(2 * math.atan(t))))
    plan = draw_plan(Dice(generator(1, 1, RandomStream.LAYOUT)))
    step = 1e-4
    for z in (5.0, 50.0):
        cos, sin = plan.heading(z)
        assert sin / cos == pytest.approx((plan.x(0.0, z + step) - plan.x(0.0, z)) / step, abs=1e-4)
        assert plan.heading(z, back=True) == (-cos, -sin)
    assert all(math.hypot(*point) == pytest.approx(1, abs=1e-5) for point in CIRCLE)
