"""The whole method on a toy world: every variant, rounds, resume after a failure, bad input, pictures, class sets."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from pointhere import KNOBS, RECIPE, larger_toy, point_lab
from toylab import Recorder

from segfrontier.errors import BadInput
from segfrontier.lab import Argmax, Looking, Part, make_method
from segfrontier.market import Ledger
from segfrontier_methods.active_points.class_sets import CLASS_SETS, miou_over


def interrupting(**fatal):
    """A recorder that raises when the n-th stage of a kind begins."""

    def on_begin(kind, key):
        if fatal.get(kind) == [each for each, _ in recorder.begun].count(kind):
            raise KeyboardInterrupt

    recorder = Recorder(on_begin=on_begin)
    return recorder


def run(home, world, knobs, *, recipe=RECIPE, watcher=None, **settings):
    watcher = watcher or Recorder()
    with point_lab(home, world, cell=str(knobs), watcher=watcher, **settings) as lab:
        model = make_method("active_points", KNOBS | knobs).run(lab, recipe)
        return model, lab.spent, watcher


@pytest.mark.parametrize(
    ("knobs", "stages", "seconds"),
    [
        ({"selector": "none", "uda": "source"}, ["train"], 0),
        ({"selector": "none", "uda": "minent"}, ["train"], 0),
        ({"selector": "none"}, ["train"], 0),
        ({"selector": "none", "uda": "images"}, ["train"], 0),
        ({"selector": "none", "uda": "source", "rebn": True}, ["train", "renorm"], 0),
        ({"rebn": True}, ["train", "renorm", "measure", "label", "train", "renorm"], 87),
        ({"selector": "none", "uda": "intrada"}, ["train", "measure", "label", "train"], 0),
        ({"patches": 0}, ["train", "label", "train"], 0),
        ({}, ["train", "measure", "label", "train"], 87),
        ({"reading": "dense"}, ["train", "measure", "label", "train"], 87),
        ({"selector": "random"}, ["train", "label", "train"], 87),
        ({"selector": "full"}, ["train", "label", "train"], 692),
        ({"rounds": 2, "allocate": "pool"}, ["train", *["measure", "label", "train"] * 2], 87),
        ({"levels": 1, "uda": "minent"}, ["train", "measure", "label", "train"], 87),
    ],
    ids=str,
)
def test_each_variant_trains_and_asks_what_it_should(world, home, knobs, stages, seconds):
    model, spent, ear = run(home, world, knobs)
    heard = [kind for kind, _ in ear.begun + ear.reused if kind != "score"]
    assert sorted(heard) == sorted(stages) and spent == seconds
    plain = {"source": 0, "images": 0, "minent": 0}
    critics = plain.get(knobs.get("uda", ""), 2) if knobs.get("selector") == "none" else 2
    critics = 0 if "rebn" in knobs else critics  # they are left behind
    names = ["segmenter", "critic", "aux_critic"][: 1 + min(critics, knobs.get("levels", 2))]
    assert list(torch.load(model.file(), weights_only=True)) == names


def test_passing_target_images_through_is_adapting_with_weights_of_zero(world, home):
    """The control of the adaptation: bit for bit the same segmenter; and batch norm does move it off the source's."""

    def segmenter(**knobs):
        return torch.load(run(home, world, {"selector": "none", **knobs})[0].file(), weights_only=True)["segmenter"]

    through, source = segmenter(uda="images"), segmenter(uda="source")
    unpulled = segmenter(uda="advent", target_weight=0.0, aux_target_weight=0.0)
    assert all(torch.equal(through[name], unpulled[name]) for name in unpulled)
    moved = [name for name in source if not torch.equal(through[name], source[name])]
    assert moved and all("running" in name or "tracked" in name for name in moved), "no weight, and only statistics"
    alike = [segmenter(uda=uda, rebn=True) for uda in ("source", "images")]
    assert all(torch.equal(alike[0][name], alike[1][name]) for name in alike[0]), "under one policy they are one model"
    pulled = segmenter(uda="advent")
    assert any(not torch.equal(pulled[name], through[name]) for name in pulled if name.endswith("weight"))


def test_statistics_estimated_anew_are_the_targets_whatever_was_trained(world, home):
    """Of the source-only model: no weight moves, and source images have no part in its statistics any more."""
    knobs = {"selector": "none", "uda": "source", "target_size": (32, 40)}
    plain, _, _ = run(home, world, knobs)
    model, _, ear = run(home, world, knobs | {"rebn": True})
    before, after = (torch.load(m.file(), weights_only=True)["segmenter"] for m in (plain, model))
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved and all("running" in name or "tracked" in name for name in moved)
    name = next(name for name in moved if name.endswith("num_batches_tracked"))
    assert after[name] == 3, "six images, two at a time, once"
    assert model.looking == plain.looking == Looking(resize=(32, 40)) and ear.kinds.count("renorm") == 1


def test_variants_share_their_beginning(world, tmp_path):
    first = run(tmp_path, world, {})[2]
    assert first.kinds.count("train") == 2 and first.kinds.count("measure") == 1
    for knobs in ({"selector": "random"}, {"patches": 4}, {"reading": "dense"}):
        assert run(tmp_path, world, knobs)[2].kinds.count("train") == 1, "the first model is trained once"


def test_every_round_is_scored_with_the_model_before_it(world, home):
    _, _, ear = run(home, world, {"rounds": 2})
    rounds = {name: value for name, value in ear.notes.items() if name.startswith("round")}
    assert set(rounds) == {"round_0/miou", "round_1/miou", "round_2/miou"}
    assert all(0 <= value <= 1 for value in rounds.values())


def test_intrada_ranks_by_entropy_and_learns_from_the_easy(world, home, monkeypatch):
    """FACTS.md 1e: of a .3, b .1, c .2 the easy ones are b and c."""
    seen = {}

    def train(knobs, lab, recipe, *, source, target=None, **more):
        seen[len(seen)] = (source, target)
        return original(knobs, lab, recipe, source=source, target=target, **more)

    from segfrontier_methods.active_points import adaptation

    original = adaptation.trained
    monkeypatch.setattr(adaptation, "trained", train)
    with point_lab(home, world, cell="intrada") as lab:
        knobs = {"selector": "none", "uda": "intrada", "easy": 0.67}
        make_method("active_points", KNOBS | knobs).run(lab, RECIPE)
        (_, _), (easy, hard) = seen[0], seen[1]
        first = seen[0][1][0]
        assert first.labels is None and len(first.names()) == 6
        assert len(easy.names()) == int(0.67 * 6) == 4 and len(hard[0].names()) == 2 and hard[0].labels is None
        assert set(easy.names()) | set(hard[0].names()) == set(lab.pool.scenes())
        assert all((easy.labels.map(s) != 255).all() for s in easy.names()), "every pixel, without a filter"
    order = np.argsort(np.array([0.3, 0.1, 0.2], np.float32), kind="stable")
    assert order[: int(0.67 * 3)].tolist() == [1, 2] and order[2:].tolist() == [0]


# ------------------------------------------------------------------------------------------------ going on after a kill


@pytest.mark.parametrize(
    "fatal",
    [{"label": 1}, {"train": 3}, *(pytest.param(f, marks=pytest.mark.slow) for f in ({"train": 2}, {"measure": 2}))],
    ids=str,
)
def test_a_run_that_was_stopped_anywhere_goes_on_without_asking_twice(world, home, tmp_path, fatal):
    knobs = {"rounds": 2, "patches": 4}
    whole, spent, _ = run(home, world, knobs)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, world, knobs, watcher=interrupting(**fatal))
    before = purchases(tmp_path, knobs)
    model, again, ear = run(tmp_path, world, knobs)
    assert again == spent == np.ceil(6 * 4 * 3 * 2.4)
    assert purchases(tmp_path, knobs) == purchases(home, knobs) and before <= purchases(home, knobs)
    assert model.key == whole.key and ear.kinds.count("train") < 3
    mine, theirs = (torch.load(m.file(), weights_only=True) for m in (model, whole))
    assert all(torch.equal(mine[n][k], theirs[n][k]) for n in mine for k in mine[n])


def purchases(home, knobs):
    """Every point that a cell was charged for."""
    owned = Ledger(home / "ledger").owned(str(knobs), "point")
    return {(scene, item) for scene, items in owned.items() for item in items.tolist()}


# ------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    "recipe",
    [{"norm": "frozen"}, {"encoder": "convnext_atto", "head": "deeplab_v2"}],
    ids=["frozen", "layer norms only"],
)
def test_statistics_that_cannot_move_are_not_estimated_anew(world, home, recipe):
    """Told before anything is trained."""
    recipe = replace(RECIPE, **recipe)
    with pytest.raises(BadInput, match=f"rebn needs batch norms .* found encoder {recipe.encoder}, head"):
        run(home, world, {"rebn": True}, recipe=recipe, watcher=(ear := Recorder()))
    assert not ear.begun


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"patches": 17}, "0 to 16 patches an image, those of its grid; found patches: 17"),
        ({"patches": -1}, "0 to 16 patches"),
        ({"points": 0}, "at least one point a patch"),
        ({"rows": 0}, "at least one row"),
        ({"rounds": 3}, "1 <= rounds <= patches"),
        ({"rounds": 2, "patches": 0}, "1 <= rounds <= patches"),
        ({"rounds": 2, "selector": "full"}, "1 <= rounds <= patches"),
        ({"easy": 1.0}, "share of easy images between 0 and 1"),
        ({"lr": 0.0}, "a positive lr, or null"),
        ({"schedule_share": 0.0}, "schedule_share above 0"),
        ({"target_weight": -1.0}, "a target_weight that is not negative"),
        ({"critic_betas": (0.9, 1.0)}, "critic_betas in"),
        ({"target_size": (0, 512)}, "a target_size of"),
        ({"selector": "actve"}, "selector: must be 'active', 'random', 'full' or 'none'"),
        ({"K": 3}, "found 'K': did you mean"),
    ],
    ids=str,
)
def test_wrong_knobs_are_told_at_once(knobs, told):
    with pytest.raises(BadInput, match=told):
        make_method("active_points", KNOBS | knobs)


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        (
            {"points": 131},
            r"131 points in each of 4 x 4 patches of images of 52 x 40 pixels: .*smallest has 130 pixels",
        ),
        ({"rows": 41}, r"a side of 40 pixels can be cut into 1\.\.40 patches; found 41"),
        (
            {"class_sets": ("synthia16",)},
            "synthia16 needs a world that speaks the Cityscapes classes; 'toy' lacks",
        ),
    ],
    ids=str,
)
def test_what_images_cannot_give_is_told_before_anything_is_trained(world, tmp_path, knobs, told):
    ear = Recorder()
    with pytest.raises(BadInput, match=told):
        run(tmp_path, world, knobs, watcher=ear)
    assert "train" not in [kind for kind, _ in ear.begun]


def test_a_world_without_source_scenes_is_refused(tmp_path):
    from toyworld import write_toy

    with pytest.raises(BadInput, match="active_points adapts from labelled source scenes"):
        run(tmp_path / "home", write_toy(tmp_path / "w", target_train=2, target_val=1), {})


def test_one_image_is_too_few_for_an_easy_and_a_hard_half(tmp_path):
    with pytest.raises(BadInput, match=r"a share of 0.67 makes 0 of 1 images easy"):
        run(tmp_path / "home", larger_toy(tmp_path / "w", train=1), {"selector": "none", "uda": "intrada"})


@pytest.mark.slow
def test_a_class_that_the_source_never_shows_comes_from_people(tmp_path):
    """No car in any source scene: self-training cannot name one, points can."""

    def without_cars(scene):
        if scene.domain == "source":
            semantic = np.where(scene.semantic == 2, 0, scene.semantic).astype(np.uint8)
            scene = replace(scene, semantic=semantic, instance=np.zeros_like(scene.instance))
        return scene

    world = larger_toy(tmp_path / "w", change=without_cars)
    recipe = replace(RECIPE, steps=50, head="fpn", optimiser="adamw", lr=3e-3)
    iou = {}
    for asked in ({"patches": 0}, {"selector": "full"}):
        knobs = asked | {"points": 60, "lr": None, "uda": "source"}
        model, _, _ = run(tmp_path / "home", world, knobs, recipe=recipe, hours=20.0)
        with point_lab(tmp_path / "home", world, cell="judge") as lab:
            iou[len(iou)] = lab.score(model).iou["car"]
    assert iou[0] == 0.0 and iou[1] > 0.2


# ------------------------------------------------------------------------------------------------ pictures, scores


def test_pictures_show_the_story_of_fixed_scenes(world, tmp_path):
    _, _, ear = run(tmp_path, world, {"pictures": 2})
    (picture,) = ear.pictures
    with Image.open(picture) as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[1] > 4 * 320
    cyan, white_frames = (pixels == (0, 200, 255)).all(-1), (pixels == 255).all(-1)
    assert cyan.sum() > 2 * 2 * 3 and white_frames.any()


def test_sixteen_and_thirteen_classes_are_judged_alone(world, home):
    """Against a slow restatement on the pixels themselves: truth of other classes is void."""
    assert len(CLASS_SETS["synthia16"]) == 16 and len(CLASS_SETS["synthia13"]) == 13
    assert set(CLASS_SETS["synthia16"]) - set(CLASS_SETS["synthia13"]) == {"wall", "fence", "pole"}
    model, _, _ = run(home, world, {"selector": "none", "uda": "source"})
    with point_lab(home, world, cell="judge") as lab:
        scores = lab.score(model)
        pool, truth = world.pool(split="val"), world.truth(split="val")
        labels = lab.label(model, Part(images=pool), Argmax())
        hits, union = np.zeros(3), np.zeros(3)
        for scene in pool.scenes():
            said, told = labels.map(scene), truth.semantic(scene)
            for c in (0, 2):
                judged = np.isin(told, (0, 2))
                mine, theirs = (said == c) & judged, (told == c) & judged
                hits[c] += (mine & theirs).sum()
                union[c] += (mine | theirs).sum()
        expected = np.mean([hits[c] / union[c] for c in (0, 2) if union[c]])
        assert miou_over(scores, ["ground", "car"], lab.classes.names) == pytest.approx(expected)
        assert miou_over(scores, lab.classes.names, lab.classes.names) == pytest.approx(scores.miou)


def test_a_model_that_works_at_half_size_is_scored_there(world, tmp_path):
    with point_lab(tmp_path, world) as lab:
        model = make_method("active_points", KNOBS | {"target_size": [36, 48]}).run(lab, RECIPE)
        assert model.looking == Looking(resize=(36, 48))
        assert lab.score(model).values != lab.score(model.looked(Looking())).values
