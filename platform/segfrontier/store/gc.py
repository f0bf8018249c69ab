"""What may go: the policies of garbage collection, as pure decisions over the rows of a listing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from segfrontier.store.rows import StoreRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a garbage collection did, or with `dry_run` would do."""

    removed: tuple[StoreRow, ...]
    busy: tuple[StoreRow, ...]
    """Chosen, but in use or being computed: they stay. Not known in a dry run."""
    leftovers: int
    """Folders of killed writers that went too."""
    left: int
    """Bytes that remain."""

    @property
    def freed(self) -> int:
        """Bytes that went."""
        return sum(row.size for row in self.removed)


def choose(
    rows: Iterable[StoreRow],
    *,
    now: float,
    older_than: float | None = None,
    under: int | None = None,
    keep: Collection[str] | None = None,
) -> list[StoreRow]:
    """The rows that may go, least recently used first.

    `keep` saves these keys and all they were computed from, as pins do. Of the rest goes what was last used more than
    `older_than` seconds ago, then as much as brings the store's bytes down to `under`; all of it if neither is given.
    """
    rows = sorted(rows, key=lambda row: (row.used, row.place))
    saved = reachable(rows, {row.key for row in rows if row.pinned} | set(keep or ()))
    free = [row for row in rows if row.state != "stored" or row.key not in saved]
    if older_than is None and under is None:
        return free if keep is not None else []
    chosen = [row for row in free if older_than is not None and now - row.used > older_than]
    if under is not None:
        excess = sum(row.size for row in rows) - sum(row.size for row in chosen) - under
        for row in free[len(chosen) :]:  # both are sorted by age: what was chosen comes first
            if excess <= 0:
                break
            chosen.append(row)
            excess -= row.size
    return chosen


def reachable(rows: Iterable[StoreRow], roots: Iterable[str]) -> set[str]:
    """The keys of `roots` and of everything they were computed from, as far as it is stored."""
    inputs = {row.key: row.inputs for row in rows if row.state == "stored"}
    found: set[str] = set()
    todo = list(roots)
    while todo:
        key = todo.pop()
        if key not in found:
            found.add(key)
            todo.extend(inputs.get(key, ()))
    return found
