"""Dropping easy pixels, against a loop that sorts each image's draws."""

from __future__ import annotations

import math

import pytest
import torch

from segfrontier.maths import dropped_pixels


def case(seed: int = 0, images: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    easy = torch.rand(images, 9, 11, generator=generator) < torch.linspace(0, 1, images)[:, None, None]
    return easy, torch.rand(images, 9, 11, generator=generator)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.999, 1.0])
def test_exact_drops_the_lowest_draws_of_each_image(share: float) -> None:
    easy, uniform = case()
    found = dropped_pixels(easy, uniform, share=share)
    for image, drawn, dropped in zip(easy, uniform, found, strict=True):
        pixels = [(drawn[y, x].item(), y, x) for y, x in image.nonzero().tolist()]
        chosen = sorted(pixels)[: math.floor(share * len(pixels) + 1e-9)]
        assert {(y, x) for _, y, x in chosen} == {(y, x) for y, x in dropped.nonzero().tolist()}
    assert easy.flatten(1).sum(1)[0] == 0 and not found[0].any(), "an image without easy pixels loses none"


def test_a_share_that_floating_point_makes_smaller_drops_what_it_says() -> None:
    easy = torch.ones(1, 1, 100, dtype=torch.bool)
    assert 0.29 * 100 < 29
    assert dropped_pixels(easy, torch.rand(1, 1, 100), share=0.29).sum() == 29


def test_equal_draws_are_still_counted_exactly() -> None:
    easy = torch.ones(2, 4, 5, dtype=torch.bool)
    assert dropped_pixels(easy, torch.zeros(2, 4, 5), share=0.25).flatten(1).sum(1).tolist() == [5, 5]


def test_bernoulli_drops_each_by_its_own_draw() -> None:
    easy, uniform = case(seed=1)
    uniform[4, 0, 0], easy[4, 0, 0] = 0.3, True
    found = dropped_pixels(easy, uniform, share=0.3, how="bernoulli")
    assert torch.equal(found, easy & (uniform < 0.3)) and not found[4, 0, 0]
    exact = dropped_pixels(easy, uniform, share=0.3)
    assert found.sum() != exact.sum()


def test_an_image_does_not_depend_on_its_batch() -> None:
    easy, uniform = case(seed=2)
    whole = dropped_pixels(easy, uniform, share=0.4)
    assert torch.equal(whole[3:], dropped_pixels(easy[3:], uniform[3:], share=0.4))


def test_bad_input_is_refused() -> None:
    easy, uniform = case()
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\]; found 1.1"):
        dropped_pixels(easy, uniform, share=1.1)
    with pytest.raises(ValueError, match="truth values"):
        dropped_pixels(easy.long(), uniform, share=0.5)
    with pytest.raises(ValueError, match="the draws must have the shape"):
        dropped_pixels(easy, uniform[:2], share=0.5)
    with pytest.raises(ValueError, match="how must be"):
        dropped_pixels(easy, uniform, share=0.5, how="some")
