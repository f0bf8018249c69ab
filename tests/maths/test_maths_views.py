"""Views: what they show, how they are undone, and what several of them decide together."""

from __future__ import annotations

import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.maths import View, apply_view, make_views, mean_over_views, six_views, undo_view


def images(height: int = 6, width: int = 8) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_six_views_are_all_flips_with_all_scales() -> None:
    expected = {(flip, scale) for flip in (False, True) for scale in (0.5, 1.0, 2.0)}
    assert {(view.flip, view.scale) for view in six_views()} == expected
    assert len(six_views()) == 6
    assert make_views(scales=(1.0,), flips=(True,)) == (View(flip=True),)


def test_a_view_resizes_and_mirrors() -> None:
    x = images()
    assert torch.equal(apply_view(x, View()), x)
    assert torch.equal(apply_view(x, View(flip=True)), x.flip(-1))
    half = F.interpolate(x, size=(3, 4), mode="bilinear", align_corners=False)
    assert torch.equal(apply_view(x, View(scale=0.5, flip=True)), half.flip(-1))
    corners = F.interpolate(x, size=(12, 16), mode="bilinear", align_corners=True)
    assert torch.equal(apply_view(x, View(scale=2.0), align_corners=True), corners)
    assert apply_view(images(5, 7), View(scale=0.5)).shape[-2:] == (2, 4)
    assert apply_view(images(1, 1), View(scale=0.25)).shape[-2:] == (1, 1)


@pytest.mark.parametrize("view", [View(), View(flip=True)])
def test_undoing_a_full_size_view_is_exact(view: View) -> None:
    x = images(5, 7)
    assert torch.equal(undo_view(apply_view(x, view), view, size=(5, 7)), x)


def test_undoing_a_scaled_view_puts_every_pixel_back_in_place() -> None:
    ramp = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 6, 8).contiguous()
    for view in six_views():
        back = undo_view(apply_view(ramp, view), view, size=(6, 8))
        torch.testing.assert_close(back[..., 2:6], ramp[..., 2:6])


def canned(*answers: tuple[float, ...]):
    """A network that gives each view the next answer, at every pixel."""
    remaining = list(answers)

    def forward(x: Tensor) -> Tensor:
        logits = torch.tensor(remaining.pop(0)).view(1, -1, 1, 1)
        return logits.expand(len(x), -1, *x.shape[-2:])

    return forward


def decide(*answers: tuple[float, ...], of: str = "logits") -> tuple[float, bool]:
    mean = mean_over_views(canned(*answers), images(2, 2), views=six_views(), of=of)
    confidence, _ = mean.confidence()
    return confidence[0, 0, 0].item(), bool(mean.agree_NHW.all())


def test_facts_0e_logit_and_probability_means_decide_differently() -> None:
    answers = [(6.0, 0.0, 0.0)] * 5 + [(0.1, 0.0, 0.0)]
    assert decide(*answers)[0] == pytest.approx(0.98692, abs=1e-5)
    assert decide(*answers, of="probabilities")[0] == pytest.approx(0.88854, abs=1e-5)


def test_facts_0e_six_equal_views_are_accepted() -> None:
    confidence, agree = decide(*[(3.0, 0.0, 0.0)] * 6)
    assert confidence == pytest.approx(0.90944, abs=1e-5) and agree


def test_facts_0e_a_confident_mean_with_a_dissenter_is_rejected() -> None:
    for position in range(6):
        answers = [(4.0, 0.0, 0.0)] * 6
        answers[position] = (4.0, 4.5, 0.0)
        confidence, agree = decide(*answers)
        assert confidence == pytest.approx(0.946, abs=5e-4) and not agree


def test_the_fold_equals_stacking_all_views() -> None:
    network = torch.nn.Conv2d(3, 4, 3, padding=1)
    x, views = images(7, 9), six_views()
    with torch.no_grad():
        stacked = torch.stack([undo_view(network(apply_view(x, v)), v, size=(7, 9)) for v in views])
        mean = mean_over_views(network, x, views=views)
        probs = mean_over_views(network, x, views=views, of="probabilities")
    torch.testing.assert_close(mean.scores_NKHW, stacked.mean(0))
    torch.testing.assert_close(probs.scores_NKHW, stacked.softmax(2).mean(0))
    argmaxes = stacked.argmax(2)
    assert torch.equal(mean.agree_NHW, (argmaxes == argmaxes[0]).all(0))
    confidence, labels = mean.confidence()
    torch.testing.assert_close(confidence, stacked.mean(0).softmax(1).max(1).values)
    assert torch.equal(labels[mean.agree_NHW], argmaxes[0][mean.agree_NHW])


def test_the_fold_asks_for_another_size_and_takes_half_precision() -> None:
    mean = mean_over_views(lambda x: x.bfloat16(), images(6, 8), views=[View()], size=(3, 4))
    assert mean.scores_NKHW.shape == (2, 3, 3, 4) and mean.scores_NKHW.dtype == torch.float32


def test_the_network_s_own_output_is_not_overwritten() -> None:
    kept = images()
    mean_over_views(lambda x: kept, images(), views=[View(), View(), View()])
    assert torch.equal(kept, images())


def test_views_are_dropped_as_soon_as_they_are_folded() -> None:
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def forward(x: Tensor) -> Tensor:
        nonlocal most
        most = max(most, sum(ref() is not None for ref in alive))
        answer = x.clone()
        alive.append(weakref.ref(answer))
        return answer

    with torch.no_grad():
        mean_over_views(forward, images(), views=[View()] * 4)
    assert len(alive) == 4 and most == 0


def test_no_view_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one view; found none"):
        mean_over_views(lambda x: x, images(), views=[])
