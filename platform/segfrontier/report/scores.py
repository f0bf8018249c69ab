"""Scores from elsewhere: a table with a row a score goes through just what the cells of a study go through.

Hours that differ a little, between seeds or between methods, are one budget: like is compared with like.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import StringIO
from math import isfinite, nan
from pathlib import Path
from statistics import fmean, median

from segfrontier.basics.reading import read_text
from segfrontier.basics.wording import nearest
from segfrontier.errors import BadInput
from segfrontier.home.records import Record
from segfrontier.report.load import Harvest
from segfrontier.report.points import FrontierPoint, entries, facet_words
from segfrontier.report.references import load_references, stars

NEEDED, OPTIONAL = ("method", "hours", "score", "seed"), ("facet", "knobs", "acts")
_NEAR = (1.15, 1.1, 1.05, 1.02, 1.0)
"""By what factor hours may differ and be one budget; the first that keeps a method's own budgets apart."""
_MOST_HOURS = _MOST_SCORE = 1e9
_MOST_ROWS, _MOST_BYTES = 100_000, 2**26
"""Of a Parquet file, before and after it is unpacked; a CSV file is text, which `read_text` bounds."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row: what a method scored with so many hours and a seed."""

    method: str
    hours: float
    score: float
    seed: int
    facet: str = ""
    knobs: str = ""
    acts: str = ""  # which labels were bought, in any words: alike where they were the same

    @property
    def who(self) -> tuple[str, str, str]:
        """Whose curve it is a point of."""
        return self.facet, self.method, self.knobs


def read_scores(path: Path, *, references: Sequence[str | Path] | None = None) -> Harvest:
    """The scores of a CSV or Parquet file as the harvest of a study."""
    rows = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    return from_scores(_checked(path, rows), name=path.stem, references=references)


def from_scores(
    scores: Iterable[Score], *, name: str = "scores", references: Sequence[str | Path] | None = None
) -> Harvest:
    """Scores as the harvest of a study."""
    scores = _bought_once(scores)
    budgets = _budgets(scores)
    records = tuple(_record(s, budgets[s.facet][s.hours]) for s in scores)
    given: dict[tuple[str, str, str, float], list[float]] = {}
    for s in scores:
        given.setdefault((*_named(s), budgets[s.facet][s.hours]), []).append(s.hours)
    made = tuple(_exact(e, given) for e in entries(records))
    words = {e.point.facet: facet_words(e.point.facet) for e in made}
    told = [r for file in references or () for r in load_references(file)]
    return Harvest(
        name=name, study=None, records=records, waiting=0, entries=made, stars=stars(told, words), prices={},
        what_if=False, runs={}, compute="CPU", yaml="", faults=(),
    )  # fmt: skip


def _csv(path: Path) -> list[Mapping[str, object]]:
    reader = csv.DictReader(StringIO(read_text(path, what="a table of scores").removeprefix("\ufeff")))
    try:
        names = [str(name).strip() for name in reader.fieldnames or ()]
        rows: list[Mapping[str, object]] = [{str(k): v for k, v in row.items()} for row in reader]
    except csv.Error as error:
        raise BadInput(f"{path}: a table of scores must be CSV with a line of names first; found {error}.") from None
    _require_columns(path, names)
    return rows


def _parquet(path: Path) -> list[Mapping[str, object]]:
    from segfrontier.scenes import parquet

    try:
        with parquet.opened(path) as (file, source):
            names, found = file.schema_arrow.names, file.metadata.num_rows
            _require_columns(path, names)
            if found > _MOST_ROWS:
                raise BadInput(f"{path}: a table of scores may have {_MOST_ROWS} rows; found {found}. Leave rows out.")
            rows: list[Mapping[str, object]] = parquet.read_rows(
                file, source, most=_MOST_BYTES, columns=names
            ).to_pylist()
    except parquet.FAULTS as error:
        raise BadInput(f"{path}: a table of scores must be a Parquet file that can be read; found {error}.") from None
    return rows


def _require_columns(path: Path, names: Sequence[str]) -> None:
    missing = [n for n in NEEDED if n not in names]
    strange = [n for n in names if n not in (*NEEDED, *OPTIONAL)]
    if missing:
        found = ", ".join(names) or "none"
        raise BadInput(f"{path}: a table of scores needs the columns {', '.join(missing)}; found {found}.")
    if strange:
        clue = nearest(strange[0], (*NEEDED, *OPTIONAL))
        raise BadInput(
            f"{path}: a table of scores has the columns {', '.join((*NEEDED, *OPTIONAL))} and no others; found "
            f"{', '.join(map(repr, strange))} ({clue})."
        )
    if len(set(names)) < len(names):
        raise BadInput(f"{path}: a column must stand in a table once; found {', '.join(names)}.")


def _checked(path: Path, rows: Sequence[Mapping[str, object]]) -> list[Score]:
    if not rows:
        raise BadInput(f"{path}: a table of scores needs a row a score; found none.")
    scores = [_score(path, number, row) for number, row in enumerate(rows, 2)]
    seen: dict[tuple[object, ...], int] = {}
    for number, s in enumerate(scores, 2):
        if (first := seen.setdefault((*s.who, s.hours, s.seed), number)) != number:
            what = f"{s.method} {s.knobs}".strip()
            raise BadInput(
                f"{path}, rows {first} and {number}: method, hours, seed, facet and knobs must be a row's own; found "
                f"{what}, {s.hours:g} h, seed {s.seed} twice. Give other runs other seeds."
            )
    return scores


def _score(path: Path, number: int, row: Mapping[str, object]) -> Score:
    where, values = f"{path}, row {number}", {k: row.get(k) for k in (*NEEDED, *OPTIONAL)}
    if "None" in row:  # what csv calls that which stands beyond the last column
        raise BadInput(f"{where}: a row must have a value a column; found more.")
    texts = {k: "" if v is None else str(v).strip() for k, v in values.items()}
    if not texts["method"]:
        raise BadInput(f"{where}: a method must have a name; found none.")
    hours, score, seed = (_number(texts[k]) for k in ("hours", "score", "seed"))
    if not 0 <= hours <= _MOST_HOURS:
        raise BadInput(f"{where}: hours must be a finite number, 0 or more; found {texts['hours']!r}.")
    if not abs(score) <= _MOST_SCORE:
        raise BadInput(
            f"{where}: a score must be a finite number up to 1e9; found {texts['score']!r}. Leave lost runs out."
        )
    if not (isfinite(seed) and seed == int(seed)):
        raise BadInput(f"{where}: a seed must be a whole number; found {texts['seed']!r}.")
    words = {k: texts[k] for k in ("method", *OPTIONAL)}
    return Score(hours=hours, score=score, seed=int(seed), **words)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _bought_once(scores: Iterable[Score]) -> tuple[Score, ...]:
    """Without the rows of a method that bought just what cheaper rows of it bought, and scored the same with a seed."""
    found: dict[tuple[object, ...], Score] = {}
    for i, s in enumerate(scores):
        key = (s.facet, s.method, s.acts, s.seed, s.score) if s.acts else (i,)
        if key not in found or s.hours < found[key].hours:
            found[key] = s
    return tuple(found.values())


def _budgets(scores: Sequence[Score]) -> dict[str, dict[float, float]]:
    """By facet: the budget that each number of hours belongs to."""
    return {facet: _near([s for s in scores if s.facet == facet]) for facet in dict.fromkeys(s.facet for s in scores)}


def _near(scores: Sequence[Score]) -> dict[float, float]:
    found: dict[float, float] = {}
    for factor in _NEAR:
        groups: list[list[float]] = []
        for hours in sorted({s.hours for s in scores}):
            if groups and hours <= factor * groups[-1][0]:
                groups[-1].append(hours)
            else:
                groups.append([hours])
        found = {h: float(f"{median(group):.3g}") if len(group) > 1 else group[0] for group in groups for h in group}
        places = [(s.who, s.seed, found[s.hours]) for s in scores]
        if len(set(places)) == len(places) and len(set(found.values())) == len(groups):
            return found
    return {s.hours: s.hours for s in scores}


def _record(s: Score, budget: float) -> Record:
    facet = _digest(s.facet)
    label = f"{f'{s.method} {s.knobs}'.strip()}, {budget:g} h, seed {s.seed}"
    key = hashlib.sha256(repr((*s.who, s.hours, s.seed)).encode()).hexdigest()[:32]
    cell = {"method": s.method, "knobs": {"": s.knobs}, "hours": budget, "seed": s.seed, "label": label, "split": {}}
    seconds = round(3600 * s.hours)
    return Record(
        key=key, state="done", cell=cell, facet=facet, facet_words=s.facet or "all scores", seconds=seconds,
        values={"miou_present": s.score},
    )  # fmt: skip


def _exact(entry: FrontierPoint, given: Mapping[tuple[str, str, str, float], Sequence[float]]) -> FrontierPoint:
    """The entry at the hours that its rows give, to the last bit."""
    own = {(r.facet, str(r.cell["method"]), str(r.cell["knobs"][""]), float(r.cell["hours"])) for r in entry.cells}
    (who,) = own
    point = replace(entry.point, seconds=3600 * fmean(given[who]), gpu_hours={}, acts=None)
    return replace(entry, point=point)


def _named(s: Score) -> tuple[str, str, str]:
    return _digest(s.facet), s.method, s.knobs


@cache
def _digest(facet: str) -> str:
    return hashlib.sha256(facet.encode()).hexdigest()[:8]
