"""How a study stands and what it ran with last: STUDY/context.json, for whoever shows it, written by its runs alone."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import read_json
from segfrontier.home.layout import StudyHome, is_key, warn_of_damage

CONTEXT = "context.json"
StudyState = Literal["running", "done", "failed", "stopped"]


_KINDS: dict[str, type | tuple[type, ...]] = {
    "state": str, "began": (int, float), "at": (int, float), "worlds": dict, "facets": list, "environment": dict,
    "commit": str, "job": str, "cells": list, "earlier": dict,
}  # fmt: skip


def read_context(study: StudyHome) -> dict[str, Any]:
    """What was written last, as far as it is sound; empty where nothing was.

    `state`, `began`, `at`: how it stands, since when. `worlds`, `facets`, `environment`, `commit`: what it ran with.
    `job`: the id of the job of Ray as which it ran; empty where it was none.
    `cells`: the keys of all cells that its table ever had. `earlier`: what an earlier version knew of its cells.
    """
    plain = read_json(file := study.path / CONTEXT)
    if isinstance(plain, dict):
        sound = {name: plain[name] for name, kind in _KINDS.items() if isinstance(plain.get(name), kind)}
        if sound.get("state") not in get_args(StudyState):
            sound.pop("state", None)
        sound["cells"] = [key for key in sound.get("cells", ()) if isinstance(key, str) and is_key(key)]
        return sound
    warn_of_damage(file, "what its study ran with; the next run writes it anew")
    return {}


def write_context(
    study: StudyHome,
    state: StudyState,
    more: Mapping[str, Any],
    *,
    cells: Collection[str] = (),
    at: float | None = None,
) -> None:
    """The study is in a state from now on, with `more` of what it runs with; what is not given stays as it was."""
    known, at = read_context(study), time.time() if at is None else at
    kept = dict.fromkeys([*known.get("cells", ()), *cells])
    write_json(study.path / CONTEXT, {"began": at, **known, **more, "state": state, "at": at, "cells": list(kept)})
