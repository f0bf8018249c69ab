"""Where MLflow keeps runs: an SQLite file under the user's home, or a server. Never a default of the current folder."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from segfrontier.errors import BadInput

SQLITE, ARTEFACTS = "sqlite:///", "mlartifacts"


def resolve(uri: str | None, home: Path, environment: Mapping[str, str] = os.environ) -> str:
    """The tracking URI: the one given, else MLFLOW_TRACKING_URI, else HOME/mlflow.db."""
    chosen = uri or environment.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{home.absolute() / 'mlflow.db'}"
    if not is_server(chosen) and database(chosen) is None:
        raise BadInput(
            f"a tracking URI must be http(s)://HOST:PORT or sqlite:///FILE; found {hidden(chosen)!r}; put other stores "
            f"behind `mlflow server --backend-store-uri ...` and give its address"
        )
    return chosen


def is_server(uri: str) -> bool:
    """Whether someone else keeps the runs."""
    return uri.startswith(("http://", "https://"))


def database(uri: str) -> Path | None:
    """The file of an SQLite URI."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) and len(uri) > len(SQLITE) else None


def artefacts_beside(uri: str) -> Path | None:
    """Where artefacts lie that belong to an SQLite file; a server has its own place."""
    file = database(uri)
    return None if file is None else file.absolute().parent / ARTEFACTS


def hidden(uri: str) -> str:
    """The URI without a password, for people to read."""
    return re.sub(r"//[^/@]*@", "//***@", uri)
