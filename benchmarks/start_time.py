"""What a process costs before it works and after, in seconds of CPU, with Python's collector at work and at rest.

The ways take turns in one run. Each is a Python of its own that loads what a stage needs, finds the digest of a stage's
code, and ends: as scripts end, or as the command line does.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WATCHED = "import timm, torch\n"  # before segfrontier.lab can have the collector rest
LAB = "from segfrontier.lab import Lab\n"
DIGEST = "from segfrontier.store import code_digest\ncode_digest(Lab)\n"
ENDED = "import atexit\nfrom segfrontier.cli import _leave\natexit.register(_leave, [0])\n"
WAYS = {
    "torch and timm alone": WATCHED,
    "lab, collector at work": WATCHED + LAB,
    "lab": LAB,
    "lab and a digest, collector at work": WATCHED + LAB + DIGEST,
    "lab and a digest": LAB + DIGEST,
    "lab and a digest, ended as a command": ENDED + LAB + DIGEST,
}


def main() -> None:
    """Run each way in turn, so many times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    took: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, code in WAYS.items():
            took[name].append(seconds(code))
    for name, times in took.items():
        print(f"{name:38} {sorted(times)[len(times) // 2]:.2f} s  ({min(times):.2f} to {max(times):.2f})")


def seconds(code: str) -> float:
    """One process, user and system time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    paths = os.pathsep.join([str(ROOT / "platform"), str(ROOT / "methods")])
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": paths})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    main()
