"""The same seed gives the same bytes: twice in a process, with any number of OpenCV threads, and on any machine.

A digest that changes means that every world rendered before is another one now. If that is intended, print the new
digests with `python tests/scenes/test_street_golden.py`, and say so under "numbers moved" in the change log.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from segfrontier.scenes.street import render_scene

GOLDEN: dict[tuple[int, int, str, float, int, int], str] = {}


def digest(seed: int, index: int, domain: str, gap: float, height: int, width: int) -> str:
    scene = render_scene(seed=seed, index=index, domain=domain, height=height, width=width, gap=gap)
    whole = hashlib.blake2b(digest_size=16)
    for part in (scene.image, scene.semantic, scene.instance.astype("<u2")):
        whole.update(np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize("case", list(GOLDEN), ids=str)
def test_golden_digests(case):
    assert digest(*case) == GOLDEN[case]


def test_twice_the_same_and_no_influence_of_other_scenes_or_threads():
    before, threads = digest(9, 4, "city", 1.0, 64, 128), cv2.getNumThreads()
    digest(9, 5, "game", 0.7, 96, 192)
    try:
        for n in (0, 4):
            cv2.setNumThreads(n)
            assert digest(9, 4, "city", 1.0, 64, 128) == before
    finally:
        cv2.setNumThreads(threads)


def test_rendering_leaves_global_state_alone():
    np.random.seed(0)
    expected, threads = np.random.random(3), cv2.getNumThreads()
    np.random.seed(0)
    render_scene(seed=0, index=0, domain="city", height=64, width=128)
    np.testing.assert_array_equal(np.random.random(3), expected)
    assert cv2.getNumThreads() == threads


@pytest.mark.parametrize("change", [{"seed": 1}, {"index": 1}, {"seed": 1 << 64}])
def test_every_seed_and_index_is_another_scene(change):
    base = {"seed": 0, "index": 0, "domain": "city", "height": 64, "width": 128}
    one, other = render_scene(**base), render_scene(**(base | change))
    assert (one.semantic != other.semantic).mean() > 0.02


if __name__ == "__main__":
    for case in GOLDEN:
        print(f"    {case}: \"{digest(*case)}\",")
