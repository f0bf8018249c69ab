"""The panoptic network of weak_panoptic, how it learns, and what its rule makes of an image."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from instancehere import CAR, DETECTOR, SEGMENTER, learning, mean_of_shares, moment

from segfrontier.errors import BadInput
from segfrontier.lab import Batch, Detections, SceneLabels, Sgd
from segfrontier.lab.objective import Nets
from segfrontier.models.blueprints import described, rebuilt
from segfrontier_methods.weak_panoptic.instance_crf import Boxed, PanopticSpec, Semantic
from segfrontier_methods.weak_panoptic.instances import united_labels
from segfrontier_methods.weak_panoptic.matched import PANOPTIC, MatchedInstances

SPEC = PanopticSpec(segmenter=SEGMENTER, detector=DETECTOR, stuff=(0, 1))
NONE = Detections(label=np.zeros(0, np.uint8), score=np.zeros(0, np.float32), mask=np.zeros((0, 12, 16), np.bool_))


def cars(*boxes, score=0.9):
    masks = np.zeros((len(boxes), 12, 16), np.bool_)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    return Detections(
        label=np.full(len(boxes), CAR, np.uint8), score=np.full(len(boxes), score, np.float32), mask=masks
    )


def batch(seed, *found, known=True):
    """Two cars in each image, numbered at random, on ground below a wall; a strip of void."""
    torch.manual_seed(seed)
    label = torch.zeros(len(found), 12, 16, dtype=torch.long)
    label[:, :6] = 1
    label[:, :, :2] = 255
    instance = torch.zeros_like(label)
    for image, first in enumerate((5, 3, 8, 1)[: len(found)]):
        label[image, 4:9, 3:7] = label[image, 4:9, 9:14] = CAR
        instance[image, 4:9, 3:7], instance[image, 4:9, 9:14] = first, 11 - first
    if not known:
        label[:] = 255
    labels = {"detections": [SceneLabels(size=(12, 16), detections=each) for each in found]}
    return Batch(torch.rand(len(found), 3, 12, 16), label, instance, [str(i) for i in range(len(found))], labels=labels)


def goal(**changes):
    return MatchedInstances(panoptic=learning(replace(SPEC, **changes.pop("spec", {}))), **changes)


def loss_of(net, objective, shown, at):
    (loss,) = objective.step(Nets({PANOPTIC: net}, {PANOPTIC: net}, {}), {"masks": shown}, at)
    return loss.value


BOTH = cars((3, 4, 7, 9), (9, 4, 14, 9))


def test_the_loss_does_not_mind_how_instances_are_numbered():
    net = SPEC.build(seed=0).eval()
    shown = batch(0, BOTH, BOTH)
    other = shown._replace(instance=torch.where(shown.instance > 0, 40 - shown.instance, 0))
    first, second = (loss_of(net, goal(), each, moment()) for each in (shown, other))
    assert first == second > 0


def test_the_loss_is_that_of_the_whole_batch_however_it_is_cut():
    net, objective = SPEC.build(seed=0).eval(), goal(semantic=0.5)
    whole = batch(0, BOTH, cars((3, 4, 7, 9)))
    label = whole.label.clone()
    label[1, :, 5:] = 255  # shares of unlike mass
    whole = whole._replace(label=label)
    halves = [
        whole._replace(
            image=whole.image[i : i + 1], label=label[i : i + 1], instance=whole.instance[i : i + 1],
            scene=whole.scene[i : i + 1], labels={"detections": whole.labels["detections"][i : i + 1]},
        )
        for i in range(2)
    ]  # fmt: skip
    value = loss_of(net, objective, whole, moment())
    torch.testing.assert_close(mean_of_shares(lambda s, at: loss_of(net, objective, s, at), halves), value)
    mine = mean_of_shares(lambda s, at: loss_of(net, objective, s, at).detach(), halves)
    assert mine != sum(loss_of(net, objective, half, moment()) for half in halves).item() / 2


@pytest.mark.parametrize("found", [NONE, BOTH, cars((3, 4, 7, 9), (3, 4, 7, 9))])  # nothing, both, the same one twice
@pytest.mark.parametrize("known", [True, False])
def test_every_weight_that_learns_has_a_gradient_whatever_is_found_and_known(found, known):
    for learns, parts in (("all", {"segmenter", "terms"}), ("crf", {"terms"})):
        objective = goal(spec={"learns": learns})
        net = objective.panoptic.blueprint.build(seed=0).train()
        loss = loss_of(net, objective, batch(1, found, known=known), moment())
        assert torch.isfinite(loss) and (loss > 0) == known
        loss.backward()
        learned = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
        assert learned == parts and not net.detector.training
        assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


def test_a_world_without_stuff_and_finds_teaches_nothing_and_shows_nothing():
    spec = replace(SPEC, stuff=())
    net = spec.build(seed=0).eval()
    shown = batch(2, NONE)
    loss = loss_of(net, MatchedInstances(panoptic=learning(spec)), shown, moment())
    assert loss == 0
    loss.backward()
    made = united_labels(torch.zeros(0, 12, 16), torch.full((3, 12, 16), 1 / 3), NONE, spec, rank="confidence")
    assert (made.semantic == 255).all() and not made.instance.any() and not len(made.detections.label)


def test_the_two_weights_learn_so_much_faster_and_stay_above_zero():
    net = SPEC.build(seed=0)
    optimiser = torch.optim.SGD([net.terms["box"]], lr=0.01)
    (3 * net.weight("box")).backward()
    optimiser.step()
    assert net.weight("box").item() == pytest.approx(1 - 10 * 0.01 * 3)
    net.terms["box"].data.fill_(-5.0)
    assert net.weight("box") == 0
    assert replace(SPEC, box_term=False).build(seed=0).weight("box") == 0.0


def test_without_detections_it_answers_as_its_segmenter():
    net, images = SPEC.build(seed=0).eval(), torch.rand(1, 3, 12, 16)
    answer = net(images)
    assert isinstance(answer, Semantic)
    torch.testing.assert_close(answer.mean_logits, net.segmenter(images).mean_logits)


def test_maps_and_instances_are_the_likeliest_labels_and_ranked_as_asked():
    """Three finds: the second one owns no pixel, so it is no instance; the third is instance 2."""
    found = cars((0, 0, 4, 4), (0, 0, 4, 4), (8, 0, 12, 4), score=0.5)
    found = replace(found, score=np.array([0.5, 0.75, 0.25], np.float32))
    scores = torch.zeros(5, 12, 16)  # the three, ground, wall
    scores[3, 6:], scores[4, :6] = 1.0, 1.0
    scores[0, :4, :4] = scores[2, :4, 8:12] = 2.0
    probs = torch.full((3, 12, 16), 0.25)
    probs[CAR, :4, :4], probs[CAR, :4, 8:12] = 0.4, 0.6
    made = united_labels(scores, probs, found, SPEC, rank="detection")
    assert made.semantic[0, 0] == CAR == made.semantic[0, 9] and made.semantic[0, 5] == 1 and made.semantic[11, 0] == 0
    assert made.instance[0, 0] == 1 and made.instance[0, 9] == 2 and np.unique(made.instance).tolist() == [0, 1, 2]
    assert made.detections.label.tolist() == [CAR, CAR, 0, 1]
    assert made.detections.score.tolist() == [0.5, 0.25, 1.0, 1.0]
    sure = united_labels(scores, probs, found, SPEC, rank="confidence")
    np.testing.assert_allclose(sure.detections.score, [0.4, 0.6, 0.25, 0.25], rtol=1e-6)
    for one in (made, sure):  # PQ reads the maps, which no ranking changes
        np.testing.assert_array_equal(one.semantic, made.semantic)
        np.testing.assert_array_equal(one.instance, made.instance)
    assert made.detections.mask.sum() == 12 * 16


def test_half_precision_is_united_in_full():
    net = SPEC.build(seed=0).eval()
    scores = net.unite(torch.randn(3, 12, 16).half(), torch.rand(3, 12, 16), Boxed.of(BOTH, torch.device("cpu")))
    assert scores.dtype == torch.float32 and scores.shape == (4, 12, 16) and torch.isfinite(scores).all()


def test_it_is_plain_values_and_wrong_ones_are_refused():
    assert rebuilt(*described(SPEC), packages=("segfrontier_methods",)) == SPEC
    for wrong in ({"stuff": (CAR,)}, {"box_term": False, "global_term": False}, {"eps": 0.0}, {"weights_lr": 0.0}):
        with pytest.raises(BadInput, match="an instance CRF needs"):
            replace(SPEC, **wrong)
    with pytest.raises(BadInput, match="trains a PanopticSpec"):
        MatchedInstances(panoptic=replace(learning(SEGMENTER), optimiser=Sgd(lr=0.1)))
    net = SPEC.build(seed=0)
    for wrong in ({"instance": None}, {"labels": {}}):
        with pytest.raises(BadInput, match="needs an instance map"):
            loss_of(net, goal(), batch(0, BOTH)._replace(**wrong), moment())
