"""How often a report says what is not so, and how often it finds what is: the table of docs/statistics.md.

Studies are drawn whose truth is known, and go through the door of `segfrontier frontier --from`. First all methods are
alike (0.14 at 4 h, 0.155 at 12 h), so that every sentence that decides anything is false, percents and areas included.
Then one method scores higher, at both budgets, by 3 standard errors of a difference of means: found where a sentence is
decided in its favour; any other decided sentence is false. "Unequal": half of the methods spread three times as much.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from math import sqrt

import numpy as np

from segfrontier.report.findings import findings
from segfrontier.report.scores import Score, from_scores
from segfrontier.report.statements import Sentence, sentences

TRUTH, SPREAD, EFFECT = {4.0: 0.14, 12.0: 0.155}, 0.02, 3.0
NAMES = ("coarse", "fine", "oracle", *(f"method {i}" for i in range(4, 13)))


def main() -> None:
    """Print the table in Markdown, a row as soon as it is drawn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400, help="studies a number")
    parser.add_argument("--methods", type=int, nargs="*", default=[2, 4, 6, 12])
    parser.add_argument("--seeds", type=int, nargs="*", default=[2, 3, 4, 5, 8])
    parser.add_argument("--budgets", type=int, choices=[1, 2], default=2, help="1: at 4 h alone")
    given = parser.parse_args()
    truth = dict(list(TRUTH.items())[: given.budgets])
    began = time.perf_counter()
    print("| methods | seeds | spreads | false, all alike | found, one 3 s.e. better | false beside it |")
    print("|---|---|---|---|---|---|")
    for methods in given.methods:
        for seeds in given.seeds:
            for spreads in ("equal", "unequal"):
                rng = np.random.default_rng([methods, seeds, spreads == "equal"])
                alike = [judged(rng, truth, methods, seeds, spreads, 0.0) for _ in range(given.draws)]
                apart = [judged(rng, truth, methods, seeds, spreads, EFFECT) for _ in range(given.draws)]
                told = [share([false for _, false in alike]), share([found for found, _ in apart])]
                told.append(share([false for _, false in apart]))
                print(f"| {methods} | {seeds} | {spreads} | {' | '.join(told)} |", flush=True)
    print(f"\n{given.draws} studies a number, with 95 % intervals; {time.perf_counter() - began:.0f} s in all.")


def judged(
    rng: np.random.Generator, truth: Mapping[float, float], methods: int, seeds: int, spreads: str, effect: float
) -> tuple[bool, bool]:
    """Whether a drawn study has its better method found, and whether it says anything that is not so."""
    better = NAMES[0] if effect else None
    decided = [s for s in said(study(rng, truth, methods, seeds, spreads, effect)) if s.decided]
    right = [s for s in decided if s.methods[0] == better]
    return bool(right), len(right) < len(decided)


def said(scores: list[Score]) -> Iterator[Sentence]:
    """All sentences of the report on a table of scores."""
    for finding in findings(from_scores(scores)):
        yield from sentences(finding)


def study(
    rng: np.random.Generator, truth: Mapping[float, float], methods: int, seeds: int, spreads: str, effect: float
) -> list[Score]:
    """Scores of methods that are alike, but for the first one's `effect` in standard errors of a difference."""
    wide = np.ones(methods)
    if spreads == "unequal":
        wide[rng.permutation(methods)[: methods // 2]] = 3.0
    sd = SPREAD * wide
    error = sqrt((sd[0] ** 2 + float((sd[1:] ** 2).mean())) / seeds)
    return [
        Score(method=NAMES[i], hours=hours, seed=seed, score=mean + effect * error * (i == 0) + rng.normal(0, sd[i]))
        for i in range(methods)
        for hours, mean in truth.items()
        for seed in range(seeds)
    ]


def share(flags: list[bool]) -> str:
    """ "3.2 % (1.9 to 5.4)", by Wilson."""
    n, p, z = len(flags), float(np.mean(flags)), 1.96
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + side * half) / (1 + z * z / n) for side in (-1, 1))
    return f"{100 * p:.1f} % ({100 * max(low, 0):.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    main()
