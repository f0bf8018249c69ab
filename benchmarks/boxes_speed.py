"""Boxes to masks on one core: the time of a 480x360 image with 8 boxes, by source of masks. Needed: under 1 s for both.

    python benchmarks/boxes_speed.py [--rounds 5] [--boxes 8]

Beside them GrabCut fed with the image and the box as OpenCV's tutorial does, box by box. Times are this thread's CPU
time, the median over rounds; boxes are of street-like sizes, from 20 to 150 pixels. Also printed: the share of the box
that each source claims on the textured ellipse inside, and the IoU with that. `higra` is shown where it is installed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier_methods.weak_panoptic.box_masks import BoxMasks
from segfrontier_methods.weak_panoptic.grabcut import OBJECT, Box, Patch
from segfrontier_methods.weak_panoptic.proposals import Proposals

HEIGHT, WIDTH = 360, 480
Masks = NDArray[np.bool_]


def scene(count: int) -> tuple[NDArray[np.uint8], list[Box], list[Masks]]:
    """An image of textured ellipses before texture, their tight boxes and their masks in these."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.normal(0, 40, (HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 2) * 3
    image = texture + np.array([110, 120, 100], np.float32)
    boxes, masks = [], []
    for number in range(count):
        width, height = (int(side) for side in np.geomspace(20, 150, count)[[number, (number * 3) % count]])
        x, y = int(rng.integers(0, WIDTH - width)), int(rng.integers(0, HEIGHT - height))
        down, across = np.mgrid[:height, :width]
        mask = ((across + 0.5) / width * 2 - 1) ** 2 + ((down + 0.5) / height * 2 - 1) ** 2 <= 1
        image[y : y + height, x : x + width][mask] += rng.uniform(-60, 60, 3).astype(np.float32)
        boxes.append(Box(x, y, x + width, y + height))
        masks.append(mask)
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8), boxes, masks


def as_in_tutorials(image: NDArray[np.uint8], box: Box) -> Patch:
    """The whole image, the box as a rectangle, five rounds."""
    state = np.zeros(image.shape[:2], np.uint8)
    rectangle = (box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)
    cv2.grabCut(image, state, rectangle, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT)
    return ((state & 1)[box.y0 : box.y1, box.x0 : box.x1]).astype(np.uint8)


def main() -> None:
    """All sources in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--boxes", type=int, default=8)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    image, boxes, truths = scene(options.boxes)
    ways: dict[str, Callable[[NDArray[np.uint8], Box], Patch]] = {
        "the box itself": BoxMasks(masks="box").patch,
        "grabcut": BoxMasks(masks="grabcut").patch,
        "proposals": BoxMasks(masks="proposals").patch,
        "both": BoxMasks(masks="both").patch,
    }
    if find_spec("higra"):
        ways["both, higra"] = BoxMasks(masks="both", proposals=Proposals(hierarchy="higra")).patch
    ways["grabcut as in tutorials"] = as_in_tutorials
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            began = time.thread_time()
            found = [way(image, box) == OBJECT for box in boxes]
            times[name].append(time.thread_time() - began)
            ious = [(f & t).sum() / (f | t).sum() for f, t in zip(found, truths, strict=True)]
            if len(times[name]) == options.rounds:
                print(f"{name:24s} {statistics.median(times[name]):7.3f} s for {len(boxes)} boxes of {WIDTH}x{HEIGHT}, "
                      f"claims {np.mean([f.mean() for f in found]):.2f}, mean IoU {np.mean(ious):.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
