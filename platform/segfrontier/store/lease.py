"""Single flight where there are no locks: a lease object in an object store, kept alive by a heartbeat.

Best effort, not a lock: where writes take longer than `settle` to show, or where an owner was cut off for longer than
`patience`, two hosts can both become owner. That costs a second computation and no more, because every publication has
a place of its own and the last commit mark wins whole. A lease is stale when a waiter sees it unchanged on its own
clock, so the hosts' clocks need not agree. A killed owner is replaced after `patience`, not at once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Protocol

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How leases are timed, in seconds."""

    settle: float = 1.0
    """Between writing a lease and reading it back: the time within which another's write shows."""
    beat: float = 5.0
    patience: float = 30.0
    """A lease that has not changed for this long belongs to nobody."""


class Objects(Protocol):
    """The three acts of an object store that a lease needs."""

    def read(self, path: str) -> bytes | None: ...
    def write(self, path: str, content: bytes) -> None: ...
    def delete(self, path: str) -> None: ...


class Lease:
    """The wish to be the one host that computes a key, written at `path`."""

    def __init__(self, objects: Objects, path: str, pace: Pace) -> None:
        self._objects, self._path, self._pace = objects, path, pace
        self.poll = pace.beat / 5
        self._name = f"process {os.getpid()} on {socket.gethostname()} ({uuid.uuid4().hex})"
        self._seen = ""
        self._since = 0.0
        self._end = threading.Event()
        self._heart: threading.Thread | None = None

    def take(self) -> bool:
        """Become the owner if there is none alive; takes `settle` seconds where it tries."""
        found = self._read()
        if found:
            if found != self._seen:
                self._seen, self._since = found, time.monotonic()
            if time.monotonic() - self._since < self._pace.patience:
                return False
        self._write(0)
        time.sleep(self._pace.settle)
        if not self._mine():
            return False
        self._heart = threading.Thread(target=self._beat, name="store-lease", daemon=True)
        self._heart.start()
        return True

    def release(self) -> None:
        """Let the next one in; nothing happens where the lease is not held."""
        if self._heart is None:
            return
        self._end.set()
        self._heart.join()
        self._heart = None
        try:
            if self._mine():
                self._objects.delete(self._path)
        except OSError as error:
            log.warning("a lease could not be given back (%s); others wait %.0f s for it", error, self._pace.patience)

    @property
    def owner(self) -> str:
        """Who holds it, in words."""
        return self._seen or "another host"

    def _read(self) -> str:
        return (self._objects.read(self._path) or b"").decode(errors="replace")

    def _write(self, beat: int) -> None:
        self._objects.write(self._path, f"{self._name} beat {beat}".encode())

    def _mine(self) -> bool:
        return self._read().startswith(self._name)

    def _beat(self) -> None:
        number = 0
        while not self._end.wait(self._pace.beat):
            number += 1
            try:
                if not self._mine():
                    log.warning("another host took the lease over; both compute the stage, which is harmless")
                    return
                self._write(number)
            except OSError as error:
                log.warning("the heartbeat of a lease failed: %s", error)
