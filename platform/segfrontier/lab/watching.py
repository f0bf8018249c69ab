"""What a lab tells of its work while it goes on; a terminal draws it, tests count it, nobody need listen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

if TYPE_CHECKING:
    from segfrontier.store.entry import EntryManifest


class Watcher:
    """Hears of stages, and may ask for their end. This one keeps quiet; override what is wanted."""

    def peeks_at(self, steps: int, steps_an_epoch: int) -> Sequence[int]:  # noqa: ARG002
        """A training of so many steps begins: after which of them to score its weights and tell of them by `peeked`?"""
        return ()

    def stop(self) -> bool:
        """Asked between steps: should work save its state and end here, to be continued by the same call?"""
        return False

    def begin(self, kind: str, key: str) -> None:
        """A stage begins to be computed."""

    def step(self, done: int, total: int, values: Mapping[str, float]) -> None:
        """The stage has come so far."""

    def waiting(self, seconds: float, owner: str) -> None:
        """Another process computes the stage; this one has waited so long."""

    def end(self, kind: str, key: str, *, seconds: float) -> None:
        """The stage is stored."""

    def found(self, kind: str, key: str) -> None:
        """The stage was stored before; nothing is computed."""

    def used(self, manifest: EntryManifest, folder: Path) -> None:
        """A stage's result is at hand in a folder; its manifest says what it took."""

    def trained(self, epochs: float) -> None:
        """A training stage is at hand, computed or found, that showed its first stream's scenes so many times."""

    def peeked(self, epochs: float, miou: float) -> None:
        """The weights after so many epochs of the training that runs now score this on validation."""

    def drawn(self, picture: Path) -> None:
        """A method drew a picture."""

    def noted(self, name: str, value: float) -> None:
        """A method told a number by the way."""
