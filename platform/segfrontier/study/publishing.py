"""MLflow in step with a study that runs: what it runs with is kept in the home, a companion syncs the rest."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from segfrontier.home.context import StudyState, write_context
from segfrontier.home.layout import StudyHome
from segfrontier.home.records import RECORD
from segfrontier.study.environment import commit, environment
from segfrontier.study.job import this_job
from segfrontier.tracking import Companion, resolve
from segfrontier.tracking.legacy import adopt_spool

_PATIENCE = 10.0

NONE = "none"
"""The tracking URI of those who want no MLflow; whatever syncs later finds all the same."""


class Publisher:
    """Shows a study in MLflow while the block lasts; the talking is done by a process of its own."""

    def __init__(
        self, study: StudyHome, worlds: Mapping[str, str], facets: Collection[str], *, uri: str | None
    ) -> None:
        self._study = study
        self._companion = None if uri == NONE else Companion(study, resolve(uri, study.home.path))
        self._about = {
            "worlds": worlds, "facets": sorted(facets), "environment": environment(), "commit": commit(),
            "job": this_job(),
        }  # fmt: skip
        self.left = 0
        """How many runs MLflow does not have in full, where it is wanted, once the block has ended."""

    def __enter__(self) -> Publisher:
        adopt_spool(self._study)
        self.state("running")
        if self._companion is not None:
            self._companion.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._companion is not None:
            self.left = self._companion.close(wait=kind is not KeyboardInterrupt)

    def state(self, state: StudyState) -> None:
        """How the study stands."""
        write_context(self._study, state, self._about, cells=self._study.cell_keys())

    def settle(self) -> None:
        """Give the companion a moment, so that reports can name the runs."""
        keys = {key for key in self._study.cell_keys() if (self._study.home.cell(key) / RECORD).exists()}
        until = time.monotonic() + _PATIENCE
        while self._companion is not None and self._companion.works and time.monotonic() < until:
            if keys <= self._study.runs().keys():
                return
            time.sleep(0.1)
