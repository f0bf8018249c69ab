"""Every knob arrives where it counts: in what the lab is asked to buy, train, label, join, draw, measure and judge.

The method runs as it does for a plan, with its defaults and with one knob changed: nothing is computed, and what it
asked for is looked at.
"""

from dataclasses import replace
from functools import cache

import pytest
from toyworld import TOY, toy_scene, write_toy
from weakhere import VALUES

from segfrontier.lab import LabSettings, Recipe, open_lab
from segfrontier.maths import VOC_THRESHOLDS
from segfrontier.plan.dry_lab import RehearsalLab, Shadow, StandIns
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter
from segfrontier.store import Store
from segfrontier_methods.supervised.objective import CrossEntropy
from segfrontier_methods.weak_panoptic import WeakPanoptic
from segfrontier_methods.weak_panoptic import knobs as knobs_module
from segfrontier_methods.weak_panoptic.box_masks import BoxMasks, MaskQuality
from segfrontier_methods.weak_panoptic.cleaning import FIRST, FirstLabels, NextLabels
from segfrontier_methods.weak_panoptic.detector import Detect, Detecting
from segfrontier_methods.weak_panoptic.heat import Heat
from segfrontier_methods.weak_panoptic.instance_crf import PanopticSpec
from segfrontier_methods.weak_panoptic.instances import Panoptically
from segfrontier_methods.weak_panoptic.matched import DETECTIONS, PANOPTIC, MatchedInstances
from segfrontier_methods.weak_panoptic.pictures import FromBoxes
from segfrontier_methods.weak_panoptic.tags import LearnTags, StuffSeeds

RECIPE = Recipe(encoder="test_resnet", head="deeplab_v2", pretrained="never", steps=1, batch=2, lr=0.02)
HOURS, BUDGET = 4.0, 14400


class Asked(RehearsalLab):
    """Keeps what it is asked for, in order: each request with its `at_most`, each objective, rule, blueprint, gauge."""

    def __init__(self, **lab):
        super().__init__(**lab)
        self.heard, self.made, self.bought = [], {}, []

    def buy(self, request, *, at_most=None):
        self.bought.append((request.kind, request, at_most))
        return super().buy(request, at_most=at_most)

    def train(self, objective, streams, plan, *, start=None, looking=None):
        self.heard.append((objective, streams, start or {}))
        return super().train(objective, streams, plan, start=start, looking=looking)

    def label(self, models, part, rule):
        labels = super().label(models, part, rule)
        self.heard.append((rule, part, labels))
        return labels

    def join(self, blueprint, models):
        self.heard.append((blueprint, None, models))
        return super().join(blueprint, models)

    def draw(self, sketch, models, part, *, scenes=4):
        self.heard.append((sketch, part, scenes))
        return super().draw(sketch, models, part, scenes=scenes)

    def measure(self, models, part, gauge):
        self.heard.append((gauge, part, None))
        return super().measure(models, part, gauge)

    def acts(self, *kinds):
        return [act for act in self.heard if isinstance(act[0], kinds)]

    def all(self, *kinds):
        return [act[0] for act in self.acts(*kinds)]

    def one(self, kind):
        (only,) = self.all(kind)
        return only


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wiring")
    walled = ClassTable(
        name="toy", classes=tuple(replace(one, thing=one.name != "ground") for one in TOY.classes), void_ids=(0, 255)
    )
    with WorldWriter(folder / "walled", name="toy", classes=walled) as out:
        for number in range(5):
            out.add(toy_scene(number, split="train" if number < 4 else "val"))
    plain = write_toy(folder / "toy", source_train=5, target_train=6, target_val=1)
    return {"plain": plain, "walled": World.open(folder / "walled")}


@pytest.fixture(scope="module")
def asked_by(worlds, tmp_path_factory):
    """By a world and knobs: the lab after a run, and what it returned; each run once, and stages in one store."""
    home, stand_ins = tmp_path_factory.mktemp("home"), StandIns()
    shadow = Shadow(home / "shadow", Store(home / "store"))

    @cache
    def run(world, knobs):
        settings = LabSettings(home=home, world=worlds[world], prices="street", hours=HOURS, cell=f"{world} {knobs}")
        with open_lab(settings, kind=Asked, store=shadow, stand_ins=stand_ins) as lab:
            return lab, WeakPanoptic(**dict(knobs)).run(lab, RECIPE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knobs_module, "learned_origin", lambda: "package:not-needed")
        yield lambda world, **knobs: run(world, tuple(knobs.items()))


def cleanings(lab, name):
    return [getattr(rule.cleaning, name) for rule in lab.all(FirstLabels, NextLabels)]


def of_masks(lab, *path):
    """Of all rules that make masks of boxes: those of the pass, of the pictures and of the quality."""
    rules = [*lab.all(BoxMasks), *(one.rule for one in lab.all(FromBoxes, MaskQuality))]
    for name in path:
        rules = [getattr(rule, name) for rule in rules]
    return rules


def of_rounds(lab, *path):
    rules = lab.all(NextLabels)
    for name in path:
        rules = [getattr(rule, name) for rule in rules]
    return rules


def segmenters(lab, name="lr"):
    return [getattr(objective.network.optimiser, name) for objective in lab.all(CrossEntropy)]


def optimised(lab, name):
    """Of the classifier, of each round's segmenter, and of the whole."""
    networks = [lab.one(LearnTags).classifier, lab.one(MatchedInstances).panoptic]
    return [*segmenters(lab, name), *(getattr(network.optimiser, name) for network in networks)]


def spec(name):
    return lambda lab, made: getattr(lab.one(PanopticSpec), name)


def detector(name):
    return lambda lab, made: getattr(lab.one(Detecting).detector.blueprint, name)


def detects(name):
    """Of the training images, and of those that are scored."""
    return lambda lab, made: [getattr(one, name) for one in (lab.one(Detect), made.rule.detect)]


def masks(*path):
    return lambda lab, made: of_masks(lab, *path)


def cleaned(name):
    return lambda lab, made: cleanings(lab, name)


TWICE, THRICE = 2, 3
"""Label rules: the pass, the pictures and the quality have masks; two rounds are cleaned, after the first labels."""
ARRIVES = {
    "split": (lambda lab, made: [(kind, most) for kind, _, most in lab.bought][:1], [("fine", BUDGET // 2)]),
    "box_share": (lambda lab, made: [most for kind, _, most in lab.bought if kind == "box"], [BUDGET // 2]),
    "background": (
        lambda lab, made: [lab.all(BoxMasks)[0].background, *cleanings(lab, "outside")], [0] * 4,
    ),
    "masks": (masks("masks"), ["grabcut"] * THRICE),
    "margin": (
        lambda lab, made: of_masks(lab, "grabcut", "crop", "margin") + of_masks(lab, "proposals", "crop", "margin"),
        [0.4] * 6,
    ),
    "side": (
        lambda lab, made: of_masks(lab, "grabcut", "crop", "side") + of_masks(lab, "proposals", "crop", "side"),
        [64] * 6,
    ),
    "guard": (
        lambda lab, made: [
            (guard.least, guard.most)
            for guard in of_masks(lab, "grabcut", "guard") + of_masks(lab, "proposals", "guard")
        ],
        [(0.1, 0.9)] * 6,
    ),
    "core": (
        lambda lab, made: of_masks(lab, "grabcut", "guard", "core") + of_masks(lab, "proposals", "guard", "core"),
        [(0.4, 0.6)] * 6,
    ),
    "grabcut_rounds": (masks("grabcut", "rounds"), [3] * THRICE),
    "hierarchy": (masks("proposals", "hierarchy"), ["higra"] * THRICE),
    "regions": (masks("proposals", "counts"), [(4, 8)] * THRICE),
    "grouped": (masks("proposals", "together"), [3] * THRICE),
    "edge_scales": (masks("proposals", "scales"), [(1.0, 2.0)] * THRICE),
    "edges": (masks("proposals", "edges"), ["package:not-needed"] * THRICE),
    "rejected": (lambda lab, made: lab.all(BoxMasks)[0].rejected, "background"),
    "clash": (masks("clash"), ["smaller"] * THRICE),
    "thing_tags": (
        lambda lab, made: [one.thing_tags for one in lab.all(LearnTags, FirstLabels, NextLabels)], ["none"] * 4,
    ),
    "tag_stride": (lambda lab, made: lab.one(LearnTags).classifier.blueprint.output_stride, None),
    "tag_zoom": (
        lambda lab, made: [lab.one(LearnTags).zoom, lab.one(StuffSeeds).zoom, lab.one(Heat).rule.zoom], [2.0] * 3,
    ),
    "cam_share": (lambda lab, made: [lab.one(StuffSeeds).share, lab.one(Heat).rule.share], [0.15] * 2),
    "rounds": (lambda lab, made: of_rounds(lab, "number"), [1, 2, 3]),
    "round_lr": (lambda lab, made: segmenters(lab), [1e-4] * 3),
    "steps": (cleaned("steps"), [("prior",)] * THRICE),
    "least_score": (cleaned("least_score"), [0.9] * THRICE),
    "scores_of": (lambda lab, made: of_rounds(lab, "scores_of"), ["crf"] * TWICE),
    "merge_rounds": (cleaned("merge_rounds"), [2] * THRICE),
    "least_coverage": (cleaned("least_coverage"), [0.3] * THRICE),
    "fill_groups": (cleaned("fill_groups"), [True] * THRICE),
    "crf": (lambda lab, made: of_rounds(lab, "crf"), [None] * TWICE),
    "crf_scale": (
        lambda lab, made: [
            (crf.spatial_xy, crf.bilateral_xy) for crf in (*of_rounds(lab, "crf"), lab.one(PanopticSpec).crf)
        ],
        [(1.5, 24.5)] * 3,
    ),
    "crf_rounds": (
        lambda lab, made: [*of_rounds(lab, "crf", "iterations"), lab.one(PanopticSpec).crf.iterations], [5, 5, 3],
    ),
    "instances": (lambda lab, made: lab.all(MatchedInstances), []),
    "learns": (spec("learns"), "crf"),
    "pairwise": (spec("crf"), None),
    "filtering": (spec("filtering"), "exact"),
    "box_term": (spec("box_term"), False),
    "global_term": (spec("global_term"), False),
    "boxed_stuff": (spec("boxed_stuff"), False),
    "detection_score": (spec("score"), "code"),
    "eps": (spec("eps"), 1e-8),
    "weights_lr": (spec("weights_lr"), 1.0),
    "beside": (lambda lab, made: lab.one(MatchedInstances).semantic, 1.0),
    "above": (detects("above"), [0.4] * 2),
    "nms": (detects("nms"), [0.5] * 2),
    "rank": (lambda lab, made: made.rule.rank, "detection"),
    "ap": (lambda lab, made: [t.thresholds for t in made.tasks if t.name == "instances"], [VOC_THRESHOLDS]),
    "detector_width": (detector("width"), 32),
    "detector_hidden": (detector("hidden"), 64),
    "anchor": (detector("anchor"), 4.0),
    "lr": (lambda lab, made: [*segmenters(lab), lab.one(MatchedInstances).panoptic.optimiser.lr], [
        0.02, 0.01, 0.005, 0.002,
    ]),
    "momentum": (lambda lab, made: optimised(lab, "momentum"), [0.8] * 5),
    "weight_decay": (lambda lab, made: optimised(lab, "weight_decay"), [1e-4] * 5),
    "instance_lr": (lambda lab, made: lab.one(MatchedInstances).panoptic.optimiser.lr, 5e-5),
    "tag_lr": (lambda lab, made: lab.one(LearnTags).classifier.optimiser.lr, 0.02),
    "detector_clip": (lambda lab, made: lab.one(Detecting).detector.clip, 1.0),
    "judged_scenes": (lambda lab, made: [len(part.names()) for _, part, _ in lab.acts(MaskQuality)], [3]),
    "pictures": (lambda lab, made: [scenes for _, _, scenes in lab.acts(Heat, FromBoxes)], []),
}  # fmt: skip
"""Of each knob: what is read off what was asked for, and what it is with the knob's value in VALUES."""
BESIDE = {
    "rejected": {"background": "ground"}, "hierarchy": {"masks": "grabcut"}, "scores_of": {"crf": True},
}  # fmt: skip
"""What a knob needs beside it; it is set in the run that is compared with, too."""


def test_no_knob_is_left_out():
    assert ARRIVES.keys() == VALUES.keys()


@pytest.mark.parametrize("name", ARRIVES)
def test_a_knob_arrives(asked_by, name):
    beside, value = BESIDE.get(name, {}), VALUES[name]
    value = "ground" if name == "background" else tuple(value) if isinstance(value, list) else value
    read, expected = ARRIVES[name]
    assert read(*asked_by("walled" if name in ("background", "rejected") else "plain", **beside, **{name: value})) == (
        expected
    )
    usual = asked_by("walled" if beside.get("background") else "plain", **beside)
    assert read(*usual) != expected, "or this says nothing"


@pytest.mark.parametrize(("thing_tags", "things"), [("boxes", False), ("tags", True), ("none", False)])
def test_tags_of_things_are_bought_where_nothing_else_says_them(asked_by, thing_tags, things):
    lab, _ = asked_by("plain", thing_tags=thing_tags)
    assert [request.things for kind, request, _ in lab.bought if kind == "tag"] == [things]


def test_both_pictures_show_so_many_scenes(asked_by):
    lab, _ = asked_by("plain", pictures=3)
    assert ARRIVES["pictures"][0](lab, None) == [3, 3]


def test_each_training_learns_from_the_labels_made_just_before_it_and_goes_on_from_the_last(asked_by):
    lab, _ = asked_by("plain")
    made = [labels.digest for _, _, labels in lab.acts(FirstLabels, NextLabels)]
    learned = lab.acts(CrossEntropy)
    assert [stream.parts[0].labels[FIRST].digest for _, streams, _ in learned for stream in streams.values()] == made
    assert [sorted(start) for _, _, start in learned] == [[], ["segmenter"], ["segmenter"]]
    ((rule, masks_part, masks_labels),) = lab.acts(BoxMasks)
    assert rule.num_classes == len(TOY)
    assert all(part.labels[FIRST].digest == masks_labels.digest for _, part, _ in lab.acts(NextLabels))
    assert masks_part.names() == lab.acts(NextLabels)[0][1].names()


def test_all_at_once_learns_from_the_last_labels_and_the_detections_of_the_same_images(asked_by):
    lab, made = asked_by("plain")
    ((_, streams, start),) = lab.acts(MatchedInstances)
    ((_, _, found),) = lab.acts(Detect)
    (part,) = next(iter(streams.values())).parts
    assert part.labels[FIRST].digest == lab.acts(NextLabels)[-1][2].digest
    assert part.labels[DETECTIONS].digest == found.digest and set(part.names()) <= set(found.scenes())
    assert list(start) == [PANOPTIC] and made.model.network == PANOPTIC and isinstance(made.rule, Panoptically)


def test_parts_that_were_trained_apart_are_united_by_the_same_terms(asked_by):
    lab, _ = asked_by("plain", instances="piecewise", box_term=False, pairwise=False)
    one = lab.one(PanopticSpec)
    assert (one.box_term, one.global_term, one.crf) == (False, True, None)
