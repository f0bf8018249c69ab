"""A home that was moved or copied has its artefacts beside its database: places that are written there follow it.

MLflow keeps whole paths, of wherever a run was made; left as they are, a copy would write into the home it was made of.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from segfrontier.tracking.address import ARTEFACTS, artefacts_beside, database

_OF_EXPERIMENTS = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
)  # fmt: skip


def follow_home(uri: str) -> None:
    """Bring the places of our experiments to where the database lies now; a server's are its own business."""
    file, beside = database(uri), artefacts_beside(uri)
    if file is None or beside is None or not file.exists():
        return
    with closing(sqlite3.connect(file)) as db, db:
        for number, name, place in db.execute("SELECT experiment_id, name, artifact_location FROM experiments"):
            here = (beside / name).as_uri()
            if place != here and _is_ours(place, name):
                _move(db, number, place, here)


def _is_ours(place: str, name: str) -> bool:
    """Whether an experiment's artefacts lay beside its database: people may have put theirs elsewhere."""
    return place.startswith("file://") and place.endswith(Path("/", ARTEFACTS, name).as_uri().removeprefix("file://"))


def _move(db: sqlite3.Connection, experiment: int, place: str, here: str) -> None:
    moved = "= ? || substr({0}, ?) WHERE substr({0}, 1, ?) = ?"
    values = (here, len(place) + 1, len(place), place)
    for table, column in _OF_EXPERIMENTS:
        command = f"UPDATE {table} SET {column} {moved.format(column)} AND experiment_id = ?"
        db.execute(command, (*values, experiment))
    db.execute(f"UPDATE model_versions SET storage_location {moved.format('storage_location')}", values)
