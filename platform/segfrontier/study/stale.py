"""The code behind a cell, and whether it is today's: read from source files, so that asking loads no library."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from segfrontier.basics.atomic import write_json
from segfrontier.basics.installed import installed
from segfrontier.basics.marks import mark
from segfrontier.basics.reading import read_json
from segfrontier.errors import BadInput, DiskFull
from segfrontier.home.records import Record
from segfrontier.scenes.cache import cache_folder
from segfrontier.store.modules import folder_of, stamp
from segfrontier.store.source import code_digest

_ALWAYS = (
    "segfrontier.lab:Lab", "segfrontier.lab:Recipe", "segfrontier.market:Market",
    "segfrontier.market.annotators:annotator_for",
)  # fmt: skip
_CODE = "code.json"
_STAGES = "segfrontier.lab.keying:ROOTS"


def code_behind(method: object, kinds: Iterable[str]) -> str:
    """The digest of the code behind a cell: method, lab, market, and what computes these kinds of stages."""
    return code_digest(method, *_ALWAYS, *(f"{_STAGES}[{kind}]" for kind in sorted(set(kinds))))


def code_of(places: Iterable[str]) -> str:
    """One digest of the code behind several definitions, each as `module:name`; not read twice while files are as they
    were.
    """
    known = _Known.of(installed().values())
    return " ".join(known.digest(place, frozenset()) for place in sorted(places))


def staleness() -> Callable[[Record], bool]:
    """A question: did other code than today's compute a cell? Not where its method is not installed any more.

    For one look at many records: the sources are read once for each method and set of stages, and not even that where
    the cache knows what was found in the very same files.
    """
    places = installed()
    known = _Known.of(places.values())

    @cache
    def today(method: str, kinds: frozenset[str]) -> str:
        return known.digest(places[method], kinds) if method in places else ""

    def is_stale(record: Record) -> bool:
        code = today(str(record.cell["method"]), frozenset(record.kinds)) if record.code else ""
        return code not in ("", record.code)

    return is_stale


@dataclass
class _Known:
    """Digests in the cache, true for as long as no source file came, went or was written."""

    sources: str
    digests: dict[str, str]

    @classmethod
    def of(cls, places: Iterable[str]) -> _Known:
        """What the cache holds of today's files; nothing where that cannot be read."""
        sources, plain = _stamp({"segfrontier", *(place.partition(":")[0].partition(".")[0] for place in places)}), None
        with suppress(RuntimeError):  # a user without a home
            plain = read_json(cache_folder() / _CODE)
        digests = plain.get("digests") if isinstance(plain, dict) and plain.get("sources") == sources else None
        return cls(sources, digests if isinstance(digests, dict) else {})

    def digest(self, place: str, kinds: frozenset[str]) -> str:
        """The digest of the code behind cells; empty where it cannot be read."""
        name = " ".join([place, *sorted(kinds)])
        if not isinstance(self.digests.get(name), str):
            try:
                self.digests[name] = code_behind(place, kinds)
            except BadInput:
                return ""
            with suppress(OSError, DiskFull, RuntimeError):
                mark(cache_folder(), "cache")
                write_json(cache_folder() / _CODE, {"sources": self.sources, "digests": self.digests}, sync=False)
        return self.digests[name]


def _stamp(packages: set[str]) -> str:
    """What changes with any source file of the packages, and with the Python that parses them."""
    places = [place for name in packages if (place := folder_of(name)) is not None]
    files = {file for place in places for file in (*place.rglob("*.py"), place.with_suffix(".py")) if file.is_file()}
    seen = sorted((str(file), *stamp(file)) for file in files)
    return hashlib.blake2b(repr((sys.version, seen)).encode(), digest_size=16).hexdigest()
