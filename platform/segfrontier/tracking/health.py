"""How MLflow's store is, looked at without changing it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from segfrontier.tracking.address import database, hidden
from segfrontier.tracking.server import answers, said_at


@dataclass(frozen=True, kw_only=True)
class TrackingHealth:
    """What is at a tracking URI. `version` is a server's MLflow, or the schema of a file; `wanted` what is due here."""

    uri: str
    there: bool
    version: str = ""
    wanted: str = ""
    error: str = ""

    @property
    def current(self) -> bool:
        """Whether nothing has to be migrated."""
        return self.version == self.wanted


def tracking_health(uri: str) -> TrackingHealth:
    """Look at an SQLite file or a server (see `address.resolve` for the URI)."""
    file = database(uri)
    if file is None:
        return _of_server(uri)
    if not file.exists():
        return TrackingHealth(uri=uri, there=False)
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
            (version,) = db.execute("SELECT version_num FROM alembic_version").fetchone() or ("none",)
    except sqlite3.Error as error:
        return TrackingHealth(uri=uri, there=True, error=str(error))
    return TrackingHealth(uri=uri, there=True, version=version, wanted=newest_schema())


def _of_server(uri: str) -> TrackingHealth:
    from importlib.metadata import version

    if not answers(uri.rstrip("/")):
        return TrackingHealth(uri=hidden(uri), there=False, error="it does not answer at /health")
    # Without a version it may stand behind something that lets only the API through.
    found = said_at(f"{uri.rstrip('/')}/version") or "of a version that it does not tell"
    return TrackingHealth(uri=hidden(uri), there=True, version=found, wanted=version("mlflow"))


def newest_schema() -> str:
    """The schema that the MLflow installed here writes."""
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())
