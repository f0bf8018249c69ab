"""Why a training should store its state and go on elsewhere: a node of it is taken back, or there is room for more."""

from __future__ import annotations

import time

from segfrontier.lab._ray.attempt import Attempt
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab._ray.nodes import leaving

ASK_SECONDS, GROW_SECONDS = 1.0, 60.0
"""How often to ask whether a node goes, and whether there is room: starting anew takes workers ten seconds."""


class Moves:
    """Asked all the time while an attempt runs."""

    def __init__(
        self, attempt: Attempt, fleet: WorkerPool, sizes: tuple[int, ...], size: int, *, gpu: bool
    ) -> None:  # fmt: skip
        self._attempt, self._fleet, self._sizes, self._size, self._gpu = attempt, fleet, sizes, size, gpu
        self._asked = self._grown = time.monotonic()

    def reason(self) -> str:
        """Why to move now; nothing where not, nor where the cluster gives no answer: training needs none."""
        now = time.monotonic()
        if now - self._asked < ASK_SECONDS:
            return ""
        self._asked = now
        try:
            return self._found(now)
        except Exception:  # of many kinds, by what has failed of Ray
            return ""

    def _found(self, now: float) -> str:
        nodes = self._attempt.nodes()
        if gone := nodes & leaving():
            return f"{len(gone)} of the {len(nodes)} nodes that train will be taken back"
        if len(self._sizes) > 1 and nodes and now - self._grown >= GROW_SECONDS:
            self._grown = now
            most = self._fleet.size_now(self._sizes, gpu=self._gpu, held=self._size)
            if most > self._size:
                return f"there is room for {most} workers, {self._size} trained"
        return ""
