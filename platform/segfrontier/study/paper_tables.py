"""Studies by name, wherever a study file may stand: a paper's table at its scale, and those that come with us."""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, field_validator

from segfrontier.basics.installed import installed, packaged
from segfrontier.basics.reading import parse_yaml
from segfrontier.basics.settings import Strict
from segfrontier.basics.wording import explain, nearest
from segfrontier.errors import BadStudy
from segfrontier.study.config import Study

SHIPPED = "study"


class PaperTable(Strict):
    """One table or figure of a paper: what it says, the numbers printed there, and the study that makes it again."""

    id: str
    says: str
    printed: dict[str, Any]
    study: dict[str, Any]


class Tables(Strict):
    """A `tables.yaml`."""

    tables: tuple[PaperTable, ...]

    @field_validator("tables")
    @classmethod
    def _are_distinct(cls, tables: tuple[PaperTable, ...]) -> tuple[PaperTable, ...]:
        names = [table.id for table in tables]
        if len(set(names)) < len(names):
            raise ValueError(f"every table needs an id of its own; found {', '.join(sorted(names))}")
        return tables


def load_study(reference: str, assignments: Collection[str] = ()) -> Study:
    """The study of a file, of a table such as `coarse_to_fine:table-2`, or one that comes with us, `study:camvid-cpu`;
    after `--set` assignments.
    """
    method, colon, name = reference.partition(":")
    if method == SHIPPED and colon and not Path(reference).exists():
        return Study.parse(_shipped(name), assignments, where=reference)
    if not colon or method not in installed() or Path(reference).exists():
        return Study.load(reference, assignments)
    tables = {table.id: table for table in tables_of(method)}
    if name not in tables:
        near = nearest(name, tables) if tables else "none"
        raise BadStudy(f"{method} must have the table {name!r}; it has {', '.join(tables) or 'none'} ({near})")
    plain = {"name": f"{method}-{name}".replace("+", "-"), **tables[name].study}
    return Study.parse(yaml.safe_dump(plain), assignments, where=reference)


def shipped() -> tuple[str, ...]:
    """The names of the studies that come with the package."""
    return tuple(sorted(file.name.removesuffix(".yaml") for file in _examples().iterdir()))


def _shipped(name: str) -> str:
    if name not in shipped():
        raise BadStudy(f"{SHIPPED}:{name} must be a study that comes with us; there are {', '.join(shipped())}")
    return (_examples() / f"{name}.yaml").read_text(encoding="utf-8")


def _examples() -> Traversable:
    return files("segfrontier.study") / "examples"


def tables_of(method: str) -> tuple[PaperTable, ...]:
    """The tables that a method's package brings."""
    text = packaged(method, "tables.yaml")
    if text is None:
        return ()
    return parse_tables(text, where=f"tables.yaml of {method}")


def parse_tables(text: str, *, where: str) -> tuple[PaperTable, ...]:
    """Tables from the text of their file."""
    try:
        return Tables.model_validate(parse_yaml(text, where=where, what="tables", error=BadStudy)).tables
    except ValidationError as error:
        raise BadStudy(explain(error, Tables, where=where)) from None
