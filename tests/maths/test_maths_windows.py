"""Sliding windows: every pixel covered, blends normalised, one slow reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import Window, blend_weights, make_windows, slide

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
SIDES = st.integers(1, 23)


@PROPERTY
@given(size=st.tuples(SIDES, SIDES), window=st.tuples(SIDES, SIDES), data=st.data())
def test_windows_cover_every_pixel_and_stay_inside(
    size: tuple[int, int], window: tuple[int, int], data: st.DataObject
) -> None:
    stride = (data.draw(st.integers(1, window[0])), data.draw(st.integers(1, window[1])))
    covered = np.zeros(size, int)
    windows = make_windows(size, window=window, stride=stride)
    for w in windows:
        assert (w.height, w.width) == (min(window[0], size[0]), min(window[1], size[1]))
        assert w.top >= 0 and w.top + w.height <= size[0] and w.left >= 0 and w.left + w.width <= size[1]
        covered[w.top : w.top + w.height, w.left : w.left + w.width] += 1
    assert covered.min() >= 1
    assert len(set(windows)) == len(windows)


def test_windows_of_an_odd_image() -> None:
    assert make_windows((5, 7), window=(4, 4), stride=(3, 3)) == (
        Window(0, 0, 4, 4),
        Window(0, 3, 4, 4),
        Window(1, 0, 4, 4),
        Window(1, 3, 4, 4),
    )
    assert make_windows((3, 2), window=(8, 8), stride=(5, 5)) == (Window(0, 0, 3, 2),)


@pytest.mark.parametrize("blend", ["uniform", "gaussian", "hann"])
def test_weights_are_positive_symmetric_and_peak_in_the_middle(blend: str) -> None:
    for height, width in [(1, 1), (2, 5), (9, 8), (512, 513)]:
        weights = blend_weights(height, width, blend=blend)
        assert weights.shape == (height, width) and weights.min() > 0
        torch.testing.assert_close(weights, weights.flip(0).flip(1))
        assert weights[height // 2, width // 2] == weights.max()


def slow_slide(image: np.ndarray, forward, window: tuple[int, int], stride: tuple[int, int], blend: str) -> np.ndarray:
    """Each pixel gathers the windows that hold it; windows start at multiples of the stride, the last at the end."""
    height, width = image.shape[-2:]

    def starts(length: int, side: int, step: int) -> list[int]:
        found, at = [], 0
        while at + side < length:
            found.append(at)
            at += step
        return [*found, max(0, length - side)]

    def weight(position: int, length: int) -> float:
        u = (position + 0.5) / length
        return {"uniform": 1.0, "gaussian": np.exp(-32 * (u - 0.5) ** 2), "hann": np.sin(np.pi * u) ** 2}[blend]

    h, w = min(window[0], height), min(window[1], width)
    answers = {
        (t, left): forward(torch.from_numpy(image[None, :, t : t + h, left : left + w]))[0].numpy()
        for t in starts(height, window[0], stride[0])
        for left in starts(width, window[1], stride[1])
    }
    out = np.zeros((next(iter(answers.values())).shape[0], height, width))
    for y in range(height):
        for x in range(width):
            total = 0.0
            for (t, left), answer in answers.items():
                if t <= y < t + h and left <= x < left + w:
                    share = weight(y - t, h) * weight(x - left, w)
                    out[:, y, x] += share * answer[:, y - t, x - left]
                    total += share
            out[:, y, x] /= total
    return out


@pytest.mark.parametrize("blend", ["uniform", "gaussian", "hann"])
@pytest.mark.parametrize(
    ("size", "window", "stride"), [((9, 11), (4, 5), (3, 2)), ((5, 5), (8, 3), (8, 3)), ((3, 2), (9, 9), (4, 4))]
)
def test_slide_against_a_gather_per_pixel(
    blend: str, size: tuple[int, int], window: tuple[int, int], stride: tuple[int, int]
) -> None:
    image = np.random.default_rng(0).standard_normal((2, *size)).astype(np.float32)

    def forward(x: torch.Tensor) -> torch.Tensor:
        # Depends on the place in the window, so that blending shows.
        return torch.cat([x * torch.arange(1, x.shape[-1] + 1), x.cumsum(-2)], dim=1)

    found = slide(forward, torch.from_numpy(image)[None], window=window, stride=stride, blend=blend)
    np.testing.assert_allclose(
        found[0].numpy(), slow_slide(image, forward, window, stride, blend), rtol=2e-4, atol=2e-5
    )


def test_a_local_network_is_the_same_with_and_without_windows() -> None:
    network = torch.nn.Conv2d(3, 4, 1)
    images = torch.randn(2, 3, 13, 17, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for blend in ("uniform", "gaussian", "hann"):
            torch.testing.assert_close(
                slide(network, images, window=(6, 6), stride=(4, 5), blend=blend), network(images)
            )


def test_misfits_are_refused() -> None:
    images = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match=r"must have its size 4x4; found 2x2; upsample"):
        slide(lambda x: x[..., ::2, ::2], images, window=(4, 4), stride=(4, 4))
    with pytest.raises(ValueError, match="1 <= stride <= window"):
        make_windows((8, 8), window=(4, 4), stride=(5, 4))
    with pytest.raises(ValueError, match="'uniform', 'gaussian' or 'hann'; found 'box'"):
        blend_weights(2, 2, blend="box")  # type: ignore[arg-type]
