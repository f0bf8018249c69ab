"""The built-in street world as a world: rendered once, mapped, imported, inspected, simulated coarse labels on it."""

import numpy as np
import pytest

from segfrontier.errors import BadWorld
from segfrontier.market.coarse import coarse_map
from segfrontier.scenes import builtin
from segfrontier.scenes.builtin import StreetOptions, open_world, parse_street, write_street
from segfrontier.scenes.classes import CAMVID, CITYSCAPES, CITYSCAPES_TO_CAMVID
from segfrontier.scenes.inspection import inspect_world

SMALL = "street:train=6,val=3,synthetic=5,size=64x128"


def test_options_are_read_and_wrong_ones_explained():
    assert parse_street("street") == StreetOptions()
    assert parse_street(SMALL + ",gap=0.5,seed=3") == StreetOptions(
        train=6, val=3, synthetic=5, size="64x128", gap=0.5, seed=3
    )
    for text, message in (
        ("street:tain=3", "did you mean 'train'"),
        ("street:train", "did you mean 'train'"),
        ("street:gap=wide", "gap must be float; found 'wide'"),
        ("street:size=96", "HEIGHTxWIDTH"),
        ("street:train=0", "at least one train"),
        ("road", "called 'street'"),
    ):
        with pytest.raises(BadWorld, match=message):
            parse_street(text)


def test_it_is_rendered_once_and_then_found(monkeypatch):
    world = open_world(SMALL)
    assert world.splits() == {("source", "train"): 5, ("target", "train"): 6, ("target", "val"): 3}

    def render(*_, **__):
        raise AssertionError("rendered again")

    monkeypatch.setattr(builtin, "write_street", render)
    again = open_world(SMALL)
    assert again.digest == world.digest and again.uri == world.uri
    with pytest.raises(AssertionError, match="rendered again"):
        open_world(SMALL + ",seed=1")


def test_it_speaks_in_groups_of_the_same_scenes(monkeypatch):
    world = open_world(SMALL)
    monkeypatch.setattr(builtin, "write_street", None)  # nothing is rendered for another table
    groups, camvid = open_world(SMALL + ",classes=groups7"), open_world(SMALL + ",classes=camvid11")
    assert groups.uri == camvid.uri == world.uri and len({groups.digest, camvid.digest, world.digest}) == 3
    assert groups.classes.names == ("flat", "construction", "object", "nature", "sky", "human", "vehicle")
    fine, coarse = world.truth(), groups.truth()
    for scene in fine.scenes():
        named = np.array([*CITYSCAPES.names])[fine.semantic(scene)]
        grouped = np.array([*groups.classes.names])[coarse.semantic(scene)]
        for group, members in (("object", ["pole", "light", "sign"]), ("human", ["person", "rider"]), ("sky", ["sky"])):
            np.testing.assert_array_equal(grouped == group, np.isin(named, members))
        np.testing.assert_array_equal(fine.instance(scene), coarse.instance(scene))
    with pytest.raises(BadWorld, match="classes must be one of cityscapes19, groups7, camvid11; found 'groups'"):
        open_world(SMALL + ",classes=groups")


def test_a_window_of_each_scene_shows_few_classes(tmp_path):
    """The very pixels of the whole scenes, at places of their own; without a window nothing is another world."""
    text = "street:train=6,val=3,synthetic=5,size=96x192"
    assert "window" not in parse_street(text).rendered
    options = parse_street(text + ",window=40x56")
    whole, cut = write_street(tmp_path / "whole", parse_street(text)), write_street(tmp_path / "cut", options)
    assert whole.digest != cut.digest
    corners, shown = set(), {whole: [], cut: []}
    for number, scene in enumerate(whole.truth().scenes(), start=5):
        top, left = options.corner(number)
        assert 0 <= top <= 96 - 40 and 0 <= left <= 192 - 56
        corners.add((top, left))
        seen = np.s_[top : top + 40, left : left + 56]
        np.testing.assert_array_equal(cut.pool().image(scene), whole.pool().image(scene)[seen])
        np.testing.assert_array_equal(cut.truth().semantic(scene), whole.truth().semantic(scene)[seen])
        np.testing.assert_array_equal(cut.truth().instance(scene), whole.truth().instance(scene)[seen])
        for world, counts in shown.items():
            counts.append(len(np.unique(world.truth().semantic(scene))))
    assert len(corners) == 6 and np.mean(shown[cut]) < np.mean(shown[whole]) - 3
    for wrong, message in (
        ("97x56", "window must be 16x16 to the size of a scene, 96x192; found 97x56"),
        ("15x56", "window must be 16x16"),
        ("40", "window must be HEIGHTxWIDTH"),
    ):
        with pytest.raises(BadWorld, match=message):
            parse_street(f"{text},window={wrong}")


def test_scenes_are_the_renderers_own(tmp_path):
    from segfrontier.scenes.street import render_scene

    options = parse_street(SMALL)
    world = write_street(tmp_path / "w", options)
    pool, truth = world.pool(split="val"), world.truth(split="val")
    drawn = render_scene(seed=0, index=5 + 6 + 1, domain="city", height=64, width=128, gap=1.0)
    scene = "city/val/000012"
    np.testing.assert_array_equal(pool.image(scene), drawn.image)
    np.testing.assert_array_equal(truth.semantic(scene), drawn.semantic)
    np.testing.assert_array_equal(truth.instance(scene), drawn.instance)
    assert write_street(tmp_path / "again", options).digest == world.digest


def test_a_bad_size_is_told_and_leaves_nothing_in_the_cache():
    from segfrontier.scenes.cache import cache_folder

    with pytest.raises(ValueError, match="size|height|64"):
        open_world("street:train=1,val=1,synthetic=0,size=16x16")
    assert not list((cache_folder() / "worlds").glob(".street*"))


def test_it_serves_as_camvids_synthetic_source():
    world = open_world(SMALL).mapped_to(CAMVID, CITYSCAPES_TO_CAMVID)
    truth = world.truth(domain="source")
    for scene in truth.scenes():
        labels = truth.semantic(scene)
        assert set(np.unique(labels)) <= {*range(11), 255}
        ids = truth.instance(scene)
        assert ((ids > 0) <= np.isin(labels, CAMVID.things)).all()


def test_inspection_of_the_street(tmp_path):
    report = inspect_world(open_world(SMALL))
    assert report.classes == CITYSCAPES.names and report.overlaps == ()
    for split in report.splits:
        assert split.void_share < 0.05 and split.instances_a_scene > 1
        assert split.class_shares[CITYSCAPES.index("road")] > 0.1


def test_simulated_coarse_labels_cover_what_people_cover():
    """FACTS 0a: 55-75 % of the pixels labelled, and never a wrong class."""
    truth = open_world("street:train=40,val=1,synthetic=0").truth()
    shares = []
    for scene in truth.scenes():
        semantic = truth.semantic(scene)
        coarse = coarse_map(semantic)
        labelled = coarse != 255
        assert (coarse[labelled] == semantic[labelled]).all()
        shares.append(labelled.mean())
    assert 0.55 < np.mean(shares) < 0.75
