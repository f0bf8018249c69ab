"""How large a study may be. Each limit is far above what anyone runs, and refuses at once what no machine could."""

from __future__ import annotations

from typing import Any

from segfrontier.basics.wording import place, shown

CELLS = 100_000
"""Cells of a study, counted from its lists before any of them is made."""
ENTRIES, KEYS = 10_000, 1_000
"""Entries of a list, keys of a mapping."""
STEPS = 10_000
"""Values of a range."""
SAMPLES = 100_000
"""Choices of a search."""
HOURS = 10**9
"""Hours of a budget, or of a limit."""
WHOLE = 2**63 - 1
"""The largest whole number, in either direction: what a file, a database and a random generator can hold."""
DEVICES = 10_000
LOADERS = 1_000
"""Cells side by side, workers of a stage, CPUs or GPUs of a cell."""
MEMORY = 2**20
"""GiB of memory of a cell."""
TOGETHER = 256
"""Images that a model looks at together."""
NAME, TEXT = 100, 1_000
"""Characters of a study's name, and of a path or address."""


def misfits(plain: Any, at: tuple[str | int, ...] = ()) -> list[str]:
    """Whole numbers and lists of plain values that are too large, each by its place."""
    if isinstance(plain, int) and abs(plain) > WHOLE:
        return [f"{place(at)}: a whole number must lie within 64 bits; found {shown(plain)}"]
    if isinstance(plain, list) and len(plain) > ENTRIES:
        return [f"{place(at)}: a list may hold {ENTRIES} entries; found {len(plain)}"]
    if isinstance(plain, dict) and len(plain) > KEYS:
        return [f"{place(at) or 'the study'}: a mapping may hold {KEYS} keys; found {len(plain)}"]
    entries: Any = ()
    if isinstance(plain, dict):
        entries = plain.items()
    elif isinstance(plain, list):
        entries = enumerate(plain)
    return [line for key, value in entries for line in misfits(value, (*at, key))]
