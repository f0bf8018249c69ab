"""Does the demo tell the same story whatever its seeds are? Its baselines, in as many demos as are asked for.

One study with three seeds a demo; each demo's three are then read as `segfrontier frontier` reads them. The story: the
oracle on top, `fine` rising with hours, coarse masks ahead of fine ones at equal hours, synthetic scenes below all that
was paid for. Beside it the sentences that are decided, for a story that its seeds cannot decide is luck. Resumes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from statistics import mean, stdev

from segfrontier.home.records import Record, records
from segfrontier.report.findings import findings
from segfrontier.report.scores import Score, from_scores
from segfrontier.report.statements import sentences
from segfrontier.study.config import Study
from segfrontier.study.run import run_study

SEEDS = 3
Means = dict[tuple[str, float], float]


def main() -> None:
    """Run what is missing and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path("runs"))
    parser.add_argument("--demos", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], help="change the study, as `segfrontier demo --set` does")
    given = parser.parse_args()
    text = files("segfrontier.study").joinpath("examples/demo.yaml").read_text(encoding="utf-8")
    study = Study.parse(text, ["name=demo-story", f"seeds={list(range(SEEDS * given.demos))}", *given.set])
    found = records(run_study(study, home=given.home, tracking="none").study)
    demos = [[r for r in found if int(r.cell["seed"]) // SEEDS == i] for i in range(given.demos)]
    print("| demo | oracle on top | fine rises | coarse ahead | synthetic below | decided |")
    print("|---|---|---|---|---|---|")
    told = [story(means(demo)) for demo in demos]
    for i, (demo, parts) in enumerate(zip(demos, told, strict=True)):
        marks = " | ".join("yes" if part else "no" for part in parts)
        print(f"| seeds {SEEDS * i} to {SEEDS * i + SEEDS - 1} | {marks} | {'; '.join(decided(demo))} |")
    print(f"\nThe whole story in {sum(map(all, told))} of {given.demos} demos. Mean and spread over all seeds:\n")
    for row in sorted({row_of(r) for r in found}, key=str):
        scores = [r.miou for r in found if row_of(r) == row]
        print(f"- {row[0]}, {row[1]:g} h: {mean(scores):.3f}, {stdev(scores):.3f}")


def row_of(record: Record) -> tuple[str, float]:
    """The method and hours of a cell."""
    hours = record.cell["hours"]
    return str(record.cell["method"]), 96.0 if hours == "all" else float(hours)


def means(demo: list[Record]) -> Means:
    """Mean scores over a demo's seeds."""
    return {row: mean(r.miou for r in demo if row_of(r) == row) for row in map(row_of, demo)}


def story(at: Means) -> tuple[bool, bool, bool, bool]:
    """The parts of the story, by means."""
    low, high = sorted({hours for method, hours in at if method == "fine"})
    paid = {row: score for row, score in at.items() if row[0] != "synthetic"}
    [nothing] = [score for row, score in at.items() if row[0] == "synthetic"]
    top = max(paid, key=lambda row: paid[row])
    return (
        top[0] == "oracle",
        at["fine", high] > at["fine", low],
        all(at["coarse", hours] > at["fine", hours] for hours in (low, high)),
        nothing < min(score for (method, _), score in paid.items() if method in ("coarse", "oracle")),
    )


def decided(demo: list[Record]) -> Iterator[str]:
    """What the report on a demo decides of coarse and fine masks."""
    scores = [Score(method=row_of(r)[0], hours=row_of(r)[1], score=r.miou, seed=int(r.cell["seed"])) for r in demo]
    for finding in findings(from_scores(scores)):
        for sentence in sentences(finding):
            if sentence.decided and set(sentence.methods) == {"coarse", "fine"}:
                yield sentence.text


if __name__ == "__main__":
    main()
