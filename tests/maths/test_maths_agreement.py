"""Labels on which views agree: tile by tile the same as with every view's logits at full size."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths import Glance, View, agreed_labels, six_views, undo_view

SIZES = [((12, 20), 4), ((37, 50), 4), ((9, 7), 1), ((40, 64), 8)]


def canned(
    size: tuple[int, int], stride: int, view: View, seed: int
) -> tuple[Tensor, tuple[int, int], tuple[int, int]]:
    """A network's answer on its own grid, which covers the view padded to a multiple of the stride."""
    seen = tuple(max(1, round(side * view.scale)) for side in size)
    padded = tuple(side + -side % stride for side in seen)
    smooth = torch.randn(1, 5, 3, 4, generator=torch.Generator().manual_seed(seed)) * 6
    logits = F.interpolate(smooth, size=tuple(side // stride for side in padded), mode="bilinear")
    return (logits.flip(-1) if view.flip else logits), seen, padded


def plainly(size: tuple[int, int], stride: int, align: bool, of: str) -> tuple[Tensor, Tensor, Tensor]:
    """Agreement, class and confidence, with all views' scores at full size at once."""
    volumes = []
    for i, view in enumerate(six_views()):
        logits, seen, padded = canned(size, stride, view, seed=i // 3)
        full = F.interpolate(logits, size=padded, mode="bilinear", align_corners=align)[..., : seen[0], : seen[1]]
        volumes.append(undo_view(full, view, size=size))
    stacked = torch.cat(volumes)
    classes = stacked.argmax(1)
    mean = stacked.softmax(1).mean(0) if of == "probabilities" else stacked.mean(0).softmax(0)
    return (classes == classes[0]).all(0), classes[0], mean.amax(0)


@pytest.mark.parametrize(("size", "stride"), SIZES)
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("of", ["logits", "probabilities"])
def test_tiles_equal_full_volumes(size: tuple[int, int], stride: int, align: bool, of: str) -> None:
    glances = []
    for i, view in enumerate(six_views()):
        logits, seen, padded = canned(size, stride, view, seed=i // 3)
        glances.append(Glance.of(logits[0], view, size=size, seen=seen, padded=padded, align_corners=align))
    found = agreed_labels(glances, torch.ones(size, dtype=torch.bool), above=0.9, of=of, tile=(8, 16))
    agree, classes, sure = plainly(size, stride, align, of)
    expected = torch.where(agree & (sure > 0.9), classes, 255)
    clear = (sure - 0.9).abs() > 1e-4  # a rounding error away from the threshold either answer is right
    assert torch.equal(found[clear].long(), expected[clear])
    assert clear.float().mean() > 0.99 and 0.02 < (found != 255).float().mean() < 0.98


def of_answers(*answers: tuple[float, ...]) -> list[Glance]:
    return [Glance.of(torch.tensor(answer).view(-1, 1, 1), View(), size=(1, 1), seen=(1, 1)) for answer in answers]


def label(*answers: tuple[float, ...], **knobs) -> int:
    return agreed_labels(of_answers(*answers), torch.ones(1, 1, dtype=torch.bool), **({"above": 0.9} | knobs)).item()


def test_facts_0e_logit_and_probability_means_decide_differently() -> None:
    answers = [(6.0, 0.0, 0.0)] * 5 + [(0.1, 0.0, 0.0)]
    assert label(*answers) == 0
    assert label(*answers, of="probabilities") == 255
    assert label(*answers, above=0.98691) == 0 and label(*answers, above=0.98693) == 255
    assert label(*answers, of="probabilities", above=0.88853) == 0
    assert label(*answers, of="probabilities", above=0.88855) == 255


def test_facts_0e_six_equal_views_are_accepted() -> None:
    assert label(*[(3.0, 0.0, 0.0)] * 6) == 0
    assert label(*[(3.0, 0.0, 0.0)] * 6, above=0.90943) == 0 and label(*[(3.0, 0.0, 0.0)] * 6, above=0.90945) == 255


def test_facts_0e_a_confident_mean_with_a_dissenter_is_rejected() -> None:
    for position in range(6):
        answers = [(4.0, 0.0, 0.0)] * 6
        answers[position] = (4.0, 4.5, 0.0)
        assert label(*answers) == 255


def test_the_threshold_is_strict_unless_told() -> None:
    answers = [(2.0, -500.0), (2.0, -500.0)]  # probability exactly 1
    assert label(*answers, above=1.0) == 255
    assert label(*answers, above=1.0, inclusive=True) == 0


def test_only_what_is_wanted_is_labelled() -> None:
    wanted = torch.zeros(6, 8, dtype=torch.bool)
    wanted[2, 3:5] = True
    glance = Glance.of(torch.tensor([0.0, 9.0]).view(2, 1, 1).expand(2, 6, 8), View(), size=(6, 8), seen=(6, 8))
    found = agreed_labels([glance], wanted, above=0.9, tile=(2, 4))
    assert torch.equal(found == 1, wanted) and torch.all(found[~wanted] == 255)


def test_no_view_is_nothing_to_agree_on() -> None:
    with pytest.raises(ValueError, match="at least one view; found none"):
        agreed_labels([], torch.ones(2, 2, dtype=torch.bool), above=0.9)
