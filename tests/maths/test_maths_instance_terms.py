"""The unary of the instance CRF and the permutation-matched loss, by hand and by brute force."""

from itertools import permutations
from math import exp, log

import numpy as np
import pytest
import torch

from segfrontier.maths import (
    DIN,
    DenseCRF,
    instance_evidence,
    matched_cross_entropy,
    mean_field,
    permuted_targets,
)

EPS = 1e-6


def evidence(probs, masks, labels, scores, **more):
    settings = {"stuff": (0,), "box_weight": 2.0, "global_weight": 0.5, "eps": EPS} | more
    return instance_evidence(
        torch.tensor(probs, dtype=torch.float64), torch.tensor(masks, dtype=torch.bool).reshape(len(labels), 1, 2),
        torch.tensor(labels, dtype=torch.long), torch.tensor(scores, dtype=torch.float64), **settings,
    )  # fmt: skip


PROBS = [[[0.7, 0.2]], [[0.3, 0.8]]]


def test_the_unary_is_the_paper_s_formula():
    found = evidence(PROBS, [[True, False]], [1], [0.5])
    want = [
        [log(2 * 0.5 * 0.3 + 0.5 * 0.3 + EPS), log(0.5 * 0.8 + EPS)],  # the second pixel lies outside the box
        [log(2 * 0.7 + 0.5 * 0.7 + EPS), log(2 * 0.2 + 0.5 * 0.2 + EPS)],  # the dummy: score 1, the whole image
    ]
    np.testing.assert_allclose(found[:, 0].numpy(), want, rtol=1e-12)


@pytest.mark.parametrize(("score", "coded"), [(0.0, 0.2689), (0.5, 0.5), (0.7, 0.5987), (1.0, 0.7311)])
def test_the_code_s_scores_are_those_of_its_layer(score, coded):
    found = evidence(PROBS, [[True, True]], [1], [score], score="code", box_weight=1.0, global_weight=0.0, eps=0.0)
    np.testing.assert_allclose(found[0, 0].exp() / torch.tensor([0.3, 0.8]), coded, atol=5e-5)
    assert coded == pytest.approx(exp(score) / (exp(score) + exp(1 - score)), abs=5e-5)
    np.testing.assert_allclose(found[1, 0].exp() / torch.tensor([0.7, 0.2]), 0.7311, atol=5e-5)  # the dummy's


def test_no_detection_leaves_the_dummies_and_no_stuff_nothing():
    assert evidence(PROBS, [], [], []).shape == (1, 1, 2)
    assert evidence(PROBS, [], [], [], stuff=()).shape == (0, 1, 2)
    off = evidence(PROBS, [], [], [], boxed_stuff=False)
    np.testing.assert_allclose(off[0, 0].exp(), [0.35 + EPS, 0.1 + EPS])


def test_a_probability_of_zero_is_finite_because_of_eps():
    assert torch.isfinite(evidence([[[0.0, 1.0]], [[1.0, 0.0]]], [[True, True]], [1], [0.0])).all()


@pytest.mark.parametrize("crf", [None, DIN])
def test_gradients_reach_the_logits_and_both_weights(crf):
    torch.manual_seed(0)
    image = 255 * torch.rand(3, 3, 4, dtype=torch.float64)
    masks = torch.zeros(2, 3, 4, dtype=torch.bool)
    masks[0, :2, :2] = masks[1, 1:, 2:] = True

    def scores(logits, box, whole):
        found = instance_evidence(
            logits.softmax(0), masks, torch.tensor([1, 1]), torch.tensor([0.9, 0.6]), stuff=(0,), box_weight=box,
            global_weight=whole, eps=EPS,
        )  # fmt: skip
        return found if crf is None else mean_field(found, image, crf, by="exact")

    logits = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    weights = (torch.tensor(1.0, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(scores, (logits, *weights))


def test_the_crf_unites_what_boxes_alone_leave_apart():
    """A pixel of the object's colour that the box just misses goes with the object."""
    image = torch.tensor([[200.0, 200, 200, 200, 20, 20]]).expand(3, 1, 6)
    probs = torch.tensor([[[0.3, 0.2, 0.2, 0.55, 0.9, 0.9]], [[0.7, 0.8, 0.8, 0.45, 0.1, 0.1]]])
    box = torch.tensor([[[True, True, True, False, False, False]]])
    found = instance_evidence(
        probs, box, torch.tensor([1]), torch.tensor([0.9]), stuff=(0,), box_weight=1.0, global_weight=1.0, eps=EPS
    )
    crf = DenseCRF(
        iterations=3, spatial_weight=0.0, spatial_xy=3.0, bilateral_weight=4.0, bilateral_xy=49.0, bilateral_rgb=5.0,
        normalisation="after",
    )  # fmt: skip
    assert found.argmax(0).tolist() == [[0, 0, 0, 1, 1, 1]]
    assert mean_field(found, image, crf, by="exact").argmax(0).tolist() == [[0, 0, 0, 0, 1, 1]]


def best_by_brute_force(predicted, classes, truth, instance, things):
    """The largest summed IoU of any one-to-one matching, over all permutations."""
    total = 0.0
    for c in things:
        own = [i for i, k in enumerate(classes) if k == c]
        ids = [n for n in np.unique(instance[truth == c]) if n > 0]
        iou = np.zeros((len(ids), len(own) + len(ids)))
        for t, number in enumerate(ids):
            for j, label in enumerate(own):
                a, b = (truth == c) & (instance == number), (predicted == label) & (truth != 255)
                iou[t, j] = (a & b).sum() / max((a | b).sum(), 1)
        orders = permutations(range(iou.shape[1]), len(ids))
        total += max(sum(iou[t, j] for t, j in enumerate(order)) for order in orders)
    return total


@pytest.mark.parametrize("seed", range(8))
def test_the_matching_has_the_largest_summed_iou_of_all(seed):
    rng = np.random.default_rng(seed)
    classes, things = [1, 1, 2, 1, 0], (1, 2)
    predicted = rng.integers(0, 5, (6, 7))
    truth = rng.choice([0, 1, 2, 255], (6, 7)).astype(np.uint8)
    instance = np.where((truth == 1) | (truth == 2), rng.integers(0, 3, (6, 7)), 0)
    targets = permuted_targets(predicted, classes, truth, instance, things=things)
    total = 0.0
    for label, c in enumerate(classes[:4]):
        a, b = targets == label, (predicted == label) & (truth != 255)
        if a.any():
            assert len(np.unique(instance[a])) == 1 and (truth[a] == c).all() and (a & b).any()
            total += (a & b).sum() / (a | b).sum()
    assert total == pytest.approx(best_by_brute_force(predicted, classes, truth, instance, things))
    assert (targets[truth == 255] == -1).all() and ((targets == 4) == (truth == 0)).all()
    assert (targets[((truth == 1) | (truth == 2)) & (instance == 0)] == -1).all()  # a crowd


def test_surplus_truth_is_void_and_so_is_what_no_prediction_meets():
    predicted = np.array([[0, 0, 0, 1, 1, 2]])
    truth, instance = np.array([[1, 1, 1, 1, 1, 3]]), np.array([[7, 7, 9, 9, 9, 0]])
    # One label for two instances: the one it overlaps more has it (2 of 3 against 1 of 5 pixels).
    assert permuted_targets(predicted, [1, 0, 2], truth, instance, things=(1,)).tolist() == [[0, 0, -1, -1, -1, -1]]
    # Two labels for them, one of which is nobody's.
    missed = permuted_targets(np.zeros((1, 6), int), [1, 1], truth, instance, things=(1,))
    assert missed.tolist() == [[-1, -1, 0, 0, 0, -1]]


def test_the_loss_is_cross_entropy_of_matched_pixels_and_zero_of_none():
    scores = torch.randn(3, 1, 4, requires_grad=True)
    loss, count = matched_cross_entropy(scores, torch.tensor([[2, -1, 0, -1]]))
    want = -scores.log_softmax(0)
    torch.testing.assert_close(loss, want[2, 0, 0] + want[0, 0, 2])
    assert count == 2
    for empty in (scores, scores[:0]):
        loss, count = matched_cross_entropy(empty, torch.full((1, 4), -1))
        scores.grad = None
        loss.backward()
        assert loss == 0 == count and not scores.grad.any()
