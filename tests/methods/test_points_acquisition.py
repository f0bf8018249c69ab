"""What is asked, what it costs, and what is made of the answers: points, void ones, both readings of equation 6."""

import tracemalloc
from collections import Counter
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pointhere import KNOBS, RECIPE, point_lab
from toylab import Plain

from segfrontier.errors import BadInput, Diverged
from segfrontier.lab import Part, Plan, Points, Predictor, Predictors, SceneLabels, Stream, make_method
from segfrontier.lab.passes.gauges import GaugeRow, write_measures
from segfrontier.lab.passes.measure import MeasurePass
from segfrontier.market import Ledger
from segfrontier.maths import TopOfPool, top_in_each
from segfrontier.scenes import labels as store
from segfrontier_methods.active_points.acquisition import CHUNK, Choice, Draw, PatchEntropy, steps_of_asking
from segfrontier_methods.active_points.knobs import Knobs
from segfrontier_methods.active_points.labels import PointLabels


def knobs(**changes):
    return Knobs(**(KNOBS | changes))


@pytest.fixture
def lab(world, tmp_path):
    with point_lab(tmp_path / "home", world) as lab:
        yield lab


def measured(lab, knobs):
    """The entropies of a model that has hardly learned."""
    model = lab.train(Plain(), {"labelled": Stream(parts=(lab.synthetic,), batch=2)}, Plan(steps=4))
    return model, lab.measure(model, Part(images=lab.pool), PatchEntropy.of(knobs))


def bought(lab, knobs, total, *, before=(), measures=None):
    if measures is None and knobs.selector == "active":
        measures = measured(lab, knobs)[1]
    choice = Choice(knobs=knobs, draw=Draw.of(knobs, lab.seed), lab=lab, measures=measures, before=before)
    return choice.buy(total)


def patches_of(labels, scene, knobs):
    draw = Draw.of(knobs, 0)
    return np.unique(draw.patches(labels.values(scene)[:, :2], labels.size(scene))).tolist()


def test_the_gauge_measures_mean_entropies(lab):
    """Against numpy on the model's own answers; patches of 40 x 52 pixels differ in size for 3 x 5."""
    settings = knobs(rows=3, columns=5)
    model, measures = measured(lab, settings)
    module = model.build(torch.device("cpu"))
    for row, mean, scene in zip(measures.column("patches"), measures.column("mean"), measures.scenes(), strict=True):
        pixels = torch.from_numpy(lab.pool.image(scene)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            p = module(pixels).logits[0].double().softmax(1)[0].numpy()
        entropy = -(p * np.log(p)).sum(0) / np.log(3)
        assert mean == pytest.approx(entropy.mean(), rel=1e-5)
        cells = [block for band in np.split(entropy, [13, 26]) for block in np.split(band, [10, 20, 31, 41], axis=1)]
        np.testing.assert_allclose(row, [cell.mean() for cell in cells], rtol=1e-5)


def test_a_network_that_diverged_measures_nothing(world, tmp_path):
    """The stage stops at once: this is no fault of one image, to be left out and counted."""
    with point_lab(tmp_path / "home", world) as lab:
        network = Plain().networks()["segmenter"].blueprint.build(seed=0).eval()
        with torch.no_grad():
            next(iter(network.parameters())).fill_(torch.nan)
        predictor = Predictor.of(network, lab.classes, device=torch.device("cpu"))
        part = Part(images=lab.pool)
        with pytest.raises(Diverged, match=f"{part.names()[0]}: the answers of the network must be finite"):
            work = MeasurePass(models={}, classes=lab.classes, part=part, gauge=PatchEntropy.of(knobs()))
            next(work.outcomes(Predictors({"model": predictor}), part.names()[:1]))


def test_the_most_uncertain_patches_of_each_image_are_asked_about(lab):
    settings = knobs()
    _, measures = measured(lab, settings)
    (labels,) = bought(lab, settings, 2 * 6, measures=measures)
    assert labels.kind == "points" and labels.scenes() == lab.pool.scenes()
    for scene, scores in zip(measures.scenes(), measures.column("patches"), strict=True):
        assert patches_of(labels, scene, settings) == sorted(np.argsort(-scores, kind="stable")[:2].tolist())
        assert len(np.unique(labels.values(scene)[:, :2], axis=0)) == 2 * 3
    assert lab.spent == np.ceil(6 * 2 * 3 * 2.4)


def test_what_is_asked_grows_with_k_and_differs_by_seed_and_selector(world, tmp_path):
    asked = {}
    for name, seed, settings, k in (
        ("two", 0, knobs(), 2), ("five", 0, knobs(), 5), ("other", 1, knobs(), 2),
        ("dice", 0, knobs(selector="random"), 2), ("more dice", 0, knobs(selector="random"), 5),
        ("all", 0, knobs(selector="full"), 16),
    ):  # fmt: skip
        with point_lab(tmp_path / "home", world, seed=seed, cell=name) as lab:
            (labels,) = bought(lab, settings, k * 6)
            asked[name] = {(s, *p) for s in labels.scenes() for p in labels.values(s)[:, :2].tolist()}
    assert asked["two"] < asked["five"] < asked["all"] and asked["dice"] < asked["more dice"] < asked["all"]
    assert asked["two"] != asked["dice"] and asked["two"] != asked["other"]
    assert len(asked["all"]) == 6 * 16 * 3


def test_over_the_pool_the_highest_patches_are_asked_about_wherever_they_are(lab, monkeypatch):
    monkeypatch.setattr("segfrontier_methods.active_points.acquisition.CHUNK", 2)
    settings = knobs(allocate="pool")
    _, measures = measured(lab, settings)
    parts = bought(lab, settings, 13, measures=measures)
    assert [labels.scenes() for labels in parts] == [lab.pool.scenes()[i : i + 2] for i in (0, 2, 4)]
    found = {(s, p) for labels in parts for s in labels.scenes() for p in patches_of(labels, s, settings)}
    scores = measures.column("patches")
    order = np.argsort(-scores.ravel(), kind="stable")[:13]
    assert found == {(measures.scenes()[i // 16], i % 16) for i in order.tolist()}
    assert lab.spent == np.ceil(13 * 3 * 2.4)


def test_later_rounds_keep_what_was_asked_and_pay_for_the_rest_alone(lab):
    """The second model finds other patches uncertain; those asked about before stay."""
    settings = knobs()
    _, first = measured(lab, settings)
    before = bought(lab, settings, 6, measures=first)
    spent = lab.spent
    other = lab.train(Plain(lr=0.3), {"labelled": Stream(parts=(lab.synthetic,), batch=2)}, Plan(steps=9))
    second = lab.measure(other, Part(images=lab.pool), PatchEntropy.of(settings))
    (after,) = bought(lab, settings, 3 * 6, before=before, measures=second)
    for i, scene in enumerate(lab.pool.scenes()):
        old, new = (patches_of(labels, scene, settings) for labels in (before[0], after))
        fresh = [p for p in np.argsort(-second.column("patches")[i], kind="stable").tolist() if p not in old][:2]
        assert new == sorted(old + fresh)
    assert spent == np.ceil(6 * 3 * 2.4) and lab.spent == np.ceil(3 * 6 * 3 * 2.4)
    bought(lab, settings, 3 * 6, before=before, measures=second)
    assert lab.spent == np.ceil(3 * 6 * 3 * 2.4), "the same question again is free"


def test_a_points_record_is_bytes(lab, tmp_path):
    (labels,) = bought(lab, knobs(patches=8, points=4), 8 * 6)
    assert labels.values(labels.scenes()[0]).nbytes == 8 * 4 * 12
    ledger = Ledger(tmp_path / "home" / "ledger")
    assert ledger.totals("bench")["bench"]["point"].units == 6 * 8 * 4


def test_choosing_takes_no_more_memory_for_a_larger_pool(tmp_path):
    """Entropies of 128 patches an image, written, mapped, chosen from in both ways: 2 and 8 chunks."""
    peaks = []
    for images in (2 * CHUNK, 8 * CHUNK):
        data = np.random.default_rng(images).random(128, np.float32).tobytes()
        folder = tmp_path / str(images)
        folder.mkdir()
        tracemalloc.start()
        rows = (GaugeRow(f"{i:07d}", data) for i in range(images))
        column = write_measures(folder, shapes={"patches": (128,)}, rows=rows, faults=[]).column("patches")

        def chunks(column=column):
            return (np.array(column[at : at + CHUNK]) for at in range(0, len(column), CHUNK))

        assert sum(top_in_each(chunk, 10).sum() for chunk in chunks()) == 10 * images
        pool = TopOfPool(chunks, 10 * images)
        assert sum(pool.choose(chunk).sum() for chunk in chunks()) == 10 * images
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0] < 60e6


@pytest.mark.parametrize(
    ("changes", "hours", "totals"),
    [
        ({}, 1.0, [12]),
        ({"patches": 0}, 0.0, [0]),
        ({"patches": 6, "rounds": 3}, 1.0, [12, 24, 36]),
        ({"patches": 5, "rounds": 2}, 1.0, [12, 30]),
        ({"selector": "full"}, 1.0, [96]),
        ({"patches": None}, 0.05, [24]),  # 180 s pay for 25 patches of 7.2 s: 4 in each of 6 images
        ({"patches": None, "allocate": "pool"}, 0.05, [25]),
        ({"patches": None, "rounds": 2, "allocate": "pool"}, 0.05, [12, 25]),
        ({"patches": None}, 100.0, [96]),
    ],
    ids=str,
)
def test_how_much_is_asked(world, tmp_path, changes, hours, totals):
    with point_lab(tmp_path / "home", world, hours=hours) as lab:
        assert steps_of_asking(knobs(**changes), lab) == totals


@pytest.mark.parametrize(
    ("changes", "hours", "told"),
    [
        ({}, 0.0, r"12 patches of 3 points cost 86 s \(0.02 h\); it is 0 s; give more hours"),
        ({"selector": "full"}, 0.01, r"96 patches of 3 points cost 691 s \(0.19 h\); it is 36 s"),
        ({"patches": None}, 0.01, r"one patch of 3 points in each of 6 images; it pays for 5 patches"),
        ({"patches": None, "allocate": "pool"}, 0.001, r"pays for 0 patches in all"),
    ],
    ids=str,
)
def test_a_budget_too_small_is_told_before_anything_is_trained(world, tmp_path, changes, hours, told):
    method = make_method("active_points", KNOBS | changes)
    with point_lab(tmp_path / "home", world, hours=hours) as lab, pytest.raises(BadInput, match=told):
        method.run(lab, RECIPE)
    assert not list((tmp_path / "home" / "store").rglob("weights.pt"))


def test_no_budget_at_all_is_self_training(world, tmp_path):
    with point_lab(tmp_path / "home", world, hours=0.0) as lab:
        make_method("active_points", KNOBS | {"patches": 0}).run(lab, RECIPE)
        assert lab.spent == 0


class Oracle:
    """A predictor that says class (x + y) % 3."""

    def look(self, image, *, lean):
        height, width = image.shape[:2]
        said = torch.from_numpy(np.add.outer(np.arange(height), np.arange(width)) % 3)[None]
        return SimpleNamespace(confidence=lambda: (torch.ones_like(said).float(), said))


@pytest.mark.parametrize("reading", ["sparse", "dense"])
def test_equation_6_with_void_answers(lab, reading):
    """Patch 5 gets answers, one of them void; all answers in patch 10 are void; the others are the model's."""
    settings = knobs()
    draw, scene = Draw.of(settings, lab.seed), lab.pool.scenes()[0]
    points = draw.all(scene, (40, 52))
    answers = np.concatenate([points[5], points[10]])
    told = np.column_stack([answers, [2, 255, 1, 255, 255, 255]]).astype(np.int32)
    part = SimpleNamespace(images=lab.pool, measures=None, known=lambda _: SceneLabels(size=(40, 52), points=told))
    rule = PointLabels(draw=draw, reading=reading).at(part, scene)
    made = rule.label(Oracle(), lab.pool.image(scene), None).map()
    expected = np.full((40, 52), 255)
    boxes = [(x, y, x + 13, y + 10) for y in range(0, 40, 10) for x in range(0, 52, 13)]
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        if number in (5, 10):
            continue
        for x, y in points[number] if reading == "sparse" else np.mgrid[x0:x1, y0:y1].reshape(2, -1).T:
            expected[y, x] = (x + y) % 3
    for x, y, label in told:
        expected[y, x] = label
    np.testing.assert_array_equal(made, expected)
    labelled = 14 * 3 + 2 if reading == "sparse" else 14 * 130 + 2
    assert (made != 255).sum() == labelled


def test_what_was_measured_at_the_points_labels_as_the_model_would(world, tmp_path, lab):
    """The same label set, scene by scene, and no model takes part; patches of 40 x 52 pixels differ in size."""
    settings = knobs(rows=3, columns=5, points=4)
    draw = Draw.of(settings, lab.seed)
    model, plain = measured(lab, settings)
    measures = lab.measure(model, Part(images=lab.pool), PatchEntropy.of(settings, draw))
    np.testing.assert_array_equal(measures.column("patches"), plain.column("patches"))
    labels = bought(lab, settings, 2 * 6, measures=measures)[0]
    rule = PointLabels(draw=draw, reading="sparse")
    seen = lab.label(model, Part(images=lab.pool, labels=labels), rule)
    known = lab.label(None, Part(images=lab.pool, labels=labels, measures=measures), rule)
    assert known.digest == seen.digest and known.path != seen.path
    scene = lab.pool.scenes()[3]
    guessed = seen.labels(scene).map()
    assert len(np.unique(guessed[guessed != 255])) > 1, "labels that differ, else any guess would do"
    assert measures.row("guesses", scene).shape == (15, 4)
    with pytest.raises(BadInput, match="must be among the 6 that were measured"):
        measures.row("guesses", "nowhere")


def test_void_answers_are_billed_and_unused(world, tmp_path):
    """The two leftmost columns of every scene are void."""
    settings = {**KNOBS, "columns": 26, "rows": 1, "patches": 26, "points": 20}
    with point_lab(tmp_path / "home", world, hours=5.0) as lab:
        chosen = Knobs(**settings)
        model, measures = measured(lab, chosen)
        (labels,) = bought(lab, chosen, 26 * 6, measures=measures)
        void = sum((labels.values(s)[:, 2] == 255).sum() for s in labels.scenes())
        assert void == 6 * 20 and lab.spent == np.ceil(6 * 26 * 20 * 2.4)
        rule = PointLabels(draw=Draw.of(chosen, lab.seed), reading="sparse")
        made = lab.label(model, Part(images=lab.pool, labels=labels), rule)
        truth = world.truth()
        for scene in made.scenes():
            seen = made.map(scene) != 255
            assert seen.sum() == 25 * 20 and (made.map(scene)[seen] == truth.semantic(scene)[seen]).all()


def test_the_market_and_the_draw_agree_on_pixels(lab, world):
    scene = lab.pool.scenes()[2]
    xy = Draw.of(knobs(), lab.seed).all(scene, lab.pool.size(scene)).reshape(-1, 2)
    values = lab.buy(Points([scene], [xy])).values(scene)
    truth = world.truth().semantic(scene)
    assert (values[:, :2] == xy).all() and all(truth[y, x] == label for x, y, label in values)


def test_points_of_earlier_rounds_are_looked_for_once_and_not_set_by_set(lab, monkeypatch):
    """With one scene a chunk, more sets than are kept open: each is opened for the index and for its scene alone."""
    opened, build = Counter(), store._Opened.__init__

    def counted(self, path):
        opened[path] += 1
        build(self, path)

    monkeypatch.setattr("segfrontier_methods.active_points.acquisition.CHUNK", 1)
    monkeypatch.setattr(store, "_open", lru_cache(maxsize=2)(store._Opened))
    monkeypatch.setattr(store._Opened, "__init__", counted)
    chosen = knobs(selector="random", allocate="image")
    draw = Draw.of(chosen, lab.seed)
    settings = {"knobs": chosen, "draw": draw, "lab": lab, "measures": measured(lab, chosen)[1]}
    first = Choice(**settings, before=[]).buy(len(lab.pool))
    opened.clear()
    choice = Choice(**settings, before=first)
    asked = [choice._asked(scene) for scene in lab.pool.scenes()]
    assert len(first) == len(lab.pool) > 4 and all(len(patches) for patches in asked)
    assert all(opened[labels.path] <= 2 for labels in first), opened
