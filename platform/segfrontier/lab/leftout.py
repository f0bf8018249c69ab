"""Scenes that are left out: one that does not decode costs its own place and nothing else, and is named."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import read_json
from segfrontier.errors import StageError

log = logging.getLogger(__name__)
MAX_BAD_SHARE = 0.01
"""Of the scenes that a stage goes through, this share may be left out, or one of several; more of them end it."""
R_co = TypeVar("R_co", covariant=True)


class RowOrFault(Protocol[R_co]):
    """What came of one image: a row, or a fault."""

    @property
    def row(self) -> R_co | None:
        """None where there is a fault."""

    @property
    def fault(self) -> str:
        """Empty where there is a row."""


def sift(
    results: Iterable[RowOrFault[R_co]],
    faults: list[str],
    *,
    total: int,
    done: str = "labelled",
    max_bad: float = MAX_BAD_SHARE,
) -> Iterator[R_co]:
    """The good rows, in order; faults are collected, warned of at the end, and too many of them stop the stage."""
    for result in results:
        if result.row is not None:
            yield result.row
            continue
        faults.append(result.fault)
        require_few(faults, total=total, done=done, max_bad=max_bad)
    if faults:
        log.warning("%d of %d images could not be %s and are left out: %s", len(faults), total, done, _some(faults))


class LeftOut:
    """What one worker of a training leaves out, by stream: in a file of its own, which outlives a killed run."""

    def __init__(self, work: Path, rank: int) -> None:
        self._file = work / f"left-out-{rank}.json"
        self._known = _kept(self._file)

    def take(self, found: Mapping[str, Sequence[str]]) -> None:
        """Add what was found by now; written at once where it is new, which is rare."""
        merged = _merged([self._known, found])
        if merged != self._known:
            self._known = merged
            write_json(self._file, merged, sync=False)

    @staticmethod
    def of_all(work: Path) -> dict[str, list[str]]:
        """By stream, what all workers left out; empty where every scene could be shown."""
        return _merged([_kept(file) for file in sorted(work.glob("left-out-*.json"))])


def _kept(file: Path) -> dict[str, list[str]]:
    plain: Any = read_json(file) if file.exists() else {}
    return plain if isinstance(plain, dict) else {}


def _merged(several: Iterable[Mapping[str, Sequence[str]]]) -> dict[str, list[str]]:
    lines: dict[str, set[str]] = {}
    for found in several:
        for name, faults in found.items():
            if faults:
                lines.setdefault(name, set()).update(faults)
    return {name: sorted(faults) for name, faults in sorted(lines.items())}


def require_few(faults: Sequence[str], *, total: int, done: str, max_bad: float = MAX_BAD_SHARE) -> None:
    """Raise where more images have faults than may be left out."""
    if len(faults) > max(1, max_bad * total) or len(faults) >= total:
        raise StageError(
            f"{len(faults)} of {total} images could not be {done}; one may be left out, or the share {max_bad:g}, but "
            f"never all: {_some(faults)}"
        )


def _some(faults: Sequence[str]) -> str:
    more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
    return " | ".join(faults[:3]) + more
