"""Model-based sampling: near-equal image counts of the classes, nested, one pick at a time."""

import numpy as np
import pytest
import torch
from coarsehere import BENCH
from toylab import Tiny, toy_lab
from toyworld import TOY

from segfrontier.errors import Diverged
from segfrontier.lab import Looking, Predictor
from segfrontier_methods.supervised.sampler import PredictedContent, near_equal_order, order_by_content


def tails(seed, images=300):
    """Presence of eight classes, each half as frequent as the one before."""
    rng = np.random.default_rng(seed)
    return rng.random((images, 8)) < 0.9 * 0.5 ** np.arange(8)


@pytest.mark.parametrize("seed", range(4))
def test_classes_are_seen_in_nearly_as_many_images(seed):
    present = tails(seed)
    start = list(range(10))
    order = list(near_equal_order(present, start))
    assert sorted([*start, *order]) == list(range(300)), "every image once"
    total, chosen, uniform = (present[list(rows)].sum(0) for rows in (range(300), [*start, *order[:50]], range(60)))
    plenty = [k for k in range(1, 8) if total[k] >= 40]  # class 0 is in nearly every image: no choice avoids it
    assert np.ptp(chosen[plenty]) <= 3 < np.ptp(uniform[plenty])
    scarce = [k for k in range(8) if total[k] <= chosen[plenty].min()]
    assert scarce and (chosen[scarce] == total[scarce]).all(), "of what is scarce, all there is"


@pytest.mark.parametrize("seed", range(3))
def test_each_pick_shows_the_rarest_class_that_is_left(seed):
    present = tails(seed, images=40)
    seen, left = present[:3].sum(0), set(range(3, 40))
    for pick in near_equal_order(present, [0, 1, 2]):
        counts = {k: int(seen[k]) for k in range(8) if any(present[i, k] for i in left)}
        if counts:
            rarest = min(counts, key=lambda k: (counts[k], k))
            assert present[pick, rarest]
            behind = {i: round((present[i] * (seen.mean() - seen)).sum() * 8) for i in left if present[i, rarest]}
            assert behind[pick] == max(behind.values()) and pick == min(i for i in behind if behind[i] == behind[pick])
        seen, left = seen + present[pick], left - {pick}


def test_equal_content_keeps_the_order_given():
    assert list(near_equal_order(np.ones((5, 2), bool), [2])) == [0, 1, 3, 4]
    assert list(near_equal_order(np.zeros((3, 2), bool), [])) == [0, 1, 2]


def test_the_gauge_measures_shares_of_predicted_pixels():
    predictor = Predictor.of(Tiny(norm=False).build(seed=0).eval(), TOY, device=torch.device("cpu"))
    image = np.random.default_rng(0).integers(0, 255, (12, 18, 3)).astype(np.uint8)
    share = PredictedContent().measure(predictor, image, None)["share"]
    labels = predictor.look(image, Looking()).scores_NKHW.argmax(1)
    assert share.dtype == np.float32 and share.sum() == pytest.approx(1)
    assert share == pytest.approx([(labels == k).float().mean().item() for k in range(3)])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_diverged_shows_no_classes(value):
    network = Tiny(norm=False).build(seed=0).eval()
    with torch.no_grad():
        next(iter(network.parameters())).fill_(value)
    predictor = Predictor.of(network, TOY, device=torch.device("cpu"))
    with pytest.raises(Diverged, match="must be finite numbers; found NaN or infinity"):
        PredictedContent().measure(predictor, np.full((12, 18, 3), 9, np.uint8), None)


def test_the_order_begins_with_the_first_set_and_holds_every_scene_once(toy_world, tmp_path):
    from toylab import Plain, fine_part

    from segfrontier.lab import Plan, Stream

    with toy_lab(tmp_path / "home", toy_world, bench=BENCH) as lab:
        stream = Stream(parts=(fine_part(toy_world, tmp_path / "labels"),), batch=2)
        model = lab.train(Plain(), {"labelled": stream}, Plan(steps=2))
        order = order_by_content(lab, model, lab.shuffled(), first=2, present_above=0.0)
        assert order[:2] == lab.shuffled()[:2] and sorted(order) == sorted(lab.shuffled())
        assert order == order_by_content(lab, model, lab.shuffled(), first=2, present_above=0.0)
        part = order_by_content(lab, model, lab.shuffled(), first=2, present_above=0.0, wanted=3)
        assert part == order[:5], "a part of the order is its beginning"
