"""Runs in MLflow, found by what they are about and never duplicated. The only file that imports mlflow.

Writing the same thing twice changes nothing: a run is looked up by its tag before one is made, MLflow drops a metric
value that it has already, and times come from files, not from the clock.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

# A request is tried once: a repeated "create" that had reached the server would make a second run. The sync retries.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from segfrontier.errors import SegFrontierError
from segfrontier.tracking.address import artefacts_beside, database, hidden
from segfrontier.tracking.payload import CELL_TAG, HEADLINE, LABEL_TAG, STUDY_TAG, RunPayload, Value, clean
from segfrontier.tracking.places import follow_home
from segfrontier.tracking.views import FORM_TAG, NOTE_TAG, OUR_NOTE, experiment_tags

PARENT_TAG, DIGEST_TAG = "mlflow.parentRunId", "segfrontier.synced"
_SERVED = "mlflow-artifacts:"
_AT_ONCE, _PAGE = 900, 1000  # entities in a request, of which MLflow takes 1000; runs in an answer


@dataclass(frozen=True)
class FoundRun:
    """A run that is there, and the digest of the files that it was written from; empty where it is not whole."""

    run: str
    name: str
    digest: str
    parent: str
    tags: frozenset[str]
    params: frozenset[str]
    metrics: frozenset[str]
    earlier: float = 0.0  # until when a version wrote it that gave no digests


class Runs:
    """The runs of one study: an experiment of its name, a parent run, a child run for each cell."""

    def __init__(self, uri: str, study: str, metric: str = HEADLINE) -> None:
        self._over_minutes = {HEADLINE, clean(metric)}
        with _first(uri):
            self.client = MlflowClient(uri)
            self.client.search_experiments(max_results=1)  # makes a database, or migrates it
            follow_home(uri)
            self.experiment, place = self._experiment(uri, study, metric)
        beside = artefacts_beside(uri)
        # An experiment that a server made over this very file: only that server knows its artefacts by this name.
        served = beside is not None and place.startswith(_SERVED)
        self._folder = beside / place.removeprefix(_SERVED).lstrip("/") if beside and served else None
        self.found = self._all()

    @property
    def beside_server(self) -> bool:
        """Whether artefacts have addresses that only a server knows, which is not asked here."""
        return self._folder is not None

    def write(self, payload: RunPayload, *, parent: str | None = None) -> str:
        """Bring the run of a payload up to it; its id. One that is to have ended is whole after `end`."""
        tag = CELL_TAG if CELL_TAG in payload.tags else STUDY_TAG
        tags = {**payload.tags, **({PARENT_TAG: parent} if parent else {}), NOTE_TAG: payload.note}
        found = self.found.get((tag, payload.tags[tag])) or self._created(payload, tags, tag)
        run, values = found.run, payload.values
        tags = {name: text for name, text in tags.items() if text or name in found.tags}
        self.found[tag, payload.tags[tag]] = replace(found, tags=found.tags | tags.keys())
        if found.earlier:  # it has the same values under the same names, with more digits
            had = found.metrics - self._over_minutes
            values = tuple(v for v in values if v.name not in had or v.at > found.earlier)
        else:
            tags[DIGEST_TAG] = ""
        if found.name != payload.name and found.name == payload.tags.get(LABEL_TAG):
            self.client.update_run(run, name=payload.name)
        if payload.status == "RUNNING":
            self.client.update_run(run, status=payload.status)
        params = {name: text for name, text in payload.params.items() if name not in found.params}
        self.log(run, values, params, tags)
        if payload.worlds:
            self.client.log_inputs(run, [_world(*world) for world in payload.worlds])
        for name, text in payload.documents.items():
            self._write(run, name, text)
        for path in payload.files:
            if path.exists():
                self.upload(run, path)
        return run

    def end(self, run: str, payload: RunPayload, digest: str) -> None:
        """All of a run that has ended is there: it gets the digest of what it was written from."""
        self.client.set_terminated(run, payload.status, _milliseconds(payload.ended))
        self.client.set_tag(run, DIGEST_TAG, digest)

    def log(
        self, run: str, values: Iterable[Value], params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Values at their times, in as few requests as MLflow takes."""
        metrics = [Metric(v.name, v.value, _milliseconds(v.at), v.step) for v in values]
        first = _AT_ONCE - 150
        if metrics or params or tags:
            few = [Param(*p) for p in (params or {}).items()], [RunTag(*t) for t in (tags or {}).items()]
            self.client.log_batch(run, metrics[:first], *few)
        for i in range(first, len(metrics), _AT_ONCE):
            self.client.log_batch(run, metrics[i : i + _AT_ONCE])

    def note(self, run: str, text: str) -> None:
        """The description that the dashboard shows."""
        self.client.set_tag(run, NOTE_TAG, text)

    def _created(self, payload: RunPayload, tags: Mapping[str, str], tag: str) -> FoundRun:
        tags = {name: text for name, text in tags.items() if text} | {DIGEST_TAG: ""}
        began = _milliseconds(payload.began)
        run = self.client.create_run(self.experiment, began, tags, run_name=payload.name).info.run_id
        found = FoundRun(run, payload.name, "", tags.get(PARENT_TAG, ""), frozenset(tags), frozenset(), frozenset())
        self.found[tag, payload.tags[tag]] = found
        return found

    def _all(self) -> dict[tuple[str, str], FoundRun]:
        """Every run by what it is about; of two (a request that was thought lost) the older stays."""
        found: dict[tuple[str, str], FoundRun] = {}
        token: str | None = ""
        while token is not None:
            page = self.client.search_runs(
                [self.experiment], "", ViewType.ACTIVE_ONLY, _PAGE,
                order_by=["attributes.start_time ASC", "attributes.run_id ASC"], page_token=token or None,
            )  # fmt: skip
            for run in page:
                for tag in (CELL_TAG, STUDY_TAG):
                    if (value := run.data.tags.get(tag)) is None:
                        continue
                    if (tag, value) in found:
                        self.client.delete_run(run.info.run_id)
                    else:
                        found[tag, value] = _found(run)
            token = page.token or None
        return found

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

    def _experiment(self, uri: str, name: str, metric: str) -> tuple[str, str]:
        """Its id, and where its artefacts are said to lie."""
        found = self.client.get_experiment_by_name(name)
        if found is None:
            beside = artefacts_beside(uri)
            place = None if beside is None else (beside / name).as_uri()
            found = self.client.get_experiment(self.client.create_experiment(name, place))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        is_ours = found.tags.get(NOTE_TAG, OUR_NOTE).startswith(OUR_NOTE)
        tags = experiment_tags(name, found.experiment_id, metric)
        is_earlier = found.tags.get(FORM_TAG) != tags[FORM_TAG]
        for tag, text in tags.items():
            # People may have changed theirs.
            if tag not in found.tags or (is_earlier and (tag != NOTE_TAG or is_ours)):
                self.client.set_experiment_tag(found.experiment_id, tag, text)
        return found.experiment_id, found.artifact_location


def prepare(uri: str) -> None:
    """Make sure that runs can be written: make or migrate an SQLite file, see that a server answers."""
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
        follow_home(uri)


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


def _found(run: Run) -> FoundRun:
    tags, data = run.data.tags, run.data
    return FoundRun(
        run.info.run_id, run.info.run_name, tags.get(DIGEST_TAG, ""), tags.get(PARENT_TAG, ""), frozenset(tags),
        frozenset(data.params), frozenset(data.metrics),
        earlier=0.0 if DIGEST_TAG in tags else (run.info.end_time or 0) / 1000,
    )  # fmt: skip


def _world(ref: str, digest: str, role: str) -> DatasetInput:
    world = Dataset(ref[:500], digest[:36], "segfrontier", f'{{"world": "{digest}"}}')
    return DatasetInput(world, [InputTag("mlflow.data.context", role)])


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
