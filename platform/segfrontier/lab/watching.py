"""What a lab tells of its work while it goes on; a terminal draws it, tests count it, nobody need listen."""

from __future__ import annotations

from collections.abc import Mapping


class Watcher:
    """Hears of stages. This one keeps quiet; override what is wanted."""

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

    def trained(self, epochs: float) -> None:
        """A training stage is at hand, computed or found, that showed its first stream's scenes so many times."""

    def noted(self, name: str, value: float) -> None:
        """A method told a number by the way."""
