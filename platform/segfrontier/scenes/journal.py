"""How far the writing of a world had come when it was killed: one line for each pair of shards that are whole.

The journal lies in the draft that it speaks of and goes with the last shard, so no world has one. What it does not
name is not whole and is removed; what it names is held against its digests before it counts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from segfrontier.scenes.files import digest
from segfrontier.scenes.manifest import Shard

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A pair of shards, the digests of their scenes, and what was remarked of these."""

    shard: Shard
    seen: Mapping[str, str]
    remarks: tuple[str, ...]


class Journal:
    """The journal of a local draft, or of none: then nothing is written down."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def restore(self) -> list[Written]:
        """What is whole; everything else is removed from the draft."""
        assert self._folder is not None, "there is no draft"
        whole = list(self._whole(self._folder))
        names = {written.shard.name for written in whole}
        for path in self._folder.iterdir():
            if path.name in ("images", "truth"):
                for file in path.iterdir():
                    if file.name not in names:
                        file.unlink()
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        for written in whole:
            self.add(written)
        return whole

    def _whole(self, folder: Path) -> Iterator[Written]:
        try:
            lines = (folder / JOURNAL).read_text().splitlines()
        except (OSError, ValueError):
            return
        for line in lines:
            try:
                plain = json.loads(line)
                written = Written(
                    shard=Shard(**plain["shard"]), seen=plain["seen"], remarks=tuple(plain["remarks"])
                )  # fmt: skip
            except (ValueError, TypeError, KeyError):  # cut off by whatever ended the writer
                return
            if not _intact(folder, written.shard):
                return
            yield written

    def add(self, written: Written) -> None:
        """Remember a pair of shards that has just been written."""
        if self._folder is None:
            return
        with (self._folder / JOURNAL).open("a") as file:
            plain = {"shard": asdict(written.shard), "seen": dict(written.seen), "remarks": written.remarks}
            file.write(json.dumps(plain) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def remove(self) -> None:
        """The world is whole."""
        if self._folder is not None:
            (self._folder / JOURNAL).unlink(missing_ok=True)


def _intact(folder: Path, shard: Shard) -> bool:
    try:
        return (
            digest((folder / "images" / shard.name).read_bytes()) == shard.image_digest
            and digest((folder / "truth" / shard.name).read_bytes()) == shard.truth_digest
        )
    except OSError:
        return False
