"""The whole method on a small world: what it trains, buys and notes in each variant, and what it refuses."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from highlowhere import KNOBS, RECIPE, highlow_lab
from pointhere import larger_toy
from toylab import Peeking, Recorder
from toystudy import RECIPE as TOY_RECIPE
from toystudy import toy_study
from toyworld import TOY

from segfrontier.errors import BadInput, BudgetExceeded
from segfrontier.lab import Argmax, MultiLabel, Part, SceneLabels
from segfrontier.lab.leaving.exporting import export_network
from segfrontier.lab.leaving.loading import load_model
from segfrontier.market import Ledger
from segfrontier.maths import mean_iou
from segfrontier.plan.planning import plan_study
from segfrontier.study.cells import expand
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.balance import balance, note_balance
from segfrontier_methods.high_low.data import bought, series
from segfrontier_methods.high_low.fusion import Fusion, TwoBranchSpec
from segfrontier_methods.high_low.thresholds import chosen

MASK = 5400
INF = float("inf")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return larger_toy(tmp_path_factory.mktemp("world") / "toy")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Shared by tests that may find each other's stages."""
    return tmp_path_factory.mktemp("home")


def run(home, world, knobs, *, recipe=RECIPE, watcher=None, **settings):
    watcher = watcher or Recorder()
    with highlow_lab(home, world, cell=str(knobs), watcher=watcher, **settings) as lab:
        model = HighLow(**(KNOBS | knobs)).run(lab, recipe)
        return model, lab.spent, watcher


@pytest.mark.parametrize(
    ("knobs", "stages", "networks"),
    [
        ({"low": "supervised", "high": "none"}, ["train"], ["segmenter"]),
        ({"high": "none"}, ["train"], ["segmenter", "critic"]),
        ({}, ["train", "train", "join", "score"], ["joined"]),
        ({"low": "supervised", "high": "cnn", "note_tags": False}, ["train", "train", "join"], ["joined"]),
        ({"high": "threshold"}, ["train", "measure", "join"], ["joined"]),
        ({"high": "class_thresholds"}, ["train", "measure", "join"], ["joined"]),
    ],
    ids=str,
)
def test_each_variant_trains_what_it_should(world, home, knobs, stages, networks):
    model, spent, heard = run(home, world, knobs)
    assert list(heard.stages.values()) == stages and spent == 4 * MASK
    assert list(torch.load(model.file(), weights_only=True)) == networks
    assert ("tag_map" in heard.notes) == ("score" in stages)
    assert ("critic/score_fake" in heard.notes) == (knobs.get("low") != "supervised")


def test_deeplab_v3plus_plays_the_low_branch_as_in_table_2(world, tmp_path):
    model, _, heard = run(tmp_path, world, {"note_tags": False}, recipe=replace(RECIPE, head="deeplab_v3plus"))
    assert list(heard.stages.values()) == ["train", "train", "join"]
    assert model.blueprints["joined"].segmenter.head == "deeplab_v3plus"


def test_early_stopping_looks_at_the_segmenter_and_not_at_tags(world, tmp_path):
    _, _, heard = run(tmp_path, world, {"note_tags": False}, watcher=Peeking())
    assert list(heard.stages.values()) == ["train", "train", "join"] and len(heard.peeks) == 1


def test_the_control_estimates_statistics_anew(world, home):
    recipe = replace(RECIPE, norm="batch")
    model, _, heard = run(home, world, {"low": "supervised", "high": "none", "renorm": True}, recipe=recipe)
    assert list(heard.stages.values()) == ["train", "renorm"] and model.network == "segmenter"


def test_steps_are_shared_between_the_branches(world, tmp_path):
    recipe = replace(RECIPE, steps=None, total_steps=5)
    with highlow_lab(tmp_path, world) as lab:
        HighLow(**KNOBS).run(lab, recipe)
        assert lab.trained.steps == 5


# ------------------------------------------------------------------------------------------------ who is labelled


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


def test_extra_tags_train_the_classifier(world, tmp_path):
    model, spent, heard = run(tmp_path, world, {"split": 0.1}, hours=3.0)
    assert model.network == "joined" and MASK < spent < MASK + 100 and heard.kinds.count("train") == 2


def test_fewer_labelled_images_than_a_batch_stand_in_it_more_than_once(world, tmp_path):
    model, spent, _ = run(tmp_path, world, {"labelled": 0.2}, recipe=replace(RECIPE, batch=4))
    assert model.network == "joined" and spent == MASK


def test_no_unlabelled_images_leave_all_roles_to_the_same_ones(world, tmp_path):
    model, spent, _ = run(tmp_path, world, {"labelled": 1.0}, hours=9.0)
    assert model.network == "joined" and spent == 6 * MASK


# ------------------------------------------------------------------------------------------------ pretraining


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


# ------------------------------------------------------------------------------------------------ fusion


def test_the_pair_answers_as_its_rule_and_as_a_slow_reference(world, home):
    with highlow_lab(home, world, cell="fusing") as lab:
        knobs = KNOBS | {"tau": 0.5, "note_tags": False}
        model = HighLow(**knobs).run(lab, RECIPE)
        spec = model.blueprints["joined"]
        assert isinstance(spec, TwoBranchSpec) and spec.tau == 0.5
        pool = world.pool(split="val")
        network, silenced = model.build(torch.device("cpu")), 0
        for scene in pool.scenes():
            image = pool.image(scene)
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                scores = network.classifier(pixels).logits.sigmoid()[0].numpy()
                probs = network.segmenter(pixels).mean_logits.double().softmax(1)[0].numpy()
            kept = scores > 0.5 if (scores > 0.5).any() else np.ones(3, bool)
            silenced += (~kept).sum()
            wanted = np.argmax(probs * kept[:, None, None], 0)
            assert np.array_equal(network(pixels).mean_logits.argmax(1)[0].numpy(), wanted)
        assert silenced, "something was silenced"


def test_the_pair_labels_and_scores_by_the_rule(world, home):
    with highlow_lab(home, world, cell="rule", watcher=(heard := Recorder())) as lab:
        model = HighLow(**(KNOBS | {"tau": 0.5})).run(lab, RECIPE)
        segmenter, classifier = trained_parts(lab, heard)
        rule = Fusion(tau=0.5)
        parts = {"segmenter": segmenter, "classifier": classifier}
        assert lab.score(parts, rule=rule).values["miou_present"] == pytest.approx(lab.score(model).miou)
        part = Part(images=lab.pool, scenes=tuple(lab.pool.scenes()[:2]))
        fused, joined = lab.label(parts, part, rule), lab.label(model, part, Argmax())
        assert all(np.array_equal(fused.map(scene), joined.map(scene)) for scene in part.names())


def trained_parts(lab, heard):
    """The two models behind a pair, asked for once more: nothing is trained again."""
    from segfrontier_methods.high_low.data import bought as buy

    method, data = HighLow(**KNOBS), buy(lab, labelled=None, split=0.0, draw=None)
    before = len(heard.begun)
    found = method._low(lab, RECIPE.share(0, of=2), data), method._high(lab, RECIPE.share(1, of=2), data)
    assert len(heard.begun) == before
    return found


def test_a_pair_leaves_and_predicts(world, home):
    model, _, _ = run(home, world, {"note_tags": False})
    loaded = load_model(model.file().parent, device="cpu")
    image = world.pool(split="val").image(world.pool(split="val").scenes()[0])
    network = model.build(torch.device("cpu"))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        wanted = network(pixels).mean_logits.argmax(1)[0].numpy()
    assert np.array_equal(loaded.predict(image), wanted)


@pytest.mark.parametrize("knobs", [{"note_tags": False, "tau": 0.5}, {"high": "class_thresholds"}], ids=str)
def test_what_is_fused_is_exported_with_its_answers(world, home, tmp_path, knobs):
    model, _, _ = run(home, world, knobs)
    card = json.loads((model.file().parent / "model.json").read_text())
    assert export_network(model.build(torch.device("cpu")), card, tmp_path / "pair.pt2", to="torch").holds


# ------------------------------------------------------------------------------------------------ tags


def test_the_mean_average_precision_of_tags_by_hand():
    """Class 0 is found second and third of four, class 1 first and second; no image shows class 2, and void is none."""
    shown = ((1, 255), (0, 0), (0, 255), (1, 1))
    scores = ((0.9, 0.9, 0.3), (0.8, 0.1, 0.2), (0.7, 0.2, 0.9), (0.6, 0.8, 0.1))
    task, parts = MultiLabel(), []
    for place, (classes, found) in enumerate(zip(shown, scores, strict=True)):
        truth = SceneLabels(size=(1, 2), semantic=np.array([classes], np.uint8))
        said = SceneLabels(size=(1, 2), tag_scores=np.array(found))
        parts.append(task.counts(truth, said, TOY, place=place))
    wanted = ((1 / 2 + 2 / 3) / 2 + 1.0) / 2
    assert task.scores(sum(parts), TOY) == {"tag_map": pytest.approx(wanted)}
    assert task.scores(sum(reversed(parts)), TOY) == {"tag_map": pytest.approx(wanted)}
    assert task.scores(task.zero(TOY) + sum(parts), TOY) == {"tag_map": pytest.approx(wanted)}


# ------------------------------------------------------------------------------------------------ small classes


@pytest.mark.parametrize("each", [False, True])
def test_thresholds_are_those_that_are_best_on_the_bought_masks(world, home, each):
    with highlow_lab(home, world, cell="sizes") as lab:
        data = bought(lab, labelled=None, split=0.0, draw=None)
        model = HighLow(**(KNOBS | {"high": "none", "low": "supervised"})).run(lab, RECIPE)
        steps = (0.1, 0.3, 0.6)
        least = chosen(lab, model, data.masked, thresholds=steps, each=each, all_masked="unmasked")
        wanted = slow_thresholds(model, data.masked, (0.0, *steps), each=each)
        assert least == wanted and len(least) == 3


def slow_thresholds(model, masked, candidates, *, each):
    network, table = model.build(torch.device("cpu")), []
    for threshold in candidates:
        hits, union = np.zeros(3), np.zeros(3)
        for scene in masked.names():
            pixels = torch.from_numpy(np.array(masked.images.image(scene))).permute(2, 0, 1)[None].float() / 255
            with torch.inference_mode():
                probs = network(pixels).mean_logits.softmax(1)[0].numpy()
            share = [(probs.argmax(0) == k).mean() for k in range(3)]
            kept = [share[k] > 0 and share[k] >= threshold for k in range(3)]
            found = np.argmax(probs * np.array(kept if any(kept) else [True] * 3)[:, None, None], 0)
            truth = masked.labels.map(scene)
            for k in range(3):
                said, told = (found == k) & (truth != 255), truth == k
                hits[k] += (said & told).sum()
                union[k] += (said | told).sum()
        table.append([hits[k] / union[k] if union[k] else np.nan for k in range(3)])
    if each:
        return tuple(candidates[int(t)] for t in np.nan_to_num(np.array(table)).argmax(0))
    return (candidates[int(np.argmax([np.nanmean(row) for row in table]))],) * 3


# ------------------------------------------------------------------------------------------------ balance


def lines(*scores, selected=0.5):
    return [{"score_real": 0.9, "score_fake": score, "selected": selected} for score in scores]


def test_balance_is_that_of_the_second_half():
    found = balance([{"step": 1}, *lines(0.0, 0.0), *lines(0.3, 0.5, selected=0.25)])
    assert found == pytest.approx({"score_real": 0.9, "score_fake": 0.4, "selected": 0.25, "doubt": 0.4})
    assert balance(lines(0.7))["doubt"] == pytest.approx(0.3) and balance([{"step": 4}]) == {}


@pytest.mark.parametrize(("selected", "word"), [(1.0, "all"), (0.0, "none"), (0.99, ""), (0.01, "")])
def test_an_alarm_sounds_where_all_or_nothing_is_selected(selected, word, caplog):
    class Lab:
        notes = {}  # noqa: RUF012

        def history(self, model):
            return lines(0.4, 0.4, selected=selected)

        def note(self, name, value):
            self.notes[name] = value

    Lab.notes = {}
    with caplog.at_level(logging.WARNING):
        note_balance(Lab(), None, selecting=True)
    assert ("critic/alarm" in Lab.notes) == bool(word) and (f"it trusted {word} of" in caplog.text) == bool(word)
    Lab.notes = {}
    note_balance(Lab(), None, selecting=False)
    assert "critic/alarm" not in Lab.notes and Lab.notes["critic/selected"] == selected


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"gamma": 1.1}, r"a gamma in \[0, 1\], the range of scores; found gamma: 1.1"),
        ({"gamma": -0.1}, r"a gamma in \[0, 1\]"),
        ({"tau": 1.5}, r"a tau in \[0, 1\]"),
        ({"tau": float("nan")}, r"a tau in \[0, 1\]"),
        ({"labelled": 0.0}, "a labelled share above 0"),
        ({"labelled": 1.01}, "a labelled share above 0 and up to 1"),
        ({"split": 0.1, "high": "none"}, "0 where no classifier learns from them"),
        ({"split": 1.0}, r"a share `split` for tags in \[0, 1\)"),
        ({"pull_weight": -1.0}, "a pull_weight that is not negative"),
        ({"critic_dropout": 1.0}, "a critic_dropout in"),
        ({"lr": 0.0}, "a positive lr, or null"),
        ({"thresholds": ()}, "thresholds that are shares"),
        ({"ema_decay": 1.0}, "an ema_decay in"),
        ({"tag_size": (0, 32)}, "a tag_size of"),
        ({"tag_batch": 0}, "a tag_batch of at least 1, or null for the recipe's; found tag_batch: 0"),
        ({"critic_lr": INF}, "finite numbers; found critic_lr: inf"),
        ({"pull_weight": INF}, "finite numbers; found pull_weight: inf"),
        ({"consistency": INF}, "finite numbers; found consistency: inf"),
        ({"lr": INF}, "finite numbers; found lr: inf"),
        ({"tag_lr": INF}, "finite numbers; found tag_lr: inf"),
        ({"encoder_lr": INF}, "finite numbers; found encoder_lr: inf"),
        ({"weight_decay": float("nan")}, "a weight_decay that is not negative"),
    ],
    ids=str,
)
def test_wrong_knobs_are_told_at_once(knobs, told):
    with pytest.raises(BadInput, match=told):
        HighLow(**knobs)


@pytest.mark.parametrize(
    ("knobs", "error", "told"),
    [
        ({"labelled": 0.1}, BadInput, "0.1 of 6 images is none. Raise it"),
        ({"labelled": 1.0}, BudgetExceeded, "budget"),
    ],
)
def test_masks_that_cannot_be_bought_are_told_before_anything_is_trained(world, tmp_path, knobs, error, told):
    heard = Recorder()
    with pytest.raises(error, match=told):
        run(tmp_path, world, knobs, watcher=heard)
    assert heard.begun == []


UNFIT = [
    ({"classifier_encoder": "resnet5000"}, {}, "resnet5000"),
    ({"classifier_encoder": "test_resnet", "high": "cnn"}, {"pretrained": "timm:resnet18.a1_in1k"}, "resnet18"),
    ({"renorm": True}, {}, "the knob renorm needs batch norms .* norm: frozen"),
    ({"renorm": True, "high": "none"}, {"encoder": "convnext_atto", "norm": "batch"}, "renorm needs .* convnext_atto"),
]


@pytest.mark.parametrize(("knobs", "recipe", "told"), UNFIT, ids=str)
def test_networks_that_will_not_do_are_told_before_anything_is_bought(world, tmp_path, knobs, recipe, told):
    with highlow_lab(tmp_path, world, watcher=(heard := Recorder())) as lab:
        with pytest.raises(BadInput, match=told):
            HighLow(**(KNOBS | knobs)).run(lab, replace(RECIPE, **recipe))
        assert heard.begun == [] and lab.spent == 0


@pytest.mark.parametrize(("knobs", "told"), [(knobs, told) for knobs, recipe, told in UNFIT if not recipe], ids=str)
def test_a_plan_refuses_networks_that_will_not_do(tmp_path, knobs, told):
    study = toy_study(
        tmp_path, methods=[{"name": "high_low", "knobs": KNOBS | knobs}], seeds=[0], budgets=[3.0],
        recipe=TOY_RECIPE | {"norm": "frozen"},
    )  # fmt: skip
    plan = plan_study(study, home=tmp_path / "home", probe=False)
    (reason,) = plan.refused
    assert re.search(told, reason) and all(cell.seconds == 0 for cell in plan.cells)


def test_a_classifier_has_nothing_to_fit_where_none_is_trained(world, home):
    run(home, world, {"high": "none", "low": "supervised", "classifier_encoder": "resnet5000"})


@pytest.mark.slow
def test_a_class_that_no_labelled_image_holds_is_never_named(tmp_path):
    """No mask and no tag shows a car: both branches learn that there are none. It costs that class alone."""

    def without_cars(scene):
        if scene.split == "train":
            scene = replace(scene, semantic=np.where(scene.semantic == 2, 0, scene.semantic).astype(np.uint8))
            scene = replace(scene, instance=np.zeros_like(scene.instance))
        return scene

    world = larger_toy(tmp_path / "w", change=without_cars)
    recipe = replace(RECIPE, steps=40, head="fpn", optimiser="adamw", lr=3e-3)
    with highlow_lab(tmp_path / "home", world) as lab:
        scores = lab.score(HighLow(**(KNOBS | {"lr": None, "tag_lr": None})).run(lab, recipe))
        assert scores.iou["car"] == 0.0 and scores.iou["ground"] > 0.3
        told = scores.sums.confusion.counts_CC
        assert told[2].sum() > 0 and told[:, 2].sum() == 0, "cars are there, and none is named"
        assert scores.miou == pytest.approx(mean_iou(scores.sums.confusion, absent="present"))


def test_every_reading_of_the_code_trains_too(world, tmp_path):
    """All the knobs that the published code turns, at once, with batch norm and another size for the classifier."""
    knobs = {
        "gamma_strict": True, "self_training_from": 1, "critic_image": "batch", "critic_dropouts": 3,
        "schedule_share": 0.75, "encoder_lr": 3.0, "tau_inclusive": True, "all_masked": "first",
        "consistency_form": "cosine", "consistency_on_labelled": False, "teacher_norm": "own", "tag_size": (48, 32),
        "tag_batch": 3, "classifier_encoder": "test_resnet", "truth_map": "smooth", "score_dropout": False,
    }  # fmt: skip
    model, _, heard = run(tmp_path, world, knobs, recipe=replace(RECIPE, norm="batch", steps=3))
    assert model.blueprints["joined"].size == (48, 32) and 0 <= heard.notes["tag_map"] <= 1
