"""The store of stage results: what was computed once is never computed again, and never by two at a time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from segfrontier.basics import marks
from segfrontier.basics.disk import room_at
from segfrontier.errors import BadInput, DiskFull, StageError
from segfrontier.store.entry import Entry
from segfrontier.store.faults import explained
from segfrontier.store.gc import Swept, choose
from segfrontier.store.keys import is_key, plain, text_digest
from segfrontier.store.lease import Pace
from segfrontier.store.rows import Row
from segfrontier.store.shelf import Shelf, clear

if TYPE_CHECKING:
    from pyarrow import fs

    from segfrontier.store.remote import Remote

Waiting = Callable[[float, str], None]
"""Called several times a second while another one computes: seconds waited so far, and who computes."""

_COMPUTING: ContextVar[frozenset[tuple[str, str]]] = ContextVar("_COMPUTING", default=frozenset())
"""The (store, key) pairs that the running code is inside the computation of."""


class _Guard(Protocol):
    """What admits one owner at a time: a file lock or a lease."""

    poll: float

    @property
    def owner(self) -> str: ...
    def take(self) -> bool: ...


class Store:
    """Stage results by key, in a local or shared folder, or in an object store with a local folder as its cache.

    `root` is a path or a URI (`file://`, `s3://`, `gs://`, ...), or a path inside `filesystem` (of pyarrow). A remote
    entry is fetched whole into `cache` (default: below ~/.cache/segfrontier), which is a store of its own for `gc`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        filesystem: fs.FileSystem | None = None,
        cache: str | os.PathLike[str] | None = None,
        pace: Pace | None = None,
    ) -> None:
        text = folder = os.fspath(root)
        shown = re.sub(r"//[^/@]*@", "//", text)  # a URI may hold credentials
        self._remote: Remote | None = None
        if filesystem is not None or "://" in text:
            from pyarrow import fs  # here, because a local store must open in no time

            if filesystem is None:
                filesystem, folder = _opened(text, shown)
            if not isinstance(filesystem, fs.LocalFileSystem):
                from segfrontier.store.remote import Remote

                self._remote = Remote(filesystem, folder.strip("/"), pace or Pace())
                folder = os.fspath(cache or _default_cache(f"{filesystem.type_name}:{shown}"))
        local = Path(folder)
        with suppress(RuntimeError):  # a folder whose name begins with ~ and is no user's
            local = local.expanduser()
        local = local.absolute()
        self.root = shown if self._remote else str(local)
        self._shelf = Shelf(local)
        self._marked = False

    @property
    def cache(self) -> Path | None:
        """The local folder of a remote store; None for a local one."""
        return self._shelf.root if self._remote else None

    def get(self, key: str, *, verify: bool = False) -> Entry | None:
        """The entry if it is stored and intact, else None.

        Sizes are checked each time; digests once per process, when a file looks changed, and always with `verify`. A
        damaged entry is moved to `quarantine` with a warning that names the file. A remote entry is fetched first.
        """
        _check_key(key)
        with self._explained("reading"), ExitStack() as held:
            entry = self._shelf.look(key, verify=verify)
            if self._remote is None:
                return entry
            if entry is not None and not self._remote.has(key):
                self._remote.publish(entry)  # the network failed after it was computed here
            if entry is None and self._remote.has(key):
                entry = self._turn(key, held, None)
            if entry is not None:
                self._remote.note_use(key)
            return entry

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
                found = self._turn(key, held, waiting, lease=True)
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
            self._place.pin(key, on)
        self._mark()

    def ls(self) -> list[Row]:
        """Everything stored, last used first; nothing is checked."""
        with self._explained("listing"):
            return sorted(self._place.rows(), key=lambda row: (-row.used, row.place))

    def gc(
        self,
        *,
        older_than: float | None = None,
        under: int | None = None,
        keep: Collection[str] | None = None,
        rows: Collection[Row] | None = None,
        dry_run: bool = False,
    ) -> Swept:
        """Remove what killed writers left, and what the policies choose (see `choose`) if it is not in use.

        A local entry is in use while any process has an `Entry` of it; a remote one for an hour after its last use.
        With `rows`, just these go: what an earlier dry run has shown.
        """
        self.require(marked=True)
        self._shelf.require_own()
        listed = self.ls()
        chosen = choose(listed, now=time.time(), older_than=older_than, under=under, keep=keep)
        chosen = chosen if rows is None else list(rows)
        with self._explained("removing"):
            leftovers = self._place.sweep(dry_run=dry_run)
            if self._remote is not None and marks.kind_of(self._shelf.root) == "store":  # its cache on this host
                leftovers += self._shelf.sweep(dry_run=dry_run)
            gone = [dry_run or self._place.remove(row) for row in chosen]
        removed = tuple(row for row, went in zip(chosen, gone, strict=True) if went)
        busy = tuple(row for row, went in zip(chosen, gone, strict=True) if not went)
        left = sum(row.size for row in listed) - sum(row.size for row in removed)
        return Swept(removed=removed, busy=busy, leftovers=leftovers, left=left)

    def require(self, *, marked: bool = False) -> None:
        """Refuse a place that is no store; with `marked`, also one that does not say that it is one."""
        if self._remote is not None:
            with self._explained("looking for its mark"):
                mark, looks = self._remote.read(marks.MARK), self._remote.exists()
            found = None if mark is None else marks.kind_in(mark)
        else:
            found = marks.kind_of(self._shelf.root)
            looks = self._shelf.exists()
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
            if self._remote is not None and self._remote.read(marks.MARK) is None:
                self._remote.write(marks.MARK, marks.content("store"))
            self._marked = True

    def _explained(self, doing: str) -> AbstractContextManager[None]:
        return explained(self.root, doing, disk=self._shelf.root)

    @property
    def _place(self) -> Shelf | Remote:
        return self._remote or self._shelf

    def _turn(self, key: str, held: ExitStack, waiting: Waiting | None, *, lease: bool = False) -> Entry | None:
        """Wait until the entry is there, or until this caller is the one to compute it; `held` then holds its locks."""
        lock = self._shelf.lock(key)
        held.callback(lock.release)
        found = self._wait(lock, lambda mine: self._shelf.look(key, owned=mine), waiting)
        if found is not None or self._remote is None:
            return found
        if not lease:
            return self._fetched(key)
        claim = self._remote.lease(key)
        held.callback(claim.release)
        return self._wait(claim, lambda _: self._fetched(key), waiting)

    def _wait(self, guard: _Guard, look: Callable[[bool], Entry | None], waiting: Waiting | None) -> Entry | None:
        started, pause = time.monotonic(), 0.005
        while not guard.take():
            if (found := look(False)) is not None:
                return found
            if waiting is not None:
                waiting(time.monotonic() - started, guard.owner)
            time.sleep(pause)
            pause = min(2 * pause, guard.poll)
        return look(True)

    def _fetched(self, key: str) -> Entry | None:
        """The remote entry, as its local copy; the caller owns the key's lock."""
        assert self._remote is not None
        if not self._remote.has(key):
            return None
        staging = self._shelf.fresh(key)
        if self._remote.fetch(key, staging):
            return self._shelf.publish(key)
        clear(staging)
        return None

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
        if self._remote is not None:
            with self._explained(f"uploading (the result is kept in {entry.path} and goes up at the next start)"):
                self._remote.publish(entry)
        return entry


def _opened(uri: str, shown: str) -> tuple[fs.FileSystem, str]:
    from pyarrow import fs

    try:
        found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(uri)
    except (ValueError, OSError) as error:
        raise BadInput(
            f"a stage store must be a folder or a URI that pyarrow can open (file://, s3://, gs://); found {shown!r}: "
            f"{error}; check the scheme, the address and the credentials"
        ) from error
    return found


def _default_cache(identity: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base) / "segfrontier" / "stages" / text_digest(ascii(identity))[:16]


def _check_key(key: str) -> None:
    if not is_key(key):
        raise ValueError(f"a key must be made of letters, digits, - and _ (see stage_key); found {key!r}")
