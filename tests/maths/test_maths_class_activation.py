"""Grad-CAM by the fact sheet's vector, in closed form against autograd, and seeds from maps that overlap."""

import numpy as np
import pytest
import torch

from segfrontier.maths import PlacedMask, cam_masks, grad_cam, linear_cam, smaller_wins


def test_the_vector_of_the_fact_sheet():
    activations = torch.tensor([[[1.0, 2], [3, 4]], [[4, 0], [0, 0]]])
    gradients = torch.tensor([[[0.5, 0.5], [0.5, 0.5]], [[-1, 0], [0, 0]]])
    cam = grad_cam(activations, gradients)
    assert cam.tolist() == [[0, 1], [1.5, 2]]  # 0.5 - 1 is cut off at 0
    assert cam_masks(cam[None].numpy(), share=0.5)[0].tolist() == [[False, True], [True, True]]


def test_no_minimum_is_subtracted():
    """Less the minimum, 6 would be 1 of 5, and not reach half."""
    assert cam_masks(np.array([[[5.0, 6, 10, 4.99]]]), share=0.5).tolist() == [[[True, True, True, False]]]


def test_a_map_without_evidence_marks_nothing_also_at_a_share_of_zero():
    assert not cam_masks(np.zeros((2, 3, 3), np.float32), share=0.5).any()
    assert cam_masks(np.array([[[0.0, 0.1, 2]]]), share=0.0).tolist() == [[[False, True, True]]]


def test_the_closed_form_is_what_autograd_gives_for_logits():
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(1, 6, 3, 5, generator=rng).requires_grad_()
    weight, bias = torch.randn(4, 6, generator=rng), torch.randn(4, generator=rng)
    logits = torch.nn.functional.linear(features.mean(dim=(2, 3)), weight, bias)[0]
    cams = linear_cam(features.detach()[0], weight)
    for label, logit in enumerate(logits):
        (gradient,) = torch.autograd.grad(logit, features, retain_graph=True)
        torch.testing.assert_close(cams[label], grad_cam(features.detach()[0], gradient[0]))
    assert (cams > 0).any(dim=(1, 2)).all() and (cams == 0).any()


def placed(masks, labels):
    return [PlacedMask(mask, label) for mask, label in zip(masks, labels, strict=True)]


def test_of_overlapping_maps_the_smaller_wins_and_of_equal_ones_the_first():
    masks = np.zeros((3, 2, 4), np.bool_)
    masks[0] = True
    masks[1, :, 1:3] = True
    masks[2, 0, 1:4] = masks[2, 1, 3] = True
    labels = smaller_wins(placed(masks, (7, 2, 5)), size=(2, 4))
    assert labels.tolist() == [[7, 2, 2, 5], [7, 2, 2, 5]] and labels.dtype == np.uint8
    assert (smaller_wins([], size=(2, 4)) == 255).all()


def test_area_is_counted_before_overlaps_are_settled():
    """The first has more pixels of its own once the others are laid over it, and still gives way."""
    masks = np.zeros((3, 1, 8), np.bool_)
    masks[0, 0, :5] = True
    masks[1, 0, 3:7] = True
    masks[2, 0, 5:8] = True
    assert smaller_wins(placed(masks, (0, 1, 2)), size=(1, 8)).tolist() == [[0, 0, 0, 1, 1, 2, 2, 2]]


def test_masks_of_windows_are_laid_where_these_are():
    masks = [PlacedMask(np.ones((2, 3), np.bool_), 1), PlacedMask(np.ones((1, 2), np.bool_), 0, (1, 2))]
    assert smaller_wins(masks, size=(3, 5)).tolist() == [[1, 1, 1, 255, 255], [1, 1, 0, 0, 255], [255] * 5]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="activations' shape"):
        grad_cam(torch.zeros(2, 3, 3), torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match="share of the maximum must lie in"):
        cam_masks(np.zeros((1, 2, 2)), share=1.1)
    with pytest.raises(ValueError, match=r"place in the image must lie in \[0, 1\]; found 2"):
        smaller_wins([PlacedMask(np.ones((2, 2), np.bool_), 0, (0, 2))], size=(3, 3))
