"""Which methods are installed, and the files beside their code: found by name, so that asking imports none of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

GROUP = "segfrontier.methods"
"""The entry-point group by which anyone's package can add a method."""


def entries() -> tuple[EntryPoint, ...]:
    """All of the group."""
    return _entries(entry_points, tuple(sys.path))


def installed() -> dict[str, str]:
    """Name -> `module:class` of every installed method."""
    return {entry.name: entry.value for entry in sorted(entries(), key=lambda entry: entry.name)}


def folder_of(method: str) -> Path | None:
    """The folder of the package that holds a method's code; None for a lone module, and where it lies in no folder."""
    top, *inner = installed()[method].partition(":")[0].split(".")
    spec = find_spec(top)  # a top-level package is found without being imported
    for place in () if spec is None else spec.submodule_search_locations or ():
        module = Path(place, *inner)
        return module if module.is_dir() else module.parent
    return None


def packaged(method: str, file: str) -> str | None:
    """The text of a file beside a method's code; None where there is none."""
    try:
        folder = folder_of(method)
        return None if folder is None else (folder / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


@cache
def _entries(look: Callable[..., Iterable[EntryPoint]], path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001
    """Looked for once for each `sys.path`: what is installed does not change while a study runs."""
    return tuple(look(group=GROUP))
