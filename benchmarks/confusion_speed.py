"""How fast the confusion matrix is counted, beside torchmetrics: `python benchmarks/confusion_speed.py`.

All count the same label maps on the same CPU and must agree; those take part that are installed (`pip install
torchmetrics hotcoco`). hotcoco (Rust) has one thread: it knows no more for a single map. torchmetrics gets them as it
likes them best (bytes or int64, made beforehand), with and without its argument checks; ours always checks. Needed: at
least 3x its fastest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.maths import Confusion, confusion_counts

NUM_CLASSES = 19
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def make_pair(seed: int, *, height: int = 512, width: int = 1024) -> Pair:
    """A truth with curved regions and 5% void, and a prediction that differs along borders and in patches."""
    rng = np.random.default_rng(seed)

    def field(coarse: int) -> NDArray[np.float32]:
        small = rng.standard_normal((NUM_CLASSES, height // coarse, width // coarse)).astype(np.float32)
        return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in small])

    smooth = field(64)
    truth = smooth.argmax(0).astype(np.uint8)
    truth[(rng.random((height // 16, width // 16)) < 0.05).repeat(16, 0).repeat(16, 1)] = 255
    return truth, (smooth + 0.3 * field(16)).argmax(0).astype(np.uint8)


def race(runs: dict[str, Callable[[int], object]], *, items: int, rounds: int) -> dict[str, float]:
    """Milliseconds an item: all runs take turns on each item, the median over rounds counts.

    One thread is timed by the CPU time that its process got, which other work on the machine does not lengthen: hotcoco
    counts in a thread of its own.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    spent = np.zeros((rounds, items, len(runs)))
    for i, j in np.ndindex(rounds, items):
        for k, run in enumerate(runs.values()):
            start = clock()
            run(j)
            spent[i, j, k] = clock() - start
    medians = np.median(spent, axis=0).mean(axis=0) * 1e3
    return dict(zip(runs, medians.tolist(), strict=True))


class Contest:
    """The runs that take turns: each updates its own running sum with image j."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.sums = Confusion.zero(num_classes=NUM_CLASSES)
        self.metrics: dict[str, Any] = {}
        self.runs: dict[str, Callable[[int], object]] = {"ours, checked": partial(self.update, pairs)}
        if find_spec("torchmetrics"):
            self.add_torchmetrics(pairs)
        self.rust = np.zeros((NUM_CLASSES, NUM_CLASSES), np.int64)
        if find_spec("hotcoco"):
            from hotcoco.metrics import pixel_confusion

            def update_rust(j: int) -> None:
                self.rust += pixel_confusion(*pairs[j], num_classes=NUM_CLASSES, ignore_index=255).astype(np.int64)

            self.runs["hotcoco, bytes"] = update_rust

    def add_torchmetrics(self, pairs: list[Pair]) -> None:
        """Its four forms."""
        from torchmetrics.classification import MulticlassConfusionMatrix

        for name, dtype in (("bytes", torch.uint8), ("int64", torch.int64)):
            tensors = [(torch.from_numpy(t).to(dtype), torch.from_numpy(p).to(dtype)) for t, p in pairs]
            for checks in (True, False):
                label = f"torchmetrics {name}, {'checked' if checks else 'unchecked'}"
                metric = MulticlassConfusionMatrix(NUM_CLASSES, ignore_index=255, validate_args=checks)
                self.metrics[label] = metric
                self.runs[label] = partial(self.update_theirs, metric, tensors)

    @staticmethod
    def update_theirs(metric: Any, tensors: list[tuple[Tensor, Tensor]], j: int) -> None:
        """Count one image by torchmetrics."""
        truth, prediction = tensors[j]
        metric.update(prediction, truth)

    def update(self, pairs: list[Pair], j: int) -> None:
        """Ours: count one image and merge it."""
        self.sums += confusion_counts(*pairs[j], num_classes=NUM_CLASSES)

    def require_agreement(self) -> None:
        """Raise unless all counted the same."""
        for label, metric in self.metrics.items():
            assert np.array_equal(metric.compute().numpy(), self.sums.counts_CC), label
        assert "hotcoco, bytes" not in self.runs or np.array_equal(self.rust, self.sums.counts_CC), "hotcoco"


def main() -> None:
    """Race at one thread and at all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=500, help="updates of each (some distinct images, repeated)")
    parser.add_argument("--distinct", type=int, default=20)
    options = parser.parse_args()
    pairs = [make_pair(seed) for seed in range(options.distinct)]
    if missing := [peer for peer in ("torchmetrics", "hotcoco") if not find_spec(peer)]:
        print(f"not installed, and left out: {', '.join(missing)}")
    rounds = max(1, options.images // len(pairs))
    wrong = np.mean([(t != p)[t != 255].mean() for t, p in pairs])
    print(
        f"{rounds * len(pairs)} updates of 512x1024, {NUM_CLASSES} classes, {wrong:.0%} of pixels wrong; ms an update"
    )
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        contest = Contest(pairs)
        spent = race(contest.runs, items=len(pairs), rounds=rounds)
        contest.require_agreement()
        print(f"torch threads: {threads}")
        ours, *theirs = spent.items()
        print(f"  {ours[0]:34} {ours[1]:7.2f}")
        for label, milliseconds in theirs:
            print(f"  {label:34} {milliseconds:7.2f}   ours is {milliseconds / ours[1]:5.1f}x as fast")


if __name__ == "__main__":
    main()
