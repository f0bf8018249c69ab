"""Whose masks and tags a cell of high_low buys, in which order and for which share; what is billed beside them."""

import logging
import re
from dataclasses import replace

import pytest
import timm
import torch
from highlowhere import KNOBS, RECIPE, highlow_lab
from toystudy import RECIPE as TOY_RECIPE
from toystudy import toy_study

from segfrontier.errors import BadInput
from segfrontier.market import Ledger
from segfrontier.study.cells import expand
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.data import bought, series

MASK = 5400


def test_series_are_nested_and_do_not_move_when_images_join():
    names = [f"scene-{n}" for n in range(50)]
    order = series(names, 3)
    assert sorted(order) == sorted(names) and order != names and order != series(names, 4)
    grown = series([*names, *(f"late-{n}" for n in range(30))], 3)
    assert [name for name in grown if not name.startswith("late")] == order
    assert series(list(reversed(names)), 3) == order


@pytest.mark.parametrize(("labelled", "count"), [(0.2, 1), (0.5, 3), (1.0, 6)])
def test_a_share_of_the_pool_is_labelled_and_the_rest_is_not(world, tmp_path, labelled, count):
    with highlow_lab(tmp_path, world, hours=9.0) as lab:
        data = bought(lab, labelled=labelled, split=0.0, draw=None)
        assert lab.spent == count * MASK
        assert set(data.masked.names()) == set(series(lab.pool.scenes(), lab.seed)[:count])
        rest = set(lab.pool.scenes()) - set(data.masked.names())
        assert set(data.unlabelled.names()) == (rest or set(lab.pool.scenes())), "with all labelled, all play each role"


def test_the_series_is_the_cells_seeds_unless_it_is_given(world, tmp_path):
    with highlow_lab(tmp_path, world, seed=5) as lab:
        given, own = (bought(lab, labelled=0.5, split=0.0, draw=draw) for draw in (7, None))
        assert set(given.masked.names()) == set(series(lab.pool.scenes(), 7)[:3])
        assert set(own.masked.names()) == set(series(lab.pool.scenes(), 5)[:3])


def test_the_budget_is_split_between_masks_and_tags(world, tmp_path):
    """Of 3 hours a tenth is for tags: one mask, and the other five images' classes at a second each."""
    with highlow_lab(tmp_path, world, hours=3.0) as lab:
        data = bought(lab, labelled=None, split=0.1, draw=None)
        assert len(data.masked.names()) == 1 and len(data.tagged.names()) == 5
        assert not set(data.masked.names()) & set(data.tagged.names())
        assert set(data.unlabelled.names()) == set(data.tagged.names()), "tags are no masks"
        assert MASK + 5 * 2 <= lab.spent <= MASK + 5 * 3
        assert data.untagged.names() == tuple(lab.pool.scenes()), "nothing is left untagged: all are consistent"


def test_tags_are_bought_in_the_series_order_as_far_as_they_are_paid(world, tmp_path):
    with highlow_lab(tmp_path, world, hours=(MASK + 7) / 3600) as lab:
        data = bought(lab, labelled=None, split=7 / (MASK + 7), draw=None)
        count = len(data.tagged.names())
        assert 1 <= count <= 3 and lab.spent <= MASK + 7
        assert set(data.tagged.names()) == set(series(lab.pool.scenes(), lab.seed)[1 : 1 + count])
        assert len(data.untagged.names()) == 5 - count


def test_tags_have_their_share_also_where_a_share_of_images_has_masks(world, tmp_path):
    """Of 6 hours one mask takes 1.5; 7 seconds are for tags, and not all that is left."""
    with highlow_lab(tmp_path, world) as lab:
        data = bought(lab, labelled=0.2, split=7 / (6 * 3600), draw=None)
        count = len(data.tagged.names())
        assert 1 <= count <= 3 and lab.spent <= MASK + 7
        assert set(data.tagged.names()) == set(series(lab.pool.scenes(), lab.seed)[1 : 1 + count])


def test_tags_that_could_not_be_bought_are_told_with_the_reason(world, tmp_path, caplog):
    for where, share, split, why in (
        ("all", 1.0, 0.1, "every image has a mask"), ("poor", 0.2, 1e-5, "0 s do not pay for those of one image"),
    ):  # fmt: skip
        caplog.clear()
        with highlow_lab(tmp_path / where, world, hours=10.0) as lab, caplog.at_level(logging.WARNING):
            assert bought(lab, labelled=share, split=split, draw=None).tagged is None
        assert f"nothing was bought, for {why}. The classifier learns from masks alone" in caplog.text
    caplog.clear()
    with highlow_lab(tmp_path / "rich", world) as lab, caplog.at_level(logging.WARNING):
        assert bought(lab, labelled=0.2, split=0.1, draw=None).tagged is not None
        assert bought(lab, labelled=0.2, split=0.0, draw=None).tagged is None
    assert "nothing was bought" not in caplog.text


def test_what_is_not_sold_cannot_be_labelled_or_tagged(world, tmp_path, caplog, monkeypatch):
    with highlow_lab(tmp_path, world) as lab, caplog.at_level(logging.WARNING):
        monkeypatch.setattr(lab, "sold", lambda kind: [] if kind == "tag" else lab.pool.scenes())
        assert bought(lab, labelled=0.2, split=0.1, draw=None).tagged is None
        assert "tags are sold of none of those without a mask" in caplog.text
        monkeypatch.setattr(lab, "sold", lambda kind: [])
        with pytest.raises(BadInput, match="of the pool's 6 none is. Import a world with labelled training scenes"):
            bought(lab, labelled=0.5, split=0.0, draw=None)


def test_the_file_of_pretrained_weights_is_named_on_the_bill_and_in_the_facet(world, tmp_path):
    """As COCO's would be: by its name and digest, for each network that starts from it, and without any price."""
    file = tmp_path / "deeplab-coco.pt"
    torch.save(timm.create_model("test_resnet", pretrained=False, num_classes=0).state_dict(), file)
    with highlow_lab(tmp_path / "home", world, cell="billed") as lab:
        HighLow(**KNOBS).run(lab, replace(RECIPE, pretrained=str(file)))
        spent = lab.spent
    ledger = Ledger(tmp_path / "home" / "ledger")
    brought = [line.detail for line in ledger.free_lines("billed") if line.what == "encoder_pretraining"]
    assert [re.sub("#[0-9a-f]{16}$", "#digest", detail) for detail in brought] == [
        "segmenter: file:deeplab-coco.pt#digest", "classifier: file:deeplab-coco.pt#digest"
    ]  # fmt: skip
    assert spent == 4 * MASK, "they cost nothing"
    one = {"methods": ["high_low"], "budgets": [6.0], "seeds": [0]}
    recipes = [TOY_RECIPE | {"encoder": "test_resnet", "pretrained": each} for each in (str(file), "never")]
    named, plain = (str(expand(toy_study(tmp_path, **one, recipe=recipe))[0].facet) for recipe in recipes)
    assert " test_resnet (deeplab-coco.pt)/" in named and "coco" not in plain
    assert named.split("#")[1] != plain.split("#")[1], "another facet"
