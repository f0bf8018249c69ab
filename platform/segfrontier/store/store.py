"""The store of stage results: what was computed once is never computed again, and never by two at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from segfrontier.basics import marks
from segfrontier.basics.disk import room_at
from segfrontier.errors import BadInput, DiskFull, StageError
from segfrontier.store.entry import Entry
from segfrontier.store.faults import explained
from segfrontier.store.gc import Swept, choose
from segfrontier.store.keys import is_key, plain
from segfrontier.store.rows import StoreRow
from segfrontier.store.shelf import Shelf, clear

Waiting = Callable[[float, str], None]
"""Called several times a second while another one computes: seconds waited so far, and who computes."""

_COMPUTING: ContextVar[frozenset[tuple[str, str]]] = ContextVar("_COMPUTING", default=frozenset())
"""The (store, key) pairs that the running code is inside the computation of."""


class Store:
    """Stage results by key, in a folder that all of its users see."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        scheme, uri, _ = os.fspath(root).partition("://")
        if uri:  # only its beginning is repeated: a URI may hold credentials
            raise BadInput(f"a store must be a folder; found {scheme}://... Mount what lies there, and give its path.")
        place = Path(root)
        with suppress(RuntimeError):  # a folder whose name begins with ~ and is no user's
            place = place.expanduser()
        self.root = str(place.absolute())
        self._shelf = Shelf(place.absolute())
        self._marked = False

    def get(self, key: str, *, verify: bool = False) -> Entry | None:
        """The entry if it is stored and intact, else None.

        Sizes are checked each time; digests once per process, when a file looks changed, and always with `verify`. A
        damaged entry is moved to `quarantine` with a warning that names the file.
        """
        _check_key(key)
        with self._explained("reading"):
            return self._shelf.look(key, verify=verify)

    def once(
        self, key: str, compute: Callable[[Path], None], *, about: Mapping[str, Any], waiting: Waiting | None = None
    ) -> Entry:
        """The stored entry; else one of all who ask computes it, into an empty folder, while the others wait.

        `about` goes into `entry.json`: the `kind`, and by custom `arguments` and `inputs` (names to keys, which `gc`
        follows). An owner that dies frees its key at once. Where `compute` raises, nothing is stored, the error goes to
        that caller alone, and the waiting ones try in turn. Inside `compute` any other key may be asked for.
        """
        if (self.root, key) in _COMPUTING.get():
            raise StageError(f"a stage must not need its own result; {key} was asked for while it is computed here")
        about = plain(about, at="about")
        assert isinstance(about.get("kind"), str), "about must name the stage's kind"
        found = self.get(key)
        self._mark()
        if found is not None:
            return found
        with ExitStack() as held:
            with self._explained("waiting for a turn"):
                found = self._turn(key, held, waiting)
            return found if found is not None else self._compute(key, compute, about)

    def scratch(self, key: str) -> Path:
        """Where `compute` may keep checkpoints: a folder that outlives a killed owner and goes with publication."""
        _check_key(key)
        self._mark()
        with self._explained("writing"):
            return self._shelf.scratch_of(key)

    def pin(self, key: str, *, on: bool = True) -> None:
        """Keep an entry, and all it was computed from, from being removed by `gc`; or no longer."""
        _check_key(key)
        with self._explained("pinning"):
            self._shelf.pin(key, on)
        self._mark()

    def ls(self) -> list[StoreRow]:
        """Everything stored, last used first; nothing is checked."""
        with self._explained("listing"):
            return sorted(self._shelf.rows(), key=lambda row: (-row.used, row.place))

    def gc(
        self,
        *,
        older_than: float | None = None,
        under: int | None = None,
        keep: Collection[str] | None = None,
        rows: Collection[StoreRow] | None = None,
        dry_run: bool = False,
    ) -> Swept:
        """Remove what killed writers left, and what the policies choose (see `choose`) if it is not in use.

        An entry is in use while any process has an `Entry` of it.
        With `rows`, just these go: what an earlier dry run has shown.
        """
        self.require(marked=True)
        self._shelf.require_own()
        listed = self.ls()
        chosen = choose(listed, now=time.time(), older_than=older_than, under=under, keep=keep)
        chosen = chosen if rows is None else list(rows)
        with self._explained("removing"):
            leftovers = self._shelf.sweep(dry_run=dry_run)
            gone = [dry_run or self._shelf.remove(row) for row in chosen]
        removed = tuple(row for row, went in zip(chosen, gone, strict=True) if went)
        busy = tuple(row for row, went in zip(chosen, gone, strict=True) if not went)
        left = sum(row.size for row in listed) - sum(row.size for row in removed)
        return Swept(removed=removed, busy=busy, leftovers=leftovers, left=left)

    def require(self, *, marked: bool = False) -> None:
        """Refuse a place that is no store; with `marked`, also one that does not say that it is one."""
        found, looks = marks.kind_of(self._shelf.root), self._shelf.exists()
        if found == "store" or (looks and not marked):
            return
        says = f"its {marks.MARK} says it is a {found}" if found else f"it has no {marks.MARK} that says so"
        if not looks:
            says += ", and nothing that a run stores"
        raise BadInput(
            f"{self.root} must be a store of SegFrontier; {says}. Correct the path (a home keeps its store in "
            f"HOME/store){'; a store of an earlier version is marked by the next run that uses it' if looks else ''}."
        )

    def _mark(self) -> None:
        """Have the place say that it is a store, once a process; one that cannot be written to stays as it is."""
        if self._marked:
            return
        with suppress(OSError, DiskFull):
            if marks.kind_of(self._shelf.root) is None:  # never over what a home or a cache says
                marks.mark(self._shelf.root, "store")
            self._marked = True

    def _explained(self, doing: str) -> AbstractContextManager[None]:
        return explained(self.root, doing, disk=self._shelf.root)

    def _turn(self, key: str, held: ExitStack, waiting: Waiting | None) -> Entry | None:
        """Wait until the entry is there, or until this caller is the one to compute it; `held` then holds its lock."""
        lock = self._shelf.lock(key)
        held.callback(lock.release)
        started, pause = time.monotonic(), 0.005
        while not lock.take():
            if (found := self._shelf.look(key)) is not None:
                return found
            if waiting is not None:
                waiting(time.monotonic() - started, lock.owner)
            time.sleep(pause)
            pause = min(2 * pause, lock.poll)
        return self._shelf.look(key, owned=True)

    def _compute(self, key: str, compute: Callable[[Path], None], about: Mapping[str, Any]) -> Entry:
        """Compute and publish; the caller owns the key."""
        with self._explained("writing"):
            staging = self._shelf.fresh(key)
        inside = _COMPUTING.set(_COMPUTING.get() | {(self.root, key)})
        started = time.perf_counter()
        try:
            with room_at(self._shelf.root):
                compute(staging)
            with self._explained("writing"):
                self._shelf.seal(key, about, time.perf_counter() - started)
                entry = self._shelf.publish(key)
        except BaseException:
            with suppress(OSError):
                clear(staging)
            raise
        finally:
            _COMPUTING.reset(inside)
        return entry


def _check_key(key: str) -> None:
    if not is_key(key):
        raise ValueError(f"a key must be made of letters, digits, - and _ (see stage_key); found {key!r}")
