"""Taking turns on a cluster that others share: who holds CPUs, who waits for some, and when to begin nothing.

Ray tries a group that waits once a second at most, so whoever asks for a CPU the moment it is free is first, for ever.
A study therefore begins nothing while another one waits that would hold no more than itself; a CPU that cannot be
shared goes from the one to the other. What one holds back for may never come (a group larger than the cluster), so
patience has an end, and a pause follows in which it asks nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

import ray

log = logging.getLogger(__name__)
PATIENCE, PAUSE = 10.0, 50.0
"""Seconds: how long to hold back at a time, and for how long not to do so again where it was in vain."""


class Reservation(NamedTuple):
    """CPUs that a job has reserved together, or waits to."""

    job: str
    cpus: float
    placed: bool


def owes_a_turn(groups: Iterable[Reservation], job: str, cpus: float) -> bool:
    """Whether another job waits for a group with which it would hold no more than this one's `cpus`."""
    held: dict[str, float] = {}
    others = [group for group in groups if group.job != job]
    for group in others:
        held[group.job] = held.get(group.job, 0) + group.cpus * group.placed
    return any(not group.placed and held[group.job] + group.cpus <= cpus + 1e-9 for group in others)


@dataclass
class Turns:
    """When a job of Ray holds back."""

    look: Callable[[], list[Reservation]]
    job: str
    clock: Callable[[], float] = monotonic
    _since: float | None = field(default=None, init=False)
    _deaf: float = field(default=float("-inf"), init=False)

    def hold_back(self, cpus: float) -> bool:
        """Whether to begin nothing now that would make this job hold so many CPUs in all."""
        now = self.clock()
        if now < self._deaf:
            return False
        if not owes_a_turn(self.look(), self.job, cpus):
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        if now - self._since < PATIENCE:
            return True
        self._since, self._deaf = None, now + PAUSE
        return False


def turns() -> Turns:
    """Those of this process's job among all on its cluster."""
    return Turns(_groups, ray.get_runtime_context().get_job_id())


def _groups() -> list[Reservation]:
    """The groups of living jobs. Ray's public table of them does not say whose they are; without it nobody waits."""
    try:
        from ray._private.state import state
        from ray.core.generated.gcs_pb2 import PlacementGroupTableData

        table = state._connect_and_get_accessor().get_placement_group_table()
        rows = [PlacementGroupTableData.FromString(row) for row in table]
        alive = [row for row in rows if row.state != row.REMOVED and not row.creator_job_dead]
        return [Reservation(row.creator_job_id.hex(), _cpus(row), row.state == row.CREATED) for row in alive]
    except Exception:
        log.debug("Ray does not tell who waits for CPUs", exc_info=True)
        return []


def _cpus(row: Any) -> float:
    return float(sum(bundle.unit_resources.get("CPU", 0) for bundle in row.bundles))
