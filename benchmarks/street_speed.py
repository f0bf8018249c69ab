"""Scenes a second that the street world renders on one core: truth and picture, one domain.

    taskset -c 0 python benchmarks/street_speed.py

Prints wall-clock and processor time: on a shared machine the second says what the first would be on a free core.
"""

from __future__ import annotations

import argparse
import statistics
import time

import cv2

from segfrontier.scenes.street import render_scene
from segfrontier.scenes.street.render import DOMAINS, Domain

SIZES = ((96, 192, 200), (256, 512, 40), (512, 1024, 12))
ROUNDS = 5


def _seconds_a_scene(domain: Domain, height: int, width: int, scenes: int) -> tuple[float, float]:
    """Median over rounds of the wall-clock and processor time of one scene."""
    wall, processor = [], []
    for part in range(ROUNDS):
        start, used = time.perf_counter(), time.process_time()
        for index in range(part * scenes, (part + 1) * scenes):
            render_scene(seed=0, index=index, domain=domain, height=height, width=width)
        wall.append((time.perf_counter() - start) / scenes)
        processor.append((time.process_time() - used) / scenes)
    return statistics.median(wall), statistics.median(processor)


def main() -> None:
    """Print one line a size and domain."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=list(DOMAINS))
    domains: list[Domain] = parser.parse_args().domains
    cv2.setNumThreads(0)
    print(f"{'size':>10} {'domain':>7} {'scenes/s':>9} {'by CPU time':>12}")
    for height, width, scenes in SIZES:
        for domain in domains:
            render_scene(seed=0, index=0, domain=domain, height=height, width=width)
            wall, processor = _seconds_a_scene(domain, height, width, max(1, scenes // ROUNDS))
            print(f"{f'{height}x{width}':>10} {domain:>7} {1 / wall:9.1f} {1 / processor:12.1f}")


if __name__ == "__main__":
    main()
