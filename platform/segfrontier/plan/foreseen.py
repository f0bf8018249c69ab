"""The cells that a study will have. Where a search has still to choose knobs, random ones stand in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from segfrontier.basics.reading import read_json
from segfrontier.home.layout import StudyHome
from segfrontier.study.cells import Cell, cells_of, expand
from segfrontier.study.config import MethodEntry, Search, Study


def foreseen(study: Study, place: StudyHome) -> tuple[tuple[Cell, ...], int]:
    """All cells, and how many of them are stand-ins."""
    if study.search.kind != "optuna":
        return expand(study), 0
    fixed = list(expand(study))
    known = [cell for entry in study.methods for cell in _proposed(study, entry, place)]
    random = [cell for entry in study.methods for cell in _drawn(study, entry, place)]
    cells = {cell.key(): cell for cell in (*fixed, *known, *random)}
    return tuple(cells.values()), len(cells) - len({cell.key() for cell in (*fixed, *known)})


def _proposed(study: Study, entry: MethodEntry, place: StudyHome) -> Iterator[Cell]:
    """Cells of the choices that earlier runs have made."""
    from segfrontier.study.search import chosen

    for params in _kept(study, entry, place):
        with suppress(ValueError):  # of another version, or damaged: the search itself will choose anew
            yield from cells_of(study, entry.name, chosen(entry, params))


def _drawn(study: Study, entry: MethodEntry, place: StudyHome) -> tuple[Cell, ...]:
    """Cells of as many random choices as are still to be made."""
    from segfrontier.study.search import space

    assert study.search.samples is not None
    left = study.search.samples - len(_kept(study, entry, place))
    if left < 1 or not space(entry):
        return ()
    search = Search(kind="random", samples=left, seed=study.search.seed)
    return expand(study.model_copy(update={"methods": (entry,), "search": search}))


def _kept(study: Study, entry: MethodEntry, place: StudyHome) -> list[dict[str, object]]:
    from segfrontier.study.search import space

    content = read_json(place.path / "search.json")
    kept = content.get(entry.name) if isinstance(content, dict) else None
    found = kept[: study.search.samples] if isinstance(kept, list) else []
    return [params for params in found if isinstance(params, dict) and params.keys() == space(entry).keys()]
