"""An empty MLflow database, made once (it takes seconds) and copied for each test."""

import shutil
from collections.abc import Iterator

import pytest

from segfrontier.tracking.runs import prepare


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory):
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    prepare(f"sqlite:///{file}")
    return file


@pytest.fixture
def uri(empty_database, tmp_path) -> Iterator[str]:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    yield f"sqlite:///{tmp_path}/mlflow.db"
