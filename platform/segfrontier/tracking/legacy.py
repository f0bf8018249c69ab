"""The spool of earlier versions, a journal of what MLflow had still to get, is read once and removed.

All that it says of cells stands in their records. Of the study it knows what its runs ran with, which is kept in the
context of the study, and cells that were in the table once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import LARGE, NotPlain, parse_json, read_bounded
from segfrontier.home.context import read_context, write_context
from segfrontier.home.layout import StudyHome
from segfrontier.home.records import RECORD

_MADE_WITH = ("commit", "environment", "worlds")


def adopt_spool(study: StudyHome) -> None:
    """Keep what only the spool of a study knows, and remove it; nothing happens where there is none."""
    spool = study.path / "spool"
    if not spool.is_dir():
        return
    keys, about, at = [], dict[str, Any](), 0.0
    for entry in _entries(spool):
        content = dict(entry["content"])
        if entry["kind"] == "study":
            about, at = content, float(entry["at"])
        elif entry["kind"] == "cell":
            keys.append(str(entry["key"]))
            if not (record := study.home.cell(keys[-1]) / RECORD).exists():
                write_json(record, {name: value for name, value in content.items() if name != "study"})
    if "state" not in read_context(study):
        earlier = {name: about[name] for name in _MADE_WITH if name in about}
        known = {**earlier, "facets": about.get("facets", []), "earlier": earlier}
        write_context(study, about.get("state", "stopped"), known, cells=keys, at=at)
    shutil.rmtree(spool)


def _entries(spool: Path) -> Iterator[Mapping[str, Any]]:
    """What was put there, oldest first; what cannot be read is left out."""
    found = [path for folder in (spool, spool / "done") for path in folder.glob("[0-9]*.json") if path.is_file()]
    for path in sorted(found, key=lambda path: path.name):
        try:
            entry = parse_json(read_bounded(path, LARGE), where=str(path), what="an entry of the spool")
            if isinstance(entry["content"], dict) and float(entry["at"]) and str(entry["key"]):
                yield entry
        except (ValueError, KeyError, TypeError, OverflowError, NotPlain):
            continue
