"""The four verbs on LocalLab: stages are shared, labels kept apart, scores right, and truth stays away."""

import gc
import io
import json
import pickle
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image
from toylab import Plain, Recorder, toy_lab, watcher_of
from toyworld import write_toy

from segfrontier.errors import BadInput, BudgetExceeded, StageError
from segfrontier.lab import Argmax, Bench, Fine, Looking, Part, Plan, Recipe, Rule, Stream, keep_known
from segfrontier.maths import View
from segfrontier.scenes.world import Truth, World

BENCH = Bench(device="cpu", threads=1)


@pytest.fixture
def lab(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder()) as lab:
        yield lab


def labelled(lab, *, scenes=None, **stream):
    labels = lab.buy(Fine(scenes or lab.pool.scenes()))
    return {"labelled": Stream(parts=(Part(images=lab.pool, labels=labels),), batch=2, **stream)}


def test_a_method_runs_through_all_verbs(lab):
    model = lab.train(Plain(), labelled(lab, scenes=lab.pool.scenes()[:3]), Plan(steps=40))
    rest = Part(images=lab.pool, scenes=tuple(lab.pool.scenes()[3:]))
    made = lab.label(model, rest, Argmax(above=0.5))
    assert made.scenes() == lab.pool.scenes()[3:] and made.kind == "pseudo"
    scores = lab.score(model)
    assert scores.scenes == 3 and 0 < scores.miou <= 1 and set(scores.iou) == {"ground", "wall", "car"}
    assert lab.spent == 3 * 5400 and lab.budget == 360_000 - lab.spent
    with Image.open(f"{scores.folder}/pictures.png") as picture:
        assert picture.width > 4 * 300
    assert watcher_of(lab).kinds == ["train", "label", "score"] and len(watcher_of(lab).steps) > 5


def test_a_stage_is_computed_once_across_labs(toy_world, tmp_path):
    keys = []
    for cell in ("a", "b"):
        with toy_lab(tmp_path / "home", toy_world, bench=BENCH, watcher=Recorder(), cell=cell) as lab:
            model = lab.train(Plain(), labelled(lab), Plan(steps=5))
            lab.score(model)
            keys.append(model.key)
            assert lab.spent == 6 * 5400, "each cell pays for its own labels"
            watcher = watcher_of(lab)
    assert keys[0] == keys[1] and watcher.kinds == [] and watcher.reused_kinds == ["train", "score"]


@pytest.mark.parametrize(
    "change",
    [
        {"objective": Plain(lr=0.2)},
        {"plan": Plan(steps=6)},
        {"plan": Plan(steps=5, seed=1)},
        {"scenes": 5},
        {"stream": {"balance": "class"}},
        {"settings": {"seed": 1, "cell": "other"}},
    ],
    ids=lambda c: next(iter(c)),
)
def test_whatever_changes_the_result_changes_the_key(toy_world, tmp_path, change):
    def key(change):
        with toy_lab(tmp_path / "home", toy_world, bench=BENCH, **change.get("settings", {})) as lab:
            streams = labelled(lab, scenes=lab.pool.scenes()[: change.get("scenes", 6)], **change.get("stream", {}))
            return lab.train(change.get("objective", Plain()), streams, change.get("plan", Plan(steps=5))).key

    assert key({}) == key({}) != key(change)


def test_where_it_runs_changes_no_key(toy_world, tmp_path):
    def key(bench):
        with toy_lab(tmp_path / "home", toy_world, bench=bench) as lab:
            return lab.train(Plain(), labelled(lab), Plan(steps=5)).key

    assert key(BENCH) == key(replace(BENCH, loader_workers=1, checkpoint_seconds=1.0, channels_last=True, fused=True))


def test_known_labels_are_never_touched(lab):
    model = lab.train(Plain(), labelled(lab), Plan(steps=5))
    points = np.array([[5, 5], [9, 3]])
    from segfrontier.lab import Points

    known = lab.buy(Points(lab.pool.scenes()[:2], [points, points]))
    made = lab.label(model, Part(images=lab.pool, labels=known), Argmax())
    for scene in known.scenes():
        before, after = known.map(scene), made.map(scene)
        assert (after[before != 255] == before[before != 255]).all() and (after != 255).all()
    sure = lab.label(model, Part(images=lab.pool, labels=known), Argmax(above=0.999999))
    assert (sure.map(known.scenes()[0]) == 255).sum() > 0
    np.testing.assert_array_equal(keep_known(np.array([[1, 2]]), np.array([[255, 0]])), [[1, 0]])


def test_the_quality_of_made_labels_is_told_to_the_record_alone(lab, toy_world):
    """Against a count by hand over all pixels."""
    model = lab.train(Plain(), labelled(lab), Plan(steps=30))
    made = lab.label(model, Part(images=lab.pool), Argmax(above=0.5))
    truth = toy_world.truth()
    pairs = [(made.map(s), truth.semantic(s)) for s in made.scenes()]
    right = sum(int(((m == t) & (m != 255) & (t != 255)).sum()) for m, t in pairs)
    judged = sum(int(((m != 255) & (t != 255)).sum()) for m, t in pairs)
    covered = sum(int((m != 255).sum()) for m, _ in pairs) / sum(m.size for m, _ in pairs)
    assert watcher_of(lab).notes["labels_1/pixel_accuracy"] == pytest.approx(right / judged)
    assert watcher_of(lab).notes["labels_1/coverage"] == pytest.approx(covered) and 0 < covered < 1
    told = dict(watcher_of(lab).notes)
    watcher_of(lab).notes.clear()
    lab.label(model, Part(images=lab.pool), Argmax(above=0.5))  # found in the store
    assert {k.replace("labels_2", "labels_1"): v for k, v in watcher_of(lab).notes.items()} == told
    lab.label(model, lab.synthetic, Argmax())
    assert not any(k.startswith("labels_3") for k in watcher_of(lab).notes), (
        "synthetic scenes are nobody's training pool"
    )


def test_scores_are_those_of_the_model(lab, toy_world):
    """Against a plain restatement: predict each image, count, divide."""
    import torch

    model = lab.train(Plain(), labelled(lab), Plan(steps=30))
    scores = lab.score(model)
    module = model.build(torch.device("cpu"))
    pool, truth = toy_world.pool(split="val"), toy_world.truth(split="val")
    hits, union = np.zeros(3), np.zeros(3)
    for scene in pool.scenes():
        pixels = torch.from_numpy(pool.image(scene)).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            said = module(pixels).logits[0].argmax(1)[0].numpy()
        told = truth.semantic(scene)
        for c in range(3):
            mine, theirs = (said == c) & (told != 255), told == c
            hits[c] += (mine & theirs).sum()
            union[c] += (mine | theirs).sum()
    assert scores.miou == pytest.approx(np.mean(hits / union))
    assert list(scores.iou.values()) == pytest.approx(hits / union)
    again = type(scores).read(__import__("pathlib").Path(scores.folder), lab.classes)
    assert again.values == scores.values and again.sums.confusion == scores.sums.confusion


def test_views_windows_and_sizes_reach_the_evaluator(lab):
    model = lab.train(Plain(), labelled(lab), Plan(steps=30))
    plain = lab.score(model).miou
    looks = [
        Looking(views=(View(), View(flip=True), View(scale=0.5))),
        Looking(window=(16, 16)),
        Looking(resize=(48, 64)),
    ]
    scores = [lab.score(model.looked(look)) for look in looks]
    assert all(0 < s.miou <= 1 for s in scores)
    assert scores[0].miou != plain != scores[2].miou
    assert watcher_of(lab).kinds.count("score") == 4, "each way of looking is a stage of its own"
    with pytest.raises(BadInput, match="needs at least one view"):
        Looking(views=())


def test_the_teacher_and_snapshots_are_models_of_their_own(lab):
    model = lab.train(Plain(), labelled(lab), Plan(steps=12, snapshots=2))
    assert sorted(lab.snapshots(model)) == [4, 8]
    family = [model, model.teacher(), *lab.snapshots(model).values()]
    digests = {m.digest for m in family}
    assert len(digests) == 4
    values = [lab.score(m).values["pixel_accuracy"] for m in family]
    assert len(set(values)) > 1
    step, best = lab.oracle_best(model)
    by_step = {s: lab.score(m).miou for s, m in {**lab.snapshots(model), 12: model}.items()}
    assert best.miou == by_step[step] == max(by_step.values())
    assert [line["step"] for line in lab.history(model)] == [12]
    with pytest.raises(BadInput, match="has the networks segmenter; found 'critic'"):
        model.called("critic")


def test_models_travel_and_are_rebuilt_without_their_pretraining(lab):
    import torch

    model = pickle.loads(pickle.dumps(lab.train(Plain(), labelled(lab), Plan(steps=2))))
    assert model.build(torch.device("cpu")).training is False
    with pytest.raises(BadInput, match="no longer holds model"):
        replace(model, key="0" * 32).file()


def test_start_gives_initial_weights(lab):
    first = lab.train(Plain(), labelled(lab), Plan(steps=20))
    same = lab.train(Plain(lr=0.0), labelled(lab), Plan(steps=1), start={"segmenter": first})
    fresh = lab.train(Plain(lr=0.0), labelled(lab), Plan(steps=1))
    assert len({first.key, same.key, fresh.key}) == 3
    import torch

    weights = [m.build(torch.device("cpu")).head.weight for m in (first, same, fresh)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_budgets_are_spent_in_nested_random_order(toy_world, tmp_path):
    bought = {}
    for hours in (3, 6, 100):
        with toy_lab(tmp_path / "home", toy_world, hours=float(hours), cell=f"h{hours}") as lab:
            bought[hours] = lab.buy_masks("fine", spend=lab.budget).scenes()
    assert [len(b) for b in bought.values()] == [2, 4, 6]
    assert bought[6][:2] == bought[3] and bought[100][:4] == bought[6]
    with toy_lab(tmp_path / "home", toy_world, hours=1.0, cell="h1") as lab:
        with pytest.raises(BadInput, match="at least one fine mask"):
            lab.buy_masks("fine", spend=lab.budget)
        with pytest.raises(BudgetExceeded):
            lab.buy(Fine(lab.pool.scenes()))
        assert lab.spent == 0
    with toy_lab(tmp_path / "home", toy_world, hours="all", cell="all") as lab:
        assert lab.budget == 6 * 5400


def test_free_things_are_recorded(lab, tmp_path):
    from segfrontier.market import Ledger

    model = lab.train(Plain(), labelled(lab), Plan(steps=1))
    lab.score(model)
    lab.label(model, Part(images=lab.pool), Argmax())
    lines = {line.what: line for line in Ledger(tmp_path / "home" / "ledger").free_lines("bench")}
    assert {"class_list", "source_labels", "pseudo_labels", "validation"} <= set(lines)
    assert lines["source_labels"].count == 5 and lines["validation"].count == 3
    assert "encoder_pretraining" not in lines, "random weights are no pretraining"


@dataclass(frozen=True)
class Learned(Rule):
    """A rule with weights of its own."""

    def origins(self):
        return {"edges": "package:made-up 1.0#00 (MIT)", "more": "random"}

    def label(self, predictor, image, known):
        return Argmax().label(predictor, image, known)


def test_what_a_rule_brings_is_a_free_line_too(lab, tmp_path):
    from segfrontier.market import Ledger

    lab.label(lab.train(Plain(), labelled(lab), Plan(steps=1)), Part(images=lab.pool), Learned())
    free = Ledger(tmp_path / "home" / "ledger").free_lines("bench")
    brought = [line.detail for line in free if line.what == "encoder_pretraining"]
    assert brought == ["edges: package:made-up 1.0#00 (MIT)"]


@dataclass(frozen=True)
class Fussy(Rule):
    """A rule that cannot label the first scenes that it is shown."""

    bad: int = 1

    def label(self, predictor, image, known):
        predictor.failed = getattr(predictor, "failed", 0) + 1
        if predictor.failed <= self.bad:
            raise BadInput("this image is beyond me")
        return Argmax().label(predictor, image, known)


def test_too_many_unlabelled_images_stop_the_stage(lab):
    model = lab.train(Plain(), labelled(lab), Plan(steps=1))
    with pytest.raises(StageError, match=r"2 of 6 images could not be labelled.*beyond me"):
        lab.label(model, Part(images=lab.pool), Fussy(bad=2))


def test_one_bad_image_in_many_is_named_and_loses_nothing_else(tmp_path):
    world = write_toy(tmp_path / "w", target_train=120, target_val=1)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        model = lab.train(Plain(), labelled(lab, scenes=lab.pool.scenes()[:4]), Plan(steps=1))
        made = lab.label(model, Part(images=lab.pool), Fussy())
        assert len(made) == 119 and "target/train/000" not in made
        folder = __import__("pathlib").Path(made.path).parent
        faults = json.loads((folder / "labels.json").read_text())["faults"]
        assert faults == ["target/train/000: this image is beyond me"]


def reachable(root):
    """All objects that attributes, slots, containers, closures and bound methods lead to."""
    seen, todo = {}, [root]
    while todo:
        thing = todo.pop()
        if id(thing) in seen or isinstance(thing, type(gc) | type):
            continue
        seen[id(thing)] = thing
        if callable(thing) and hasattr(thing, "__globals__"):
            todo += [c.cell_contents for c in thing.__closure__ or () if c.cell_contents is not None]
            todo += [getattr(thing, "__self__", None), *(thing.__defaults__ or ())]
            continue
        todo += [r for r in gc.get_referents(thing) if r is not None]
    return list(seen.values())


def test_nothing_a_method_holds_leads_to_truth(lab, toy_world):
    model = lab.train(Plain(), labelled(lab), Plan(steps=1))
    scores = lab.score(model)
    for thing in reachable([lab, model, scores, lab.pool, lab.synthetic]):
        assert not isinstance(thing, Truth | World), "a method must not reach truth"
        if isinstance(thing, str):
            assert f"{toy_world.uri}/truth" not in thing
    with pytest.raises(TypeError):
        pickle.dumps(lab)
    for thing in (model, lab.pool, lab.synthetic, Recipe()):
        buffer = io.BytesIO()
        pickle.dump(thing, buffer)
        assert b"/truth/" not in buffer.getvalue()


def test_a_closed_lab_says_so(toy_world, tmp_path):
    lab = toy_lab(tmp_path / "home", toy_world)
    lab.close()
    with pytest.raises(Exception, match="closed"):
        lab.buy(Fine(lab.pool.scenes()))
    with pytest.raises(Exception, match="closed"):
        lab.score(None)


def test_a_model_is_looked_at_in_its_own_way_by_every_verb(toy_world, tmp_path):
    """What a method says of its model holds for its headline, its labels and what is measured and noted of it."""
    half = Looking(resize=(12, 16))
    with toy_lab(tmp_path / "home", toy_world) as lab:
        part = Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes())))
        whole = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=30))
        model = whole.looked(half)
        assert lab.score(model).values != lab.score(whole).values
        assert lab.score(model.looked(Looking())).values == lab.score(whole).values
        everything = Part(images=lab.pool)
        made, full = lab.label(model, everything, Argmax()), lab.label(whole, everything, Argmax())
        assert made.digest != full.digest
        assert model.teacher().looking == model.called("segmenter").looking == half
        assert lab.oracle_best(model)[1].values == lab.score(model, pictures=0).values
