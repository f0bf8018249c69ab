"""The code behind a cell, and whether it is today's: read from source files, so that asking loads no library."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import entry_points

from segfrontier.errors import BadInput
from segfrontier.home.records import Record
from segfrontier.store.source import code_digest

_ALWAYS = (
    "segfrontier.lab:Lab", "segfrontier.lab:Recipe", "segfrontier.market:Market",
    "segfrontier.market.annotators:annotator_for",
)  # fmt: skip
_STAGES = "segfrontier.lab.keying:ROOTS"


def code_behind(method: object, kinds: Iterable[str]) -> str:
    """The digest of the code behind a cell: method, lab, market, and what computes these kinds of stages."""
    return code_digest(method, *_ALWAYS, *(f"{_STAGES}[{kind}]" for kind in sorted(set(kinds))))


def staleness() -> Callable[[Record], bool]:
    """A question: did other code than today's compute a cell? Not where its method is not installed any more.

    For one look at many records: the sources are read once for each method and set of stages, and then no more.
    """
    places = {entry.name: entry.value for entry in entry_points(group="segfrontier.methods")}

    @cache
    def today(method: str, kinds: frozenset[str]) -> str:
        try:
            return code_behind(places[method], kinds) if method in places else ""
        except BadInput:
            return ""

    def is_stale(record: Record) -> bool:
        code = today(str(record.cell["method"]), frozenset(record.kinds)) if record.code else ""
        return code not in ("", record.code)

    return is_stale
