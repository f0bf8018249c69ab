"""What is learned from next: seeds and first masks united, and a segmenter's answers cleaned, on both labs the same."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from instancehere import SEGMENTER, learning
from taghere import CAR, LEARNER, SIZE, TILING, boxed, picture, predictors, tagged
from toyworld import write_toy

from segfrontier.errors import BadInput, Diverged
from segfrontier.lab import (
    Bench,
    Boxes,
    LabSettings,
    LocalLab,
    Part,
    Plan,
    Predictors,
    SceneLabels,
    Stream,
    Tags,
    open_lab,
)
from segfrontier.maths import (
    DEEPLAB,
    Cleaning,
    Evidence,
    boxed_in_tiles,
    cleaned_labels,
    first_labels,
    instances_by_boxes,
    mean_field,
    tags_of_tiles,
)
from segfrontier.maths.label_cleaning import PAPER, PUBLISHED
from segfrontier_methods.supervised.objective import CrossEntropy
from segfrontier_methods.weak_panoptic.cleaning import FirstLabels, NextLabels
from segfrontier_methods.weak_panoptic.tags import LearnTags, StuffSeeds, tag_stream

WAYS = {"things": (CAR,), "num_classes": 3, "tiling": TILING}
TILES = TILING.crops(*SIZE)
NOTHING = SceneLabels(size=SIZE)
TAGS = tagged([0, 1], [1, 1], [1, 0], [2, 0], [3, 0], [3, 1])
BOXES = boxed([3, 4, 12, 12, CAR, 0], [8, 6, 16, 20, CAR, 0], [20, 2, 24, 6, CAR, 1], [26, 18, 31, 24, CAR, 0])


class Fixed(torch.nn.Module):
    """Answers the same logits, whatever it is shown."""

    def __init__(self, logits_KHW):
        super().__init__()
        self.logits = logits_KHW

    def forward(self, images):
        return SimpleNamespace(mean_logits=self.logits[None])


def segmenter(sharp=12.0):
    """Blobs of the three classes, mostly sure."""
    noise = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    return Fixed(sharp * torch.nn.functional.interpolate(noise, size=SIZE, mode="bilinear")[0])


def semantic(seed, values):
    return SceneLabels(size=SIZE, semantic=np.random.default_rng(seed).choice(values, SIZE).astype(np.uint8))


def sets(**changes):
    given = {"boxes": BOXES, "tags": TAGS, "first": semantic(4, [0, CAR, 255]), "seeds": semantic(5, [0, 1, 255])}
    return given | changes


def evidence(known):
    present = tags_of_tiles(TAGS.tags, tiles=4, num_classes=3) | boxed_in_tiles(BOXES.boxes, TILES, num_classes=3)
    return Evidence(
        things=(CAR,), boxes_B6=BOXES.boxes, tiles_T4=TILES, present_TK=present, first_HW=known["first"].semantic
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize("crf", [None, replace(DEEPLAB, iterations=2, bilateral_xy=9.0)], ids=["plain", "crf"])
@pytest.mark.parametrize("scores_of", ["network", "crf"])
def test_an_answer_goes_through_the_crf_and_then_the_chain(crf, scores_of):
    if crf is None and scores_of == "crf":
        with pytest.raises(BadInput, match="CRF's scores need a CRF; found number 1 and scores of the crf"):
            NextLabels(**WAYS, number=1, crf=crf, scores_of=scores_of)
        return
    net, known = segmenter(), sets()
    rule = NextLabels(**WAYS, number=1, crf=crf, scores_of=scores_of, cleaning=Cleaning(least_score=0.97))
    made = rule.label(predictors(net), picture(), known)
    scores = net.logits
    if crf is not None:
        scores = mean_field(net.logits, torch.from_numpy(picture()).permute(2, 0, 1).float(), crf)
    labels = scores.argmax(0).numpy()
    probs = (net.logits if scores_of == "network" else scores).softmax(0).numpy()
    sure = np.take_along_axis(probs, labels[None], 0)[0]
    expected = cleaned_labels(labels.astype(np.uint8), sure, evidence(known), rule.cleaning, number=1)
    assert (made.semantic == expected).all()
    assert (made.instance == instances_by_boxes(expected, BOXES.boxes, stuff=())).all()
    assert {0, CAR, 255} <= set(np.unique(expected).tolist()) and len(np.unique(made.instance)) > 2


def test_seeds_and_first_masks_are_united_without_a_model():
    known = sets()
    made = FirstLabels(**WAYS).label(Predictors({}), picture(), known)
    expected = first_labels(known["seeds"].semantic, evidence(known), PUBLISHED)
    assert (made.semantic == expected).all() and made.instance.max() == 3  # a group is none
    assert {0, 1, CAR, 255} <= set(np.unique(expected).tolist())


def test_the_first_masks_are_merged_for_five_rounds_and_not_asked_for_after_them():
    net, known = predictors(segmenter()), sets()
    rounds = {n: NextLabels(**WAYS, number=n, crf=None) for n in (5, 6)}
    fifth, sixth = (rule.label(net, picture(), known).semantic for rule in rounds.values())
    assert (fifth != sixth).any()
    del known["first"]
    assert (rounds[6].label(net, picture(), known).semantic == sixth).all()
    with pytest.raises(BadInput, match=r"named boxes, first, tags; found boxes, tags, seeds\. Add first"):
        rounds[5].label(net, picture(), known)


def test_bought_tags_of_things_are_stricter_than_boxes():
    net, known = predictors(segmenter()), sets(tags=tagged(*TAGS.tags.tolist(), [0, CAR]))
    ways = WAYS | {"cleaning": Cleaning(steps=("tags",)), "number": 1, "crf": None}
    by_boxes, by_tags, anywhere = (
        NextLabels(**ways, thing_tags=by).label(net, picture(), known).semantic == CAR
        for by in ("boxes", "tags", "none")
    )
    assert by_tags.sum() < by_boxes.sum() <= anywhere.sum() and not (by_tags & ~by_boxes).any()
    plain = segmenter().logits.argmax(0).numpy() == CAR
    assert (anywhere == plain).all()


def test_a_scene_that_nobody_was_asked_about_keeps_its_answer():
    plain = segmenter().logits.argmax(0).numpy()
    known = sets(boxes=NOTHING, tags=NOTHING, first=NOTHING)
    made = NextLabels(**WAYS, number=1, crf=None, cleaning=Cleaning(least_score=0.0)).label(
        predictors(segmenter()), picture(), known
    )
    assert (made.semantic == plain).all() and made.instance is None


def test_no_tags_and_no_boxes_leave_nothing():
    """An annotator who saw none of the classes has spoken; whoever was not asked has not."""
    made = NextLabels(**WAYS, number=1, crf=None).label(
        predictors(segmenter()), picture(), sets(boxes=boxed(), tags=tagged())
    )
    assert set(np.unique(made.semantic).tolist()) <= {CAR, 255} and not made.instance.any()
    made = NextLabels(**WAYS, number=6, crf=None).label(
        predictors(segmenter()), picture(), sets(boxes=boxed(), tags=tagged())
    )
    assert (made.semantic == 255).all()


def test_a_diverged_network_is_refused():
    net = segmenter()
    net.logits[1, 3, 4] = float("nan")
    with pytest.raises(Diverged, match="answers of the network must be finite"):
        NextLabels(**WAYS, number=1, crf=None).label(predictors(net), picture(), sets())


def test_bad_input_is_refused():
    net = predictors(segmenter())
    rule = NextLabels(**WAYS, number=1, crf=None)
    with pytest.raises(BadInput, match="found none of these names"):
        rule.label(net, picture(), BOXES)
    with pytest.raises(BadInput, match="Add seeds to the part"):
        FirstLabels(**WAYS, cleaning=PAPER).label(Predictors({}), picture(), {"first": NOTHING, "boxes": BOXES})
    with pytest.raises(BadInput, match="class of a tag must be 0 to 2; found 3"):
        rule.label(net, picture(), sets(tags=tagged([0, 3])))
    with pytest.raises(BadInput, match="rounds are numbered from 1"):
        NextLabels(**WAYS, number=0)


# ------------------------------------------------------------------------------------------------- on both labs


def at_home(home, world, *, kind=LocalLab):
    bench = Bench(device="cpu", threads=1, log_steps=1)
    return open_lab(LabSettings(home=home, world=world, prices="street", hours=100.0, bench=bench), kind=kind)


def trained(lab):
    """From boxes and tags alone: a classifier, a segmenter of first labels, and the label sets on the way."""
    scenes, ways = lab.pool.scenes(), ways_of(lab)
    weak = {"boxes": lab.buy(Boxes(scenes)), "tags": lab.buy(Tags(scenes, TILING, things=False))}
    part = Part(images=lab.pool, labels=weak)
    goal = LearnTags(classifier=LEARNER, things=lab.classes.things, tiling=TILING)
    classifier = lab.train(goal, {"tags": tag_stream(part, 2)}, Plan(steps=2))
    seeds = lab.label(classifier, part, StuffSeeds(tiling=TILING))
    # Boxes as first masks: of boxes to masks the simplest.
    filled = Cleaning(steps=("merge", "fill"), least_coverage=1.0)
    given = Part(images=lab.pool, labels=weak | {"first": seeds, "seeds": seeds})
    weak |= {"first": lab.label(None, given, FirstLabels(**ways, cleaning=filled))}
    first = lab.label(None, Part(images=lab.pool, labels=weak | {"seeds": seeds}), FirstLabels(**ways))
    stream = Stream(parts=(Part(images=lab.pool, labels=first),), batch=2)
    model = lab.train(CrossEntropy(network=learning(SEGMENTER)), {"labelled": stream}, Plan(steps=2))
    return classifier, model, weak, first


def ways_of(lab):
    return {"things": lab.classes.things, "num_classes": len(lab.classes), "tiling": TILING}


def labelled(lab):
    """Seeds, first labels and the next ones of each scene, as (map, instances)."""
    classifier, model, weak, first = trained(lab)
    part = Part(images=lab.pool, labels=weak)
    seeds = lab.label(classifier, part, StuffSeeds(tiling=TILING, share=0.4))
    after = lab.label(model, part, NextLabels(**ways_of(lab), number=1, cleaning=Cleaning(least_score=0.3)))
    sets_made = [[each.labels(scene) for scene in lab.pool.scenes()] for each in (seeds, first, after)]
    return [[(one.semantic, one.instance) for one in made] for made in sets_made], lab.spent


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("cleaning") / "toy", target_train=3, target_val=1)


@pytest.fixture(scope="module")
def local(world, tmp_path_factory):
    with at_home(tmp_path_factory.mktemp("local"), world) as lab:
        return labelled(lab)


@pytest.mark.slow
def test_boxes_and_tags_alone_give_labels_with_instances(local):
    maps, spent = local
    assert 0 < spent < 3600
    for (seeds, no_ids), (first, first_ids), (after, after_ids) in zip(*maps, strict=True):
        assert no_ids is None and CAR not in seeds and (first != after).any()
        for made, ids in ((first, first_ids), (after, after_ids)):
            assert ids.max() >= 1 and (made[ids > 0] == CAR).all()


@pytest.mark.ray
@pytest.mark.slow
def test_both_labs_clean_alike(world, local, tmp_path, ray_here):
    """With the same networks, which the local lab has trained there; seeds and cleaned answers are Ray's."""
    from segfrontier.lab._ray import RayLab

    with at_home(tmp_path, world) as lab:
        trained(lab)
    with at_home(tmp_path, world, kind=RayLab) as lab:
        maps, spent = labelled(lab)
    assert spent == local[1]
    np.testing.assert_equal(maps, local[0])
