"""Annotators: exactly what was asked for, against plain loops over the truth."""

import numpy as np
import pytest
from market_fakes import TOY, FakeTruth, street_like, toy_truth

from segfrontier.errors import BadInput, BadWorld
from segfrontier.market import PAPER_002, WHOLE_IMAGE, Boxes, Coarse, Fine, Noise, Points, Tags, Tiling
from segfrontier.market.annotators import annotator_for
from segfrontier.market.coarse import coarse_map
from segfrontier.scenes.classes import CITYSCAPES, VOID

GRID = Tiling(width=12, height=10, columns=3, rows=2, of=(30, 20))
NOISES = [None, Noise(points=0.3, tags=0.2, boxes=0.1, outlines=1.0)]


def ask(request, truth=None, noise=None, seed=0):
    return annotator_for(request, truth or toy_truth(), noise=noise or Noise(), seed=seed)


def counts(acts):
    return acts.items.tolist(), acts.units.tolist(), acts.asked.tolist()


def test_fine_is_the_whole_truth_for_one_unit():
    truth = toy_truth()
    annotator = ask(Fine(["s1"]), truth)
    row = annotator.row("s1")
    assert counts(annotator.acts("s1")) == ([0], [1], [1]) and annotator.known
    assert (row.map == truth.semantic("s1")).all() and (row.instance == truth.instance("s1")).all()
    assert row.values is None


def test_coarse_is_the_datasets_own_or_simulated():
    semantic, own = street_like(0), np.full((96, 192), VOID, np.uint8)
    own[60:, 50:100] = 0
    maps = {"own": semantic, "none": semantic}
    truth = FakeTruth(maps, coarse={"own": own}, classes=CITYSCAPES)
    annotator = ask(Coarse(["own", "none"]), truth)
    assert (annotator.row("own").map == own).all()
    assert (annotator.row("none").map == coarse_map(semantic)).all()
    assert annotator.row("own").instance is None and counts(annotator.acts("own")) == ([0], [1], [1])


def test_points_name_the_class_under_each_pixel_and_void_is_billed():
    truth = toy_truth()
    xy = np.array([[0, 3], [29, 19], [5, 9], [11, 2]])
    annotator = ask(Points(["s0"], [xy]), truth)
    want = [[x, y, truth.semantic("s0")[y, x]] for x, y in xy.tolist()]
    assert want[0][2] == VOID
    assert annotator.row("s0").values.tolist() == want and annotator.row("s0").map is None
    assert counts(annotator.acts("s0")) == ([90, 599, 275, 71], [1] * 4, [1] * 4)
    with pytest.raises(BadInput, match=r"image of 30 x 20; found x, y = \[30, 0\] and 1 more"):
        ask(Points(["s0"], [[[30, 0], [0, 20], [1, 1]]]))


def slow_boxes(semantic, ids):
    found = []
    for number in sorted(set(ids[ids > 0].tolist())):
        y, x = np.nonzero(ids == number)
        found.append([x.min(), y.min(), x.max() + 1, y.max() + 1, semantic[y[0], x[0]], 0])
    return found


def test_one_box_an_instance_and_an_unbilled_one_a_group():
    truth = toy_truth()
    annotator = ask(Boxes(["s0", "s1"]), truth)
    values = annotator.row("s0").values.tolist()
    assert values[:-1] == slow_boxes(truth.semantic("s0"), truth.instance("s0")) and len(values) == 4
    assert values[-1] == [10, 2, 14, 4, 3, 1], "the crowd that no instance claims"
    assert counts(annotator.acts("s0")) == ([0], [3], [1]) and not annotator.known


@pytest.mark.parametrize("seed", range(5))
def test_boxes_against_loops_on_torn_instances(seed):
    rng = np.random.default_rng(seed)
    ids = rng.choice([0, 0, 0, 5, 9, 40000], (15, 17)).astype(np.uint16)
    semantic = np.select([ids == 5, ids == 9, ids == 40000], [2, 3, 2], 0).astype(np.uint8)
    truth = FakeTruth({"a": semantic}, instances={"a": ids})
    assert ask(Boxes(["a"]), truth).row("a").values.tolist() == slow_boxes(semantic, ids)


def test_scenes_without_objects_have_no_boxes():
    blank = np.zeros((8, 9), np.uint8)
    annotator = ask(Boxes(["a"]), FakeTruth({"a": blank}, instances={"a": blank.astype(np.uint16)}))
    assert annotator.row("a").values.shape == (0, 6) and counts(annotator.acts("a")) == ([0], [0], [1])


def test_boxes_need_instances():
    with pytest.raises(BadWorld, match="boxes need a world with instances; toy has none"):
        ask(Boxes(["a"]), FakeTruth({"a": np.zeros((4, 4), np.uint8)})).acts("a")


def slow_tags(semantic, tiling, labels):
    found = []
    for crop, (x0, y0, x1, y1) in enumerate(tiling.crops(*semantic.shape).tolist()):
        seen = set(semantic[y0:y1, x0:x1].ravel().tolist())
        found += [[crop, label] for label in labels if label in seen]
    return found


@pytest.mark.parametrize("tiling", [GRID, WHOLE_IMAGE])
def test_tags_are_the_classes_of_each_crop(tiling):
    truth, crops = toy_truth(), tiling.columns * tiling.rows
    everything, stuff = ask(Tags(["s2"], tiling), truth), ask(Tags(["s2"], tiling, things=False), truth)
    assert everything.row("s2").values.tolist() == slow_tags(truth.semantic("s2"), tiling, range(4))
    assert stuff.row("s2").values.tolist() == slow_tags(truth.semantic("s2"), tiling, (0, 1))
    _, units, asked = counts(everything.acts("s2"))
    assert sum(units) == len(everything.row("s2").values) and sum(asked) == 4 * crops
    _, units, asked = counts(stuff.acts("s2"))
    assert sum(units) == len(stuff.row("s2").values) and sum(asked) == 2 * crops


def test_a_tags_identity_is_its_rectangle_and_half_of_the_classes():
    items = {t: set(ask(Tags(["s0"], t)).acts("s0").items.tolist()) for t in (GRID, WHOLE_IMAGE)}
    assert len(items[GRID]) == 12 and not items[GRID] & items[WHOLE_IMAGE]
    assert set(ask(Tags(["s0"], GRID, things=False)).acts("s0").items.tolist()) < items[GRID]
    wide = Tiling(width=24, height=10, columns=1, rows=2, of=(30, 20))
    assert len(set(ask(Tags(["s0"], wide)).acts("s0").items.tolist()) & items[GRID]) == 0
    huge = FakeTruth({"a": np.broadcast_to(np.uint8(0), (2, 40000))})
    with pytest.raises(BadInput, match="below 32768 px"):
        ask(Tags(["a"], WHOLE_IMAGE), huge).acts("a")


def test_a_table_without_things_can_be_tagged():
    truth = FakeTruth({"s": np.zeros((4, 4), np.uint8)}, classes=type(TOY)("flat", TOY.classes[:2]))
    assert ask(Tags(["s"], WHOLE_IMAGE), truth).row("s").values.tolist() == [[0, 0]]


def test_fifteen_crops_of_a_street_in_reasonable_number():
    truth = FakeTruth({"s": street_like(3, 256, 512)}, classes=CITYSCAPES)
    acts = ask(Tags(["s"], PAPER_002), truth).acts("s")
    assert len(acts) == 30 and 15 <= acts.units.sum() <= 15 * 10 and acts.asked.sum() == 15 * 19


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    "request_", [Fine(["s3"]), Coarse(["s3"]), Points(["s3"], [[[1, 2], [9, 9]]]), Boxes(["s3"]), Tags(["s3"], GRID)]
)
def test_asking_again_gives_the_same_answer(request_, noise):
    first, second = (ask(request_, toy_truth(), noise, seed=5).row("s3") for _ in range(2))
    for part in ("map", "instance", "values"):
        a, b = getattr(first, part), getattr(second, part)
        assert (a is None and b is None) or np.array_equal(a, b)


def test_noise_changes_answers_as_its_seed_says():
    noise = NOISES[1]
    xy = np.stack(np.meshgrid(np.arange(30), np.arange(20)), axis=-1).reshape(-1, 2)
    request = Points(["s0"], [xy])
    clean, noisy, other = ask(request), ask(request, noise=noise, seed=1), ask(request, noise=noise, seed=2)
    rows = [a.row("s0").values[:, 2] for a in (clean, noisy, other)]
    assert (rows[0] != rows[1]).mean() == pytest.approx(0.3, abs=0.06) and (rows[1] != rows[2]).any()
    part = ask(Points(["s0"], [xy[100:110]]), noise=noise, seed=1).row("s0").values[:, 2]
    assert np.array_equal(part, rows[1][100:110]), "buying fewer points must not change the answers"
    tagged = ask(Tags(["s0"], GRID), noise=noise)
    assert tagged.acts("s0").units.sum() == len(tagged.row("s0").values)
    assert (ask(Boxes(["s0"]), noise=noise).row("s0").values != ask(Boxes(["s0"])).row("s0").values).any()
    for kind in (Fine, Coarse):
        assert (ask(kind(["s0"]), noise=noise).row("s0").map != ask(kind(["s0"])).row("s0").map).any()


def test_unknown_scenes_and_strange_requests():
    with pytest.raises(BadInput, match=r"toy target/train \(6 scenes\); it has no 'nowhere'"):
        ask(Fine(["s0", "nowhere"]))
    with pytest.raises(BadInput, match="Fine, Coarse, Points, Boxes or Tags; found str"):
        annotator_for(type("str", (), {"scenes": ()})(), toy_truth(), noise=Noise(), seed=0)
