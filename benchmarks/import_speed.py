"""Importing folders of PNG files, beside plain copies of the same bytes.

    python benchmarks/import_speed.py --scenes 2000 [--size 128x256] [--rounds 3] [--json FILE]

Street scenes are rendered and exported once; then each round copies the files one by one, copies all bytes into one
file, and imports the folders, in turns. All three read the same files, write all they have to a new place and have it
on the disk (fsync) before the clock stops. Target: an import at least 80 % as fast as the copy file by file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from segfrontier.scenes.builtin import parse_street, write_street
from segfrontier.scenes.exporting import export_world
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.processes import cores

TARGET = 0.8


def main(words: list[str] | None = None) -> None:
    """Render, export, then time the three ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=20, help="the target is stated of 2000")
    parser.add_argument("--size", default="128x256")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where the figures go, too")
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch:
        found = measured(Path(scratch), given.scenes, given.size, given.rounds)
    print(
        f"{found['scenes']} scenes of {given.size}, {found['files']} files, {found['bytes'] / 2**20:.1f} MiB, "
        f"{found['cores']} cores"
    )
    for name, times in found["seconds"].items():
        print(f"{name:>12}  {', '.join(f'{s:.2f}' for s in times)} s")
    print(
        f"speed of the import / of the copy: {found['share']:.2f} (target {TARGET}); of one file {found['of_one']:.2f}"
    )
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


def measured(scratch: Path, scenes: int, size: str, rounds: int) -> dict[str, object]:
    """The figures of one run."""
    val = max(1, scenes // 10)
    world = write_street(
        scratch / "world", parse_street(f"street:train={scenes - val},val={val},synthetic=1,size={size}")
    )
    export_world(world, scratch / "files")
    files = sorted(path for path in (scratch / "files").rglob("*") if path.is_file())
    ways: dict[str, Callable[[Path], object]] = {
        "copied": lambda out: copied(files, scratch / "files", out),
        "into one": lambda out: into_one(files, out),
        "imported": lambda out: import_folders(FolderSpec.load(scratch / "files/world.yaml"), out, max_bad=0),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way(scratch / "out")
            on_the_disk(scratch / "out")
            seconds[name].append(time.perf_counter() - began)
            shutil.rmtree(scratch / "out")
    return {
        "scenes": scenes, "size": size, "cores": cores(), "files": len(files), "seconds": seconds,
        "bytes": sum(path.stat().st_size for path in files), "share": ratio(seconds, "copied"),
        "of_one": ratio(seconds, "into one"), "target": TARGET,
    }  # fmt: skip


def copied(files: list[Path], root: Path, out: Path) -> None:
    """Every file to a file of its own."""
    for path in files:
        target = out / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())


def into_one(files: list[Path], out: Path) -> None:
    """All bytes to one file: as few writes as an import has."""
    out.mkdir()
    with (out / "all").open("wb") as sink:
        for path in files:
            sink.write(path.read_bytes())


def on_the_disk(out: Path) -> None:
    """Wait until every file below is written."""
    for path in out.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def ratio(seconds: dict[str, list[float]], name: str) -> float:
    """How fast the import is beside another way, in the middle of the rounds."""
    return statistics.median(a / b for a, b in zip(seconds[name], seconds["imported"], strict=True))


if __name__ == "__main__":
    main()
