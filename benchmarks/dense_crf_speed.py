"""How fast the dense CRF is, beside pydensecrf on the same image: `python benchmarks/dense_crf_speed.py`.

480x360 pixels, 12 labels, 10 rounds, one Gaussian kernel and one bilateral, as in the public scripts (DEEPLAB). Both
take turns; pydensecrf, which knows one thread, takes part where it is installed (`pip install pydensecrf2`), else ours
runs alone. With one thread the CPU time of the process counts, with two the clock, so with two the machine must be
quiet; the CPU time beside it says what two threads cost more than one. Where there is a GPU, ours runs there too.
Needed: no slower than pydensecrf on a CPU, on a GPU 20 times as fast.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segfrontier.maths import DEEPLAB, mean_field

HEIGHT, WIDTH, LABELS = 360, 480, 12


def street(seed: int = 0) -> tuple[Tensor, NDArray[np.uint8]]:
    """Log-probabilities that are roughly right with soft borders, and an image of textured regions."""
    rng = np.random.default_rng(seed)

    def smooth(planes: int, coarse: int) -> NDArray[np.float32]:
        small = rng.standard_normal((HEIGHT // coarse, WIDTH // coarse, planes)).astype(np.float32)
        return cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).reshape(HEIGHT, WIDTH, planes)

    truth = smooth(LABELS, 60).argmax(2)
    colours = rng.uniform(40, 215, (LABELS, 3)).astype(np.float32)
    shade = 25 * smooth(3, 40) + 8 * smooth(3, 4) + rng.normal(0, 3, (HEIGHT, WIDTH, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(np.eye(LABELS, dtype=np.float32)[truth], (0, 0), 6)
    scores = torch.from_numpy(3 * soft + smooth(LABELS, 12)).permute(2, 0, 1).contiguous()
    return scores.log_softmax(0), np.clip(colours[truth] + shade, 0, 255).astype(np.uint8)


def by_pydensecrf(unary_LHW: Tensor, pixels: NDArray[np.uint8]) -> Tensor:
    """The same model there: scores are negative energies."""
    from pydensecrf.densecrf import DenseCRF2D

    crf = DenseCRF2D(WIDTH, HEIGHT, LABELS)
    crf.setUnaryEnergy(np.ascontiguousarray(-unary_LHW.flatten(1).numpy()))
    crf.addPairwiseGaussian(sxy=DEEPLAB.spatial_xy, compat=DEEPLAB.spatial_weight)
    widths = {"sxy": DEEPLAB.bilateral_xy, "srgb": DEEPLAB.bilateral_rgb}
    crf.addPairwiseBilateral(**widths, rgbim=pixels, compat=DEEPLAB.bilateral_weight)
    return torch.tensor(np.array(crf.inference(DEEPLAB.iterations))).view_as(unary_LHW)


def race(runs: dict[str, Callable[[], object]], *, rounds: int) -> dict[str, NDArray[np.float64]]:
    """Seconds (2, rounds) of each by the clock and of CPU; all take turns, after a round that does not count."""
    spent = np.zeros((rounds + 1, len(runs), 2))
    for i, j in np.ndindex(*spent.shape[:2]):
        start = time.perf_counter(), time.process_time()
        list(runs.values())[j]()
        spent[i, j] = np.subtract((time.perf_counter(), time.process_time()), start)
    return dict(zip(runs, spent[1:].transpose(1, 2, 0), strict=True))


def main() -> None:
    """Race with one thread, with two, and on a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    unary_LHW, pixels = street()
    image_3HW = torch.from_numpy(pixels).permute(2, 0, 1).float()
    runs: dict[str, Callable[[], object]] = {"ours": lambda: mean_field(unary_LHW, image_3HW, DEEPLAB)}
    if find_spec("pydensecrf"):
        runs["pydensecrf"] = lambda: by_pydensecrf(unary_LHW, pixels)
        q, peer = mean_field(unary_LHW, image_3HW, DEEPLAB).softmax(0), by_pydensecrf(unary_LHW, pixels)
        same, apart = (q.argmax(0) == peer.argmax(0)).float().mean(), (q - peer).abs().amax(0)
        print(f"{same:.2%} of pixels get one label by both, {(apart < 0.1).float().mean():.2%} are within 0.1")
        assert same > 0.98
    else:
        print("pydensecrf is not installed: ours alone")
    print(f"{WIDTH}x{HEIGHT}, {LABELS} labels, {DEEPLAB.iterations} rounds; median seconds, smallest to largest")
    found = {}
    for threads in options.threads:
        torch.set_num_threads(threads)
        both = race(runs, rounds=options.rounds)
        found[f"{threads} thread{'s'[: threads > 1]}, CPU"] = {name: spent[1] for name, spent in both.items()}
        if threads > 1:
            found[f"{threads} threads, clock"] = {name: spent[0] for name, spent in both.items()}
    if torch.cuda.is_available():
        there = [x.cuda() for x in (unary_LHW, image_3HW)]
        runs["ours"] = lambda: mean_field(*there, DEEPLAB).cpu()  # which waits for the answer
        there_alone = race(runs, rounds=options.rounds)
        found[torch.cuda.get_device_name()] = {name: spent[0] for name, spent in there_alone.items()}
    for where, spent in found.items():
        for name, seconds in spent.items():
            print(f"  {where:16} {name:11} {np.median(seconds):.4f} ({seconds.min():.4f} to {seconds.max():.4f})")
        if "pydensecrf" in spent:
            ratios = spent["ours"] / spent["pydensecrf"]
            print(f"  {where:16} ours / pydensecrf, pair by pair: median {np.median(ratios):.2f} "
                  f"({ratios.min():.2f} to {ratios.max():.2f})")  # fmt: skip


if __name__ == "__main__":
    main()
