"""Progress of a lab's stages on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segfrontier.commands.console import progress_bars
from segfrontier.lab.watching import Watcher


class StageBars(Watcher):
    """A bar a stage: rate, time left and the latest loss. Where stderr is no terminal, one line a finished stage."""

    def __enter__(self) -> StageBars:
        self._bars: Any = progress_bars()
        self._task: Any = None
        self._bars.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bars.__exit__(*error)

    def begin(self, kind: str, key: str) -> None:
        """See `Watcher`."""
        self._task = self._bars.add_task(f"{kind} {key[:8]}", total=None, note="")

    def step(self, done: int, total: int, values: Mapping[str, float]) -> None:
        """See `Watcher`."""
        if self._task is not None:
            rates = ("samples_a_second", "data_wait")
            losses = [f"{k} {v:.3f}" for k, v in values.items() if k not in rates and not k.startswith("lr/")]
            pace = [f"{values['samples_a_second']:.0f} img/s"] if "samples_a_second" in values else []
            wait = [f"data wait {values['data_wait']:.0%}"] if values.get("data_wait", 0) > 0.05 else []
            self._bars.update(self._task, completed=done, total=total, note=", ".join(losses[:3] + pace + wait))

    def waiting(self, seconds: float, owner: str) -> None:
        """See `Watcher`."""
        if self._task is None:
            self._task = self._bars.add_task("waiting", total=None, note="")
        self._bars.update(self._task, note=f"{owner} computes this stage ({seconds:.0f} s)")

    def end(self, kind: str, key: str, *, seconds: float) -> None:
        """See `Watcher`."""
        self._say(f"{kind} {key[:8]}: done in {seconds:.1f} s")

    def found(self, kind: str, key: str) -> None:
        """See `Watcher`."""
        self._say(f"{kind} {key[:8]}: found in the store")

    def _say(self, line: str) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self._bars.console.print(line, style="dim")
