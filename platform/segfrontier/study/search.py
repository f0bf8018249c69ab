"""Model-based search: Optuna proposes the knobs of a method, the study's cells with these knobs are the answer.

What was proposed is kept beside the study, so that a run that is started again goes on with the same proposals. Each
proposal depends on the seed, its number and the scores known by then, on nothing else.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import read_json
from segfrontier.home.layout import Home, warn_of_damage
from segfrontier.home.records import Record
from segfrontier.lab.methods import method_class
from segfrontier.lab.streams import stable_seed
from segfrontier.study.cells import cells_of
from segfrontier.study.config import MethodEntry, Study
from segfrontier.study.knobs import Range, settable
from segfrontier.study.queue import Feed, Keyed

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass
class _Proposal:
    """A choice of knobs, and the keys of its cells that are still to end."""

    trial: optuna.Trial
    keys: tuple[str, ...]
    open: set[str]


@dataclass
class Suggestions:
    """The feed of one method whose knobs are open."""

    study: Study
    entry: MethodEntry
    home: Home
    file: Path
    keyed: Keyed
    _asked: int = 0
    _queue: deque[str] = field(default_factory=deque)
    _open: dict[str, list[_Proposal]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._space = space(self.entry)
        self._optuna = optuna.create_study(direction="maximize")
        self._kept = _proposals(self.file).get(self.entry.name, [])

    @property
    def over(self) -> bool:
        """All proposals are made and given out."""
        assert self.study.search.samples is not None
        return self._asked >= self.study.search.samples and not self._queue

    def next(self) -> str | None:
        """A cell of a proposal; a new proposal where the last one's are all given out."""
        while not self._queue and not self.over:
            self._propose()
        return self._queue.popleft() if self._queue else None

    def ended(self, key: str, record: Record | None) -> None:  # noqa: ARG002
        """Tell Optuna the mean score of every proposal that this cell completes."""
        for proposal in self._open.pop(key, ()):
            proposal.open.discard(key)
            self._settle(proposal)

    def _propose(self) -> None:
        if self._asked < len(self._kept):
            self._optuna.enqueue_trial(self._kept[self._asked])
        # A sampler of its own for each proposal: what it draws does not depend on how often a run was started again.
        seed = stable_seed(self.study.search.seed, self.entry.name, self._asked) % 2**32
        self._optuna.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = self._optuna.ask(self._space)
        if self._asked >= len(self._kept):
            self._kept.append(dict(trial.params))
            write_json(self.file, _proposals(self.file) | {self.entry.name: self._kept})
        self._asked += 1
        keys = tuple(self.keyed(cells_of(self.study, self.entry.name, chosen(self.entry, trial.params))))
        waiting = [k for k in keys if not self._is_done(k)]
        proposal = _Proposal(trial, keys, set(waiting))
        for key in proposal.open:
            self._open.setdefault(key, []).append(proposal)
        self._queue.extend(waiting)
        self._settle(proposal)

    def _is_done(self, key: str) -> bool:
        record = Record.read(self.home.cell(key))
        return record is not None and record.state == "done"

    def _settle(self, proposal: _Proposal) -> None:
        if proposal.open:
            return
        found = [Record.read(self.home.cell(key)) for key in proposal.keys]
        scores = [r.values.get(self.study.search.metric, math.nan) for r in found if r is not None]
        if len(scores) == len(proposal.keys) and all(map(math.isfinite, scores)):
            self._optuna.tell(proposal.trial, fmean(scores))
        else:
            self._optuna.tell(proposal.trial, state=optuna.trial.TrialState.FAIL)


def _proposals(file: Path) -> dict[str, list[dict[str, Any]]]:
    """What was proposed so far by method; nothing where that cannot be read: the same proposals come again."""
    plain = read_json(file)
    if isinstance(plain, dict) and all(
        isinstance(kept, list) and all(isinstance(params, dict) for params in kept) for kept in plain.values()
    ):
        return plain
    warn_of_damage(file, "the proposals of a search")
    return {}


def space(entry: MethodEntry) -> dict[str, BaseDistribution]:
    """What Optuna may choose from: the knobs of a method that have more than one value."""
    kinds = settable(method_class(entry.name))
    found: dict[str, BaseDistribution] = {}
    for knob, option in entry.choices().items():
        if not isinstance(option, Range):
            if len(option) > 1:
                found[knob] = CategoricalDistribution(tuple(range(len(option))))  # by place: values may be lists
        elif option.steps is not None:
            found[knob] = CategoricalDistribution(option.values(whole=kinds[knob] is int))
        elif kinds[knob] is int:
            found[knob] = IntDistribution(math.ceil(option.low), math.floor(option.high), log=option.log)
        else:
            found[knob] = FloatDistribution(option.low, option.high, log=option.log)
    return found


def chosen(entry: MethodEntry, params: Mapping[str, Any]) -> dict[str, Any]:
    """All of the entry's knobs, with those that Optuna chose at its choice."""
    knobs: dict[str, Any] = {}
    for knob, option in entry.choices().items():
        if isinstance(option, Range):
            knobs[knob] = params[knob]
        else:
            knobs[knob] = option[params.get(knob, 0)]
    return knobs


@dataclass
class Several:
    """Feeds one after another; what has ended is told to all."""

    feeds: list[Feed]

    @property
    def over(self) -> bool:
        """All of them are."""
        return all(feed.over for feed in self.feeds)

    def next(self) -> str | None:
        """From the first that has one now."""
        return next((key for feed in self.feeds if (key := feed.next()) is not None), None)

    def ended(self, key: str, record: Record | None) -> None:
        """See `Feed`."""
        for feed in self.feeds:
            feed.ended(key, record)
