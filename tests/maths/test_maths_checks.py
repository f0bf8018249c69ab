"""Input that cannot be meant is refused everywhere alike: wrong words, shapes, types, labels, counts, NaN."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from segfrontier import maths
from segfrontier.errors import Diverged, StageError
from segfrontier.maths import InstanceHits, PanopticCounts, TopOfPool, View

LOGITS = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.zeros(2, 4, 5, dtype=torch.long)
MAP = np.zeros((4, 6), np.uint8)
IDS = np.zeros((4, 6), np.uint16)
CONFUSION = maths.confusion_counts(MAP, MAP, num_classes=3)
SCORES = np.array([[0.5, 0.25]], np.float32)
NAN = np.array([[0.5, np.nan]], np.float32)
BOXES = maths.grid_boxes(8, 8, rows=2, columns=2)
OVERLAPS = maths.overlap_maps(MAP, IDS, MAP, IDS, things=(1, 2))
PRESENT, UNIFORM = torch.ones(2, 3, dtype=torch.bool), torch.rand(2, 3)
GLANCE = maths.Glance.of(LOGITS[0], View(), size=(4, 5), seen=(4, 5))
WANTED = torch.ones(4, 5, dtype=torch.bool)


def labels_with(label: int) -> torch.Tensor:
    labels = LABELS.clone()
    labels[0, 1, 2] = label
    return labels


def hits(**changes: Any) -> InstanceHits:
    settings: dict[str, Any] = {"num_classes": 3, "convention": "voc", "thresholds": (0.5,)} | changes
    return maths.instance_hits(OVERLAPS, np.ones(len(OVERLAPS.labels_P)), **settings)


def agreed(**changes: Any) -> torch.Tensor:
    settings: dict[str, Any] = {"glances": [GLANCE], "wanted_HW": WANTED, "above": 0.5} | changes
    return maths.agreed_labels(**settings)


WORDS: dict[str, tuple[Callable[[], object], str]] = {
    "noise": (lambda: maths.boundary_loss(LOGITS, LABELS, noise_NKHW="gauss"), "'gumbel' or None; found 'gauss'"),
    "border": (lambda: maths.boundary_loss(LOGITS, LABELS, border="wrap"), "'one_sided' or 'zero'; found 'wrap'"),
    "border of a thin map": (lambda: maths.boundary_map(LOGITS[..., :1, :1], border="wrap"), "found 'wrap'"),
    "domain": (lambda: maths.domain_loss(LOGITS, "sauce"), "domain must be 'source' or 'target'; found 'sauce'"),
    "mean of": (lambda: agreed(of="probs"), "of must be 'logits' or 'probabilities'; found 'probs'"),
    "views' mean of": (lambda: maths.mean_over_views(lambda x: x, LOGITS, views=[View()], of="probs"), "found 'probs'"),
    "absent": (lambda: maths.mean_iou(CONFUSION, absent="nan"), "'present', 'zero' or 'in_truth'; found 'nan'"),
    "normalisation": (lambda: maths.cross_entropy(LOGITS, LABELS, normalisation="average"), "found 'average'"),
    "selection": (lambda: maths.choose_classes(PRESENT, UNIFORM, selection="all"), "found 'all'"),
    "blend": (lambda: maths.slide(lambda x: x, LOGITS, window=(2, 2), stride=(1, 1), blend="box"), "found 'box'"),
    "ranking": (lambda: maths.average_precision(hits(), ranking="scores"), "'score' or 'oracle'; found 'scores'"),
    "convention": (lambda: hits(convention="coco"), "'din', 'voc' or 'cityscapes'; found 'coco'"),
    "nothing yet": (
        lambda: InstanceHits.zero(num_classes=3, convention="coco", thresholds=(0.5,)),
        "'din', 'voc' or 'cityscapes'; found 'coco'",
    ),
    "in void": (lambda: hits(in_void="ignored"), "'forgotten' or 'false'; found 'ignored'"),
    "rule": (lambda: maths.panoptic_counts(OVERLAPS, num_classes=3, rule="coco"), "found 'coco'"),
    "no rule yet": (lambda: PanopticCounts.zero(num_classes=3, rule="coco"), "found 'coco'"),
    "area of nothing": (lambda: maths.curve_area(np.zeros(0), np.zeros(0), area="auc"), "found 'auc'"),
}

SHAPES: dict[str, tuple[Callable[[], object], str]] = {
    "smaller labels": (
        lambda: maths.boundary_loss(LOGITS, LABELS[:, :3]),
        r"shape \(2, 4, 5\) here; found \(2, 3, 5\)",
    ),
    "more labels": (lambda: maths.boundary_loss(LOGITS, LABELS.repeat(2, 1, 1)), r"found \(4, 4, 5\)"),
    "no image axis": (lambda: maths.boundary_loss(LOGITS[0], LABELS), "axes B K H W"),
    "one noise for all": (lambda: maths.boundary_loss(LOGITS, LABELS, noise_NKHW=LOGITS[:1]), "noise must have the sh"),
    "target": (lambda: maths.cross_entropy(LOGITS, LABELS[:, :3]), r"target must have the shape \(2, 4, 5\)"),
    "weights": (lambda: maths.cross_entropy(LOGITS, LABELS, class_weights_K=torch.ones(4)), r"shape \(3,\) here"),
    "weights of a mass": (lambda: maths.label_mass(LABELS, class_weights_K=torch.ones(1, 3)), "axes K"),
    "one uniform for all": (lambda: maths.choose_classes(PRESENT, UNIFORM[:1], selection="half"), "uniform must have"),
    "chosen of others": (lambda: maths.class_mask(LABELS, PRESENT[:1]), r"found \(1, 3\)"),
    "one mask for all": (lambda: maths.paste(LABELS[:1] == 0, LABELS, LABELS), "a mask must have the shape"),
    "what lies under": (lambda: maths.paste(LABELS == 0, LABELS, LABELS[:1]), "under must have the shape"),
    "a flat map": (lambda: maths.patch_means(np.zeros(8), rows=1, columns=1), "axes H W"),
    "scores of one image": (lambda: maths.top_in_each(SCORES[0], 1), "axes N P"),
    "pixels": (lambda: maths.patch_of(np.zeros(2, int), 4, 4, rows=1, columns=1), "axes n 2"),
    "flat truth": (lambda: maths.boundary_counts(MAP[0], MAP[0], num_classes=2), "axes H W"),
    "another image's view": (lambda: agreed(wanted_HW=WANTED[:3]), r"classes of \(3, 5\) pixels; found \(3, 4, 5\)"),
    "a view of fewer classes": (
        lambda: agreed(glances=[GLANCE, maths.Glance.of(LOGITS[0, :2], View(), size=(4, 5), seen=(4, 5))]),
        r"3 classes of .* found \(2, 4, 5\) in view 2",
    ),
    "a grid too short": (
        lambda: maths.Glance.of(LOGITS[0], View(), size=(4, 5), seen=(8, 10), padded=(8, 9)),
        r"the whole view of \(8, 10\); found \(8, 9\)",
    ),
    "an image without axis": (lambda: maths.apply_view(LOGITS[0], View()), "axes N C H W"),
    "windows that differ": (lambda: slide_with(lambda x: x if x.sum() > 0 else x[:, :1]), "scores of a window must"),
    "views that differ": (lambda: fold_with(1, 3), "scores of a view must have the shape"),
    "flat probabilities": (lambda: maths.self_information(torch.ones(3)), "at least 2 classes on axis 1; found 0"),
    "columns": (
        lambda: maths.precision_recall(np.ones(2), np.ones(2), np.zeros(3), positives=1, join_ties=False),
        r"equally many; found \[2, 2, 3\]",
    ),
    "curve": (lambda: maths.curve_area(np.ones(2), np.ones(3), area="steps"), r"found \[2, 3\]"),
    "states": (
        lambda: maths.TagScores.zero(num_classes=2) + maths.TagScores.zero(num_classes=3),
        r"of one size; found scores_NK of shapes \(0, 2\) and \(0, 3\)",
    ),
    "no states": (lambda: maths.Confusion.total([]), "at least one state; found none"),
}


def slide_with(forward: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    images = torch.ones(1, 3, 4, 4)
    images[..., 2:] = -1
    return maths.slide(forward, images, window=(4, 2), stride=(4, 2))


def fold_with(*channels: int) -> maths.ViewMean:
    answers = iter(channels)
    return maths.mean_over_views(lambda x: x[:, : next(answers)], LOGITS, views=[View()] * len(channels))


LABELS_AND_TYPES: dict[str, tuple[Callable[[], object], str]] = {
    **{
        f"{name} {label}": (
            lambda f=function, label=label: f(labels_with(label)),
            f"or void .255.; found {'' if name.startswith('cross') else '.*'}{label}",
        )
        for label in (-1, 3, 254)
        for name, function in {
            "boundary": lambda labels: maths.boundary_loss(LOGITS, labels),
            "boundary, plainly": lambda labels: maths.boundary_loss(LOGITS, labels, normalise=True),
            "cross-entropy": lambda labels: maths.cross_entropy(LOGITS, labels),
            "cross-entropy without space": lambda labels: maths.cross_entropy(LOGITS[..., 0, 0], labels[:, 1, 2]),
            "mass": lambda labels: maths.label_mass(labels, class_weights_K=torch.ones(3)),
            "present": lambda labels: maths.classes_present(labels, num_classes=3),
            "mask": lambda labels: maths.class_mask(labels, PRESENT),
        }.items()
    },
    "float target": (lambda: maths.cross_entropy(LOGITS, LABELS + 0.5), "target must be integers; found torch.float32"),
    "float mass": (lambda: maths.label_mass(LABELS + 0.5), "must be integers"),
    "float labels": (lambda: maths.boundary_loss(LOGITS, LABELS + 0.5), "must be integers"),
    "float labels to mix": (lambda: maths.classes_present(LABELS + 0.5, num_classes=3), "must be integers"),
    "chosen by number": (lambda: maths.class_mask(LABELS, PRESENT.long()), "truth values; found torch.int64"),
    "present by number": (lambda: maths.choose_classes(PRESENT.float(), UNIFORM, selection="half"), "truth values"),
    "soft mask": (lambda: maths.paste(LABELS + 0.5, LABELS, LABELS), "truth values"),
    "wanted by number": (lambda: agreed(wanted_HW=WANTED.int()), "truth values; found torch.int32"),
    "float ids": (lambda: maths.overlap_maps(MAP, IDS + 0.5, MAP, IDS, things=(1,)), "must be integers; found float64"),
    "ids too large": (
        lambda: maths.overlap_maps(MAP, np.arange(24).reshape(4, 6) << 20, MAP, IDS, things=(1,)),
        "instances must be 0 to 16777215; found 0 to 24117248",
    ),
    "float ids of a prediction": (
        lambda: maths.overlap_maps(MAP, IDS, MAP, IDS.astype(np.float32), things=(1,)),
        "must be integers; found float32",
    ),
    "float pixels": (lambda: maths.patch_of(np.full((1, 2), 0.5), 4, 4, rows=1, columns=1), "must be integers"),
    "soft predicted masks": (
        lambda: maths.overlap_masks(MAP, IDS, np.full((1, 4, 6), 0.3), [1], things=(1,)),
        "masks must be integers",
    ),
    "float mask labels": (
        lambda: maths.overlap_masks(MAP, IDS, np.ones((1, 4, 6), bool), [1.5], things=(1,)),
        "labels must be integers",
    ),
    "void mask": (
        lambda: maths.overlap_masks(MAP, IDS, np.ones((1, 4, 6), bool), [255], things=(1,)),
        "0 to 254; found",
    ),
    "negative mask label": (
        lambda: maths.overlap_masks(MAP, IDS, np.ones((1, 4, 6), bool), [-1], things=(1,)),
        "0 to 254; found",
    ),
    **{
        f"{name} of {classes}": (lambda f=function, c=classes: f(c), "different whole numbers from 0 to")
        for classes in ((-1,), (255,), (1, 1), (0.5,))
        for name, function in {
            "restrict": lambda classes: maths.restrict(CONFUSION, classes=classes),
            "mean": lambda classes: maths.mean_iou(CONFUSION, absent="present", classes=classes),
            "volume": lambda classes: maths.ap_vol(np.ones((3, 2)), classes=classes),
            "things of maps": lambda classes: maths.overlap_maps(MAP, IDS, MAP, IDS, things=classes),
            "things of masks": lambda classes: maths.overlap_masks(MAP, IDS, [], [], things=classes),
            "things of scores": lambda c: maths.panoptic_scores(PanopticCounts.zero(num_classes=3), things=c),
        }.items()
    },
    "double scores": (lambda: TopOfPool(lambda: [SCORES.astype(np.float64)], 1), "must be float32; found float64"),
    "soft tags": (lambda: maths.tag_scores(SCORES, np.array([[0.5, 1]])), "whole number; found fractions"),
}

NUMBERS: dict[str, tuple[Callable[[], object], str]] = {
    "temperature": (lambda: maths.boundary_loss(LOGITS, LABELS, temperature=0), "above 0 and finite; found 0"),
    "boundary threshold": (lambda: maths.boundary_loss(LOGITS, LABELS, threshold=math.nan), "at least 0; found nan"),
    "boundary epsilon": (lambda: maths.boundary_loss(LOGITS, LABELS, epsilon=-1e-6), "epsilon must be at least 0"),
    "epsilon of a map": (lambda: maths.boundary_map(LOGITS, border="zero", epsilon=-1.0), "epsilon must be at least 0"),
    "epsilon of noise": (lambda: maths.gumbel_noise(UNIFORM, epsilon=-1.0), "epsilon must be at least 0"),
    "percent": (lambda: agreed(above=90), r"above must lie in \[0, 1\]; found 90"),
    "no threshold": (lambda: agreed(above=math.nan), r"\[0, 1\]; found nan"),
    "tile": (lambda: agreed(tile=(8, -8)), "each side of a tile must be at least 1; found -8"),
    "void that is no byte": (lambda: agreed(void=-1), r"void must lie in \[0, 255\]; found -1"),
    "k": (lambda: maths.top_in_each(SCORES, -1), "k must be at least 0; found -1"),
    "k of a pool": (lambda: TopOfPool(lambda: [SCORES], -1), "k must be at least 0; found -1"),
    "NaN score": (lambda: maths.top_in_each(NAN, 1), "found NaN"),
    "NaN score in a pool": (lambda: TopOfPool(lambda: [NAN], 1), "0 or more; found nan"),
    "negative score in a pool": (lambda: TopOfPool(lambda: [SCORES, -SCORES], 1), "0 or more; found -0.5"),
    "negative infinity in a pool": (lambda: TopOfPool(lambda: [SCORES, -SCORES / 0], 1), "0 or more; found -inf"),
    "a wrong score behind an endless one": (
        lambda: TopOfPool(lambda: [np.array([np.inf, -0.5], np.float32)], 1),
        "0 or more; found -0.5",
    ),
    "negative score to choose": (lambda: TopOfPool(lambda: [SCORES], 1).choose(-SCORES), "0 or more; found -0.5"),
    "points": (lambda: maths.draw_points(np.random.default_rng(0), BOXES, points=-1), "points must be at least 0"),
    "boxes inside out": (
        lambda: maths.draw_points(np.random.default_rng(0), BOXES[:, [2, 3, 0, 1]], points=1),
        "smallest has 0 pixels",
    ),
    "left": (lambda: maths.patch_of(np.array([[0, 0], [-1, 2]]), 4, 6, rows=2, columns=2), r"6 x 4; found \[-1, 2\]"),
    "below": (lambda: maths.patch_of(np.array([[2, 4]]), 4, 6, rows=2, columns=2), r"6 x 4; found \[2, 4\]"),
    "right": (lambda: maths.patch_of(np.array([[6, 2]]), 4, 6, rows=2, columns=2), r"6 x 4; found \[6, 2\]"),
    "above": (lambda: maths.patch_of(np.array([[2, -1]]), 4, 6, rows=2, columns=2), r"6 x 4; found \[2, -1\]"),
    "dilation": (lambda: maths.boundary_counts(MAP, MAP, num_classes=2, dilation_ratio=-1), "dilation_ratio must be"),
    "bins": (lambda: maths.calibration_counts(SCORES, SCORES > 1, SCORES > 1, num_bins=0), "num_bins must be at least"),
    "no class to see": (lambda: maths.classes_present(LABELS, num_classes=0), "num_classes must be at least 1"),
    "no class to judge": (lambda: hits(num_classes=0), "num_classes must be at least 1"),
    "no class to match": (lambda: maths.panoptic_counts(OVERLAPS, num_classes=0), "num_classes must be at least 1"),
    "small segments": (lambda: hits(convention="cityscapes", min_pixels=-1), "min_pixels must be at least 0"),
    "no threshold of IoU": (lambda: hits(thresholds=()), r"at least one, must lie in \[0, 1\); found \(\)"),
    "IoU in percent": (lambda: hits(thresholds=(50,)), r"\[0, 1\); found \(50,\)"),
    "IoU of 1": (lambda: hits(thresholds=(0.5, 1.0)), r"\[0, 1\); found \(0.5, 1.0\)"),
    "IoU of NaN": (lambda: hits(thresholds=(math.nan,)), r"\[0, 1\); found \(nan,\)"),
    "a choice of voc": (lambda: hits(convention="din", in_void="false"), "is a choice of 'voc'; found 'din'"),
    "NaN tag score": (lambda: maths.tag_scores(NAN, np.ones((1, 2), int)), "found NaN"),
    "nothing to find": (
        lambda: maths.precision_recall(np.ones(1), np.ones(1), np.zeros(1), positives=0, join_ties=False),
        "positives must be at least 1",
    ),
    "NaN in a curve": (
        lambda: maths.precision_recall(NAN[0], np.ones(2), np.zeros(2), positives=1, join_ties=False),
        "is a number",
    ),
    "neither hit nor false": (
        lambda: maths.precision_recall(np.ones(2), np.ones(2), -np.ones(2), positives=1, join_ties=False),
        "hit or false",
    ),
    "scale": (lambda: View(scale=0), "scale of a view must be above 0 and finite; found 0"),
    "scale of NaN": (lambda: maths.make_views(scales=(1.0, math.nan)), "found nan"),
    "endless scale": (lambda: View(scale=math.inf), "above 0 and finite; found inf"),
    "an image without pixels": (lambda: maths.Glance.of(LOGITS[0], View(), size=(4, 0), seen=(4, 5)), "at least 1; f"),
    "a view without pixels": (lambda: maths.Glance.of(LOGITS[0], View(), size=(4, 5), seen=(0, 5)), "at least 1; f"),
    "a grid without cells": (lambda: maths.Glance.of(LOGITS[0, :, :0], View(), size=(4, 5), seen=(4, 5)), "at least 1"),
    "size": (lambda: maths.undo_view(LOGITS, View(), size=(4, 0)), "height and width must be at least 1; found 0"),
    "weights of nothing": (lambda: maths.blend_weights(0, 3, blend="hann"), "height and width must be at least 1"),
    "before the first step": (lambda: maths.warm_up(-1, steps=4, then=maths.constant), "at least 0; found -1 of 4"),
    "a warm-up backwards": (lambda: maths.warm_up(1, steps=-4, then=maths.constant), "at least 0; found 1 of -4"),
}


@pytest.mark.parametrize(
    ("call", "says"),
    [
        pytest.param(*case, id=name)
        for table in (WORDS, SHAPES, LABELS_AND_TYPES, NUMBERS)
        for name, case in table.items()
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_what_cannot_be_meant_is_refused(call: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_answers_that_are_not_finite_make_no_labels(value: float) -> None:
    """Wherever they stand: NaN would be an index, void, or class 0, by the way it is looked at."""
    logits = LOGITS[0].clone()
    logits[1, 2, 3] = value
    wrong = maths.Glance.of(logits, View(), size=(8, 10), seen=(4, 5))
    right = maths.Glance.of(LOGITS[0], View(), size=(8, 10), seen=(4, 5))
    for of in ("logits", "probabilities"):
        with pytest.raises(Diverged, match="the logits of view 2 of 2 must be finite numbers.* has diverged"):
            maths.agreed_labels([right, wrong], torch.ones(8, 10, dtype=torch.bool), above=0.5, of=of)
    with pytest.raises(Diverged, match="the answers must be finite"):
        maths.require_finite("the answers", logits)
    maths.require_finite("the answers", LOGITS)
    maths.require_finite("no answers", logits[:0])
    assert issubclass(Diverged, StageError)


@pytest.mark.parametrize("of", ["logits", "probabilities"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_network_that_diverged_is_not_one_that_is_unsure(of: str, value: float) -> None:
    logits = LOGITS.clone()
    logits[0, 1, 2, 3] = value
    mean = maths.mean_over_views(lambda x: logits, LOGITS, views=[View()], of=of)
    with pytest.raises(Diverged, match="the confidence of a network must be finite"):
        mean.confidence()


def test_no_images_cost_nothing_and_keep_their_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    none = LABELS[:0]
    losses = [
        maths.boundary_loss(logits, none),
        maths.boundary_loss(logits, none, normalise=True, noise_NKHW="gumbel"),
        maths.boundary_loss(logits[..., :0, :], LABELS[:, :0]),
        maths.cross_entropy(logits[:0], none),
        maths.domain_loss(logits[:0], "source"),
    ]
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, logits, retain_graph=True)
        assert loss.item() == 0 and loss.shape == () and torch.equal(gradient, torch.zeros_like(logits))


def test_no_images_give_empty_answers() -> None:
    none = LABELS[:0]
    assert maths.classes_present(none, num_classes=3).shape == (0, 3)
    assert maths.class_mask(none, PRESENT[:0]).shape == (0, 4, 5)
    for selection in ("bernoulli", "half", "half_down", "quarter"):
        assert maths.choose_classes(PRESENT[:0], UNIFORM[:0], selection=selection).shape == (0, 3)
    assert maths.paste(none == 0, LOGITS[:0], LOGITS[:0]).shape == (0, 3, 4, 5)
    assert maths.normalised_entropy(LOGITS[:0].softmax(1)).shape == (0, 4, 5)
    assert maths.boundary_map(LOGITS[:0], border="zero").shape == (0, 3, 4, 5)
    assert maths.draw_points(np.random.default_rng(0), BOXES[:0], points=3).shape == (0, 3, 2)
    assert maths.patch_of(np.zeros((0, 2), int), 4, 4, rows=2, columns=2).shape == (0,)
    assert maths.top_in_each(SCORES[:0], 1).shape == (0, 2)
    assert TopOfPool(list, 2).choose(SCORES[:0]).shape == (0, 2)
    assert maths.boundary_counts(MAP[:0], MAP[:0], num_classes=2) == maths.BoundaryCounts.zero(num_classes=2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_every_type_are_seen_alike(dtype: torch.dtype) -> None:
    labels = labels_with(255).to(dtype)
    labels[1, 0, 0] = 2
    assert maths.classes_present(labels, num_classes=3).tolist() == [[True, False, False], [True, False, True]]
    mask = maths.class_mask(labels, torch.tensor([[True, False, False], [False, True, True]]))
    assert mask[0].sum() == 19 and mask[1].sum() == 1 and not mask[0, 1, 2] and mask[1, 0, 0]
    assert maths.boundary_loss(LOGITS, labels).item() == maths.boundary_loss(LOGITS, labels.long()).item()
    assert maths.cross_entropy(LOGITS, labels).item() == maths.cross_entropy(LOGITS, labels.long()).item()


def test_void_may_have_another_number() -> None:
    labels = labels_with(-1)
    assert torch.equal(
        maths.classes_present(labels, num_classes=3, void=-1),
        maths.classes_present(labels_with(255), num_classes=3),
    )
    assert not maths.class_mask(labels, PRESENT, void=-1)[0, 1, 2]
    assert not maths.class_mask(labels_with(1), PRESENT, void=1)[0, 1, 2], "also where a class would have it"


def test_unsigned_scores_are_ranked_like_others() -> None:
    assert maths.top_in_each(np.array([[3, 0, 200]], np.uint8), 1).tolist() == [[False, False, True]]


def test_the_edges_of_what_is_allowed() -> None:
    one = torch.zeros(1, 2, 2)
    glance = maths.Glance.of(one[:, :1, :1], View(), size=(1, 1), seen=(1, 1), padded=(1, 1))
    wanted = WANTED[:1, :1]
    for above, inclusive, void, expected in ((1, True, 0, 0), (0, False, 255, 0), (1, False, 255, 255)):
        found = maths.agreed_labels([glance], wanted, above=above, inclusive=inclusive, void=void, tile=(1, 1))
        assert found.tolist() == [[expected]]
    many = maths.Glance.of(torch.arange(255.0).view(-1, 1, 1), View(), size=(1, 1), seen=(1, 1))
    assert maths.agreed_labels([many], wanted, above=0.5).tolist() == [[254]]
    more = maths.Glance.of(torch.arange(256.0).view(-1, 1, 1), View(), size=(1, 1), seen=(1, 1))
    with pytest.raises(ValueError, match=r"labels are bytes, must lie in \[1, 255\]; found 256"):
        maths.agreed_labels([more], wanted, above=0.5)
    assert maths.draw_points(np.random.default_rng(0), BOXES, points=0).shape == (4, 0, 2)
    assert maths.cross_entropy(LOGITS[:, :1], LABELS).item() == maths.boundary_loss(LOGITS[:, :1], LABELS).item() == 0
    assert maths.classes_present(LABELS, num_classes=1).tolist() == [[True], [True]]
    alone = maths.overlap_maps(MAP, IDS, MAP, IDS, things=())
    assert maths.panoptic_counts(alone, num_classes=1).matched_C.tolist() == [1]
    least = maths.instance_hits(
        alone, [1.0], num_classes=1, convention="cityscapes", thresholds=(0.0, 0.99), min_pixels=0
    )
    assert least.hits_PI.tolist() == [[1, 1]]
    assert maths.overlap_masks(MAP, IDS, [MAP == 0, MAP + 1], [0, 254], things=[0, 254]).areas_P.tolist() == [24, 24]
    assert maths.boundary_counts(MAP, MAP, num_classes=1, dilation_ratio=0).truth_C.tolist() == [16], "1 pixel at least"
    assert maths.gumbel_noise(torch.tensor(0.5), epsilon=0).item() == pytest.approx(-math.log(math.log(2)))
    assert maths.per_epoch(3, steps_per_epoch=1, then=lambda epoch: epoch / 4) == 0.75
    assert maths.warm_up(0, steps=1, then=maths.constant) == 0 and maths.warm_up(0, steps=0, then=maths.constant) == 1
