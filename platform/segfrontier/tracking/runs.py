"""Runs in MLflow, found by what they are about and never duplicated. The only file that imports mlflow.

Saying the same thing twice changes nothing: a run is looked up by its tag before one is made, MLflow drops a metric
value that it has already, and times come from the record, not from the clock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

# One request is tried once: a repeated "create" that had reached the server would make a second run. The spool retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

from segfrontier.errors import SegFrontierError
from segfrontier.tracking.address import artefacts_beside, database, hidden
from segfrontier.tracking.points import Point
from segfrontier.tracking.payload import RunPayload, Value
from segfrontier.tracking.views import experiment_tags

NOTE_TAG, PARENT_TAG = "mlflow.note.content", "mlflow.parentRunId"
_SERVED = "mlflow-artifacts:"
_AT_ONCE = 900  # entities in a request; MLflow takes 1000


class Runs:
    """The runs of one study: an experiment of its name, a parent run, a child run for each cell."""

    def __init__(self, uri: str, study: str) -> None:
        with _first(uri):
            self.client = MlflowClient(uri)
            self.experiment, place = self._experiment(uri, study)
        beside = artefacts_beside(uri)
        # An experiment that a server made over this very file: only that server knows its artefacts by this name.
        served = beside is not None and place.startswith(_SERVED)
        self._folder = beside / place.removeprefix(_SERVED).lstrip("/") if beside and served else None

    @property
    def beside_server(self) -> bool:
        """Whether artefacts have addresses that only a server knows, which is not asked here."""
        return self._folder is not None

    def find(self, tag: str, value: str) -> str | None:
        """The run with this tag; if there are more (a request that was thought lost), the oldest, and others go."""
        found = self.client.search_runs(
            [self.experiment], f"tags.`{tag}` = '{value}'", ViewType.ACTIVE_ONLY,
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        )  # fmt: skip
        for extra in found[1:]:
            self.client.delete_run(extra.info.run_id)
        return found[0].info.run_id if found else None

    def tell(self, told: RunPayload, tag: str, *, parent: str | None = None) -> str:
        """Bring the run of `tag` up to what was told; its id."""
        tags = {**told.tags, **({PARENT_TAG: parent} if parent else {}), NOTE_TAG: told.note}
        run = self.find(tag, told.tags[tag])
        if run is None:
            began, tags = _milliseconds(told.began), {name: text for name, text in tags.items() if text}
            run = self.client.create_run(self.experiment, began, tags, run_name=told.name).info.run_id
        ended = _milliseconds(told.ended)
        self._log(run, told.values, ended, told.params, tags)
        if told.worlds:
            self.client.log_inputs(run, [_world(*world) for world in told.worlds])
        for name, text in told.documents.items():
            self._write(run, name, text)
        for path in told.files:
            if path.exists():
                self.upload(run, path)
        if told.status == "RUNNING":
            self.client.update_run(run, status="RUNNING")
        else:
            self.client.set_terminated(run, told.status, ended)
        return run

    def plot(self, run: str, points: Iterable[Point]) -> None:
        """Values of charts, each at the time that it became known."""
        metrics = [Metric(p.value.name, p.value.value, _milliseconds(p.at), p.value.step) for p in points]
        for i in range(0, len(metrics), _AT_ONCE):
            self.client.log_batch(run, metrics[i : i + _AT_ONCE])

    def note(self, run: str, text: str) -> None:
        """The description that the dashboard shows."""
        self.client.set_tag(run, NOTE_TAG, text)

    def upload(self, run: str, path: Path) -> None:
        """A file, or a folder with all that is in it."""
        if self._folder is not None:
            copy = partial(shutil.copytree, dirs_exist_ok=True) if path.is_dir() else shutil.copy
            copy(path, self._files(run) / path.name)
        elif path.is_dir():
            self.client.log_artifacts(run, str(path), path.name)
        else:
            self.client.log_artifact(run, str(path))

    def _write(self, run: str, name: str, text: str) -> None:
        if self._folder is not None:
            (self._files(run) / name).write_text(text, encoding="utf-8")
        else:
            self.client.log_text(run, text, name)

    def _files(self, run: str) -> Path:
        assert self._folder is not None
        folder = self._folder / run / "artifacts"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _experiment(self, uri: str, name: str) -> tuple[str, str]:
        """Its id, and where its artefacts are said to lie."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            beside = artefacts_beside(uri)
            place = None if beside is None else (beside / name).as_uri()
            found = self.client.get_experiment(self.client.create_experiment(name, place))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        for tag, text in experiment_tags(name, found.experiment_id).items():
            if tag not in found.tags:  # people may have changed theirs
                self.client.set_experiment_tag(found.experiment_id, tag, text)
        return found.experiment_id, found.artifact_location

    def _log(
        self, run: str, values: tuple[Value, ...], at: int, params: Mapping[str, str], tags: Mapping[str, str]
    ) -> None:
        metrics = [Metric(v.name, v.value, at, v.step) for v in values]
        self.client.log_batch(
            run, metrics[:_AT_ONCE - 150], [Param(*p) for p in params.items()], [RunTag(*t) for t in tags.items()]
        )  # fmt: skip
        for i in range(_AT_ONCE - 150, len(metrics), _AT_ONCE):
            self.client.log_batch(run, metrics[i : i + _AT_ONCE])


def prepare(uri: str) -> None:
    """Make sure that runs can be told: make or migrate an SQLite file, see that a server answers."""
    try:
        migrate(uri)
    except (MlflowException, OSError) as error:
        raise SegFrontierError(
            f"MLflow at {hidden(uri)} must answer; it does not ({' '.join(str(error).split())[:200]}); start it, or "
            f"leave the URI out to use the file under the home"
        ) from error


def migrate(uri: str) -> None:
    """Make or migrate a database, or ask a server whether it is there: one small request."""
    with _first(uri):
        MlflowClient(uri).search_experiments(max_results=1)


def experiments(uri: str) -> dict[str, str]:
    """The id of each experiment by its name."""
    return {e.name: e.experiment_id for e in MlflowClient(uri).search_experiments()}


@contextmanager
def _first(uri: str) -> Iterator[None]:
    """Alone with the database: of several processes that make it at once, all but one would fail."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    file = database(uri)
    if file is None:
        yield
        return
    file.absolute().parent.mkdir(parents=True, exist_ok=True)
    with file.with_name(f".{file.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _world(ref: str, digest: str, role: str) -> DatasetInput:
    world = Dataset(ref[:500], digest[:36], "segfrontier", f'{{"world": "{digest}"}}')
    return DatasetInput(world, [InputTag("mlflow.data.context", role)])


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
