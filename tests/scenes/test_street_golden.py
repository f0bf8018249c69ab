"""The same seed gives the same bytes: twice in a process, with any number of OpenCV threads, and on any machine.

A digest that changes means that every world rendered before is another one now. If that is intended, print the new
digests with `python tests/scenes/test_street_golden.py`, and say so under "numbers moved" in the change log.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys

import cv2
import numpy as np
import pytest

from segfrontier.scenes.street import render_scene

Case = tuple[int, int, str, float, int, int]
"""Seed, index, domain, gap, height, width."""
GOLDEN: dict[Case, str] = {
    (0, 0, "city", 1.0, 96, 192): "451c0d891d0fc059c6634183a0547cea",
    (0, 0, "game", 1.0, 96, 192): "360115c724319c8c81be8405c146b619",
    (0, 0, "game", 0.5, 96, 192): "14b833f6a066cd2286990381c8bb99c3",
    (7, 12345, "city", 1.0, 64, 128): "a770199eb9806cd3072ccc5e8c0ae8d5",
    (7, 12345, "game", 0.1, 130, 170): "3876b82a5fb1da745003f3709132dd07",
    (1, 2, "city", 1.0, 256, 512): "59ed623af2875eaa96a0813abdb04e28",
    (3, 4, "game", 1.0, 360, 480): "821dd07949f7bc24d05479f49f7b31bc",
}


def digest(seed: int, index: int, domain: str, gap: float, height: int, width: int) -> str:
    scene = render_scene(seed=seed, index=index, domain=domain, height=height, width=width, gap=gap)
    whole = hashlib.blake2b(digest_size=16)
    for part in (scene.image, scene.semantic, scene.instance.astype("<u2")):
        whole.update(np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()


@pytest.mark.parametrize("case", list(GOLDEN), ids=str)
def test_golden_digests(case):
    assert digest(*case) == GOLDEN[case]


@pytest.mark.slow
def test_vector_units_do_not_matter():
    """The digests again in a process where numpy and OpenCV may use nothing but the processor's oldest instructions."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    features = [name for name in __cpu_dispatch__ if __cpu_features__[name]]
    plain = {"NPY_DISABLE_CPU_FEATURES": ",".join(features), "OPENCV_CPU_DISABLE": "AVX2,FMA3,AVX"}
    plain |= {"OPENCV_IPP": "disabled"}
    printed = subprocess.run(
        [sys.executable, __file__], env=os.environ | plain, capture_output=True, text=True, check=True
    ).stdout
    assert printed == listing()


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
    random_state, threads, errors = random.getstate(), cv2.getNumThreads(), np.geterr()
    render_scene(seed=0, index=0, domain="city", height=64, width=128)
    assert (random.getstate(), cv2.getNumThreads(), np.geterr()) == (random_state, threads, errors)


@pytest.mark.parametrize("change", [{"seed": 1}, {"index": 1}, {"seed": 1 << 64}])
def test_every_seed_and_index_is_another_scene(change):
    base = {"seed": 0, "index": 0, "domain": "city", "height": 64, "width": 128}
    one, other = render_scene(**base), render_scene(**(base | change))
    assert (one.semantic != other.semantic).mean() > 0.02


def listing() -> str:
    return "".join(f'    {case}: "{digest(*case)}",\n' for case in GOLDEN)


if __name__ == "__main__":
    print(listing(), end="")
