"""All that the outputs of a study are made from, read once: its points, its ended cells, stars, prices and run ids.

What cannot be read is named in `faults` and left out; one odd record never costs a study its report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, Literal

from segfrontier.basics.reading import parse_yaml, read_text
from segfrontier.errors import BadInput, BadStudy, LedgerError
from segfrontier.home.layout import LOG, StudyHome, within
from segfrontier.home.records import HEADLINE, Record, metric_words
from segfrontier.market import Ledger
from segfrontier.market.acts import KINDS
from segfrontier.market.prices import PriceList
from segfrontier.report.frontier import Facet, Point
from segfrontier.report.points import FrontierPoint, compute_unit, entries, facet_of, facet_words
from segfrontier.report.references import Reference, load_references, stars


@dataclass(frozen=True, kw_only=True)
class Harvest:
    """What a study has brought in so far."""

    name: str  # of the study, or of the table
    study: StudyHome | None  # none where a table holds all there is
    records: tuple[Record, ...]  # every ended cell, in the order of the study's table
    waiting: int  # cells that have not ended
    entries: tuple[FrontierPoint, ...]
    stars: tuple[Point, ...]
    prices: Mapping[Facet, PriceList]  # what the points' seconds are made from; none where nothing was bought
    what_if: bool  # the prices are not those that the cells bought under
    runs: Mapping[str, str]
    compute: Literal["GPU", "CPU"]
    yaml: str
    faults: tuple[str, ...]
    metric: str = HEADLINE  # what scores are in

    def log(self, record: Record) -> Path | None:
        """Where a cell's log lies; None where that leads out of the home."""
        if self.study is None:
            return None
        log = self.study.home.cell(record.key) / LOG
        return log if within(self.study.home.path, log) else None

    @property
    def measure(self) -> str:
        """What scores are in, in a word."""
        return metric_words(self.metric)

    @property
    def facets(self) -> dict[Facet, str]:
        """Facets of the points with their words."""
        return {e.point.facet: facet_words(e.point.facet) for e in self.entries}

    @property
    def methods(self) -> tuple[str, ...]:
        """In the order of the study's table, so that a method keeps its colour."""
        return tuple(dict.fromkeys(str(r.cell["method"]) for r in self.records))

    def ended(self, state: str) -> tuple[Record, ...]:
        """The cells that ended so: done, failed or cut."""
        return tuple(r for r in self.records if r.state == state)

    @property
    def words(self) -> str:
        """ "42 cells: 40 done, 2 failed"."""
        if self.study is None:
            return f"{len(self.records)} score{'s' * (len(self.records) != 1)}"
        counts = {state: len(self.ended(state)) for state in ("done", "failed", "cut")}
        counts |= {
            "not ended": self.waiting,
            "unreadable": len(self.study.cell_keys()) - self.waiting - sum(counts.values()),
        }
        told = ", ".join(f"{n} {state}" for state, n in counts.items() if n or state == "done")
        total = len(self.study.cell_keys())
        return f"{total} cell{'s' * (total != 1)}: {told}"


def harvest(
    study: StudyHome, *, prices: PriceList | None = None, references: Sequence[str | Path] | None = None,
    metric: str | None = None,
) -> Harvest:  # fmt: skip
    """Read a study. `prices` replace those that the cells bought under, `references` the files that the study names.

    Scores are in `metric`, by default the one that the study names.
    """
    faults: list[str] = []
    found, waiting = _records(study, faults)
    text = _text(study, faults)
    plain = _plain(text)
    runs, bought = study.runs(), {facet_of(r): prices for r in found} if prices else _bought(study, found, faults)
    faults += _mixed(found)
    faults += _warned(found)
    named = _metric(metric, plain.get("metric"), found, faults)
    made = entries(found, prices=prices, runs=runs, seeds=plain.get("seeds") or (), metric=named)
    words = {e.point.facet: facet_words(e.point.facet) for e in made}
    told = _references(references, plain.get("references") or (), faults)
    return Harvest(
        name=study.name, study=study, records=found, waiting=waiting, entries=made,
        stars=stars(told, words, metric=named), prices={facet: p for facet, p in bought.items() if p is not None},
        what_if=prices is not None, runs=runs, compute=compute_unit(found), yaml=text,
        faults=tuple(faults), metric=named,
    )  # fmt: skip


def _metric(asked: str | None, named: object, records: Iterable[Record], faults: list[str]) -> str:
    """What scores are in. One that was asked for and that no cell has is refused; the study's own is told."""
    metric = asked or (named if isinstance(named, str) else HEADLINE)
    known = sorted({name for r in records if r.state == "done" for name in r.values})
    if known and metric not in known:
        wrong = f"a metric must be one that a cell has; found {metric!r}. Choose one of {', '.join(known)}"
        if asked is not None:
            raise BadInput(wrong)
        faults.append(wrong)
    return metric


def _mixed(records: Iterable[Record]) -> Iterator[str]:
    """A word on each method whose cells were computed by different versions of the code."""
    codes: dict[tuple[str, frozenset[str]], set[str]] = {}
    for record in records:
        codes.setdefault((str(record.cell["method"]), record.kinds), set()).add(record.code)
    for method in dict.fromkeys(method for (method, _), found in codes.items() if len(found) > 1):
        yield f"cells of {method} were computed by different versions of the code: `segfrontier run` renews stale ones"


def _records(study: StudyHome, faults: list[str]) -> tuple[tuple[Record, ...], int]:
    """Records that can be read, and how many cells have none."""
    found, waiting = [], 0
    for key in study.cell_keys():
        folder = study.home.cell(key)
        try:
            record = Record.load(folder)
        except BadInput as error:
            faults.append(f"cell {key}: its record cannot be read ({' '.join(str(error).split())[:200]})")
            continue
        if record is None:
            waiting += 1
        elif wrong := _wrong(record):
            faults.append(f"cell {key}: its record does not rightly say its {', '.join(wrong)}")
        else:
            found.append(record)
    return _in_one_wording(found), waiting


def _warned(records: Collection[Record]) -> Iterator[str]:
    """What methods warn of, each once, with how many cells it is of."""
    found = Counter((str(r.cell["method"]), words) for r in records for words in r.warnings)
    for (method, words), count in found.items():
        yield f"{method}: {words} ({count} {'cell' if count == 1 else 'cells'})"


def _in_one_wording(records: Collection[Record]) -> tuple[Record, ...]:
    """Versions may put a facet into different words: those of its last cell hold."""
    words = {r.facet: r.facet_words for r in sorted(records, key=lambda r: r.ended)}
    return tuple(r if r.facet_words == words[r.facet] else replace(r, facet_words=words[r.facet]) for r in records)


def _wrong(record: Record) -> list[str]:
    """What a record must say, and does not, before it can stand for a cell."""
    cell, budget = record.cell, record.cell.get("hours")
    right = {
        "method": isinstance(cell.get("method"), str),
        "knobs": isinstance(cell.get("knobs"), Mapping),
        "seed": isinstance(cell.get("seed"), int),
        "hours": budget == "all" or (isinstance(budget, int | float) and 0 <= budget < inf),
        "seconds": record.seconds >= 0,
        "acts": record.acts.keys() <= KINDS.keys(),
        "ended": 0 <= record.ended < 1e11,
    }
    return [name for name, is_right in right.items() if not is_right]


def _text(study: StudyHome, faults: list[str]) -> str:
    """The study's file, which is shown; empty where there is none that can be read."""
    file = study.file
    if not within(study.home.path, file):
        faults.append(f"{file}: a study's file must lie in its home; it is a link that leads out of it")
        return ""
    try:
        return read_text(file, what="a study") if file.exists() else ""
    except BadInput as error:
        faults.append(str(error))
        return ""


def _plain(text: str) -> Mapping[str, Any]:
    """The resolved study as plain values; it is shown and asked for its seeds, so that nothing is validated again."""
    try:
        plain = parse_yaml(text, where="study.yaml", what="a study")
    except BadInput:
        return {}
    return plain if isinstance(plain, Mapping) else {}


def _bought(study: StudyHome, records: Iterable[Record], faults: list[str]) -> dict[Facet, PriceList]:
    """The price list of each facet, as its first buyer's was, or the first one's whose account can be read."""
    wrong: dict[Facet, dict[str, None]] = {}
    found: dict[Facet, PriceList] = {}
    for record in records:
        if record.acts and (facet := facet_of(record)) not in found:
            try:
                found[facet] = Ledger(study.home.ledger).prices_of(record.key)
            except (LedgerError, BadInput) as error:
                wrong.setdefault(facet, {})[str(error)] = None
    for facet, errors in wrong.items():
        first, more = next(iter(errors)), f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        faults.append(f"{'' if facet in found else f'prices of {facet_words(facet)} are not known: '}{first}{more}")
    return found


def _references(given: Sequence[str | Path] | None, named: Collection[str], faults: list[str]) -> tuple[Reference, ...]:
    """References that the caller gave must be right; those that the study names are left out with a word."""
    if given is not None:
        return tuple(r for file in given for r in load_references(file))
    found: list[Reference] = []
    for file in named:
        try:
            found += load_references(file)
        except BadStudy as error:
            faults.append(str(error))
    return tuple(found)
