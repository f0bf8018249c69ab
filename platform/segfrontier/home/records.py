"""What a cell leaves behind when it ends: one JSON file that every table, picture and MLflow run is made from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import load_json, parse_yaml, read_text
from segfrontier.basics.wording import explain
from segfrontier.errors import BadInput
from segfrontier.home.layout import Home, StudyHome, warn_of_damage, within

RECORD = "record.json"
HEADLINE = "miou_present"
"""The metric that every cell has."""


def metric_words(metric: str) -> str:
    """ "mIoU", or another metric by its own name."""
    return "mIoU" if metric == HEADLINE else metric


def metric_of(study: StudyHome) -> str:
    """What a study ranks by, as its file says; the headline where that cannot be read, or says nothing."""
    try:
        text = read_text(study.file, what="a study")
        plain = parse_yaml(text, where=str(study.file), what="a study")
    except BadInput:
        return HEADLINE
    found = plain.get("metric") if isinstance(plain, dict) else None
    return found if isinstance(found, str) else HEADLINE


WARNING = "warning/"
"""Notes and logged values of such a name say in words what a reader of the cell's score must know."""

State = Literal["done", "failed", "cut"]
"""`cut`: early stopping ended the cell; it has no final score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNote:
    """A stage that a cell used, and what it took to compute, whoever computed it."""

    kind: str
    key: str
    seconds: float
    devices: int  # processes that computed it side by side
    gpu: bool
    found: bool  # it was stored already, so this cell waited for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Acts of one kind as the ledger totals them; a `frontier.Count`."""

    scenes: int
    acts: int
    units: int
    asked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelNote:
    """The model that a cell came to: where its weights lie, and how it is looked at."""

    stage: str  # the key of its training
    network: str
    weights: str
    looking: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The whole outcome of a cell, in plain values.

    Costs are acts; seconds here are those of the prices that the cell bought under, for convenience.
    """

    key: str
    state: State
    cell: Mapping[str, Any]  # plain fields of `Cell`, with label and split
    facet: str  # digest of what makes it comparable
    facet_words: str
    seconds: int = 0  # annotation, under the cell's own prices
    prices: str = ""  # "name digest"
    acts: Mapping[str, Counted] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)  # metric -> score; the headline is `miou_present`
    iou: Mapping[str, float] = field(default_factory=dict)  # class -> IoU; NaN where it never occurs
    scenes: int = 0  # validation scenes
    oracle_best: Mapping[str, float] = field(default_factory=dict)  # {"step": .., "miou": ..}; never ranked
    notes: Mapping[str, float] = field(default_factory=dict)  # what the method told by the way, e.g. "iteration_1/miou"
    curves: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)  # name -> (step, value), thinned
    stages: tuple[StageNote, ...] = ()
    steps: int = 0  # of all of its trainings; 0 where an earlier version made the record, as the next
    images: int = 0  # that these saw, each as often as it was seen
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # "kind key" of a stage -> scenes it lacks
    pictures: tuple[str, ...] = ()  # that the method drew; on disk relative to the home, as the next
    score_folder: str = ""  # holds pictures.png, where it was made
    started: float = 0.0  # seconds since 1970
    ended: float = 0.0
    error: str = ""  # of a failed cell: the exception in a line
    refused: bool = False  # the error is of its input: the same again would fail again
    model: ModelNote | None = None  # none where the cell has no final model, or an earlier version made the record
    code: str = ""  # digest of the code that computed it; see `identity.code_of`
    commit: str = ""  # of the code, where it lay in a checkout
    environment: Mapping[str, str] = field(default_factory=dict)  # versions and machine
    worlds: Mapping[str, str] = field(default_factory=dict)  # name in the study -> digest, of those that were opened

    @property
    def miou(self) -> float:
        """The headline; NaN where there is none."""
        return self.score(HEADLINE)

    def score(self, metric: str) -> float:
        """Its score in a metric; NaN where there is none."""
        return float(self.values.get(metric, float("nan")))

    @property
    def sheet(self) -> Path | None:
        """The pictures of its score, in one; None where it has none."""
        return Path(self.score_folder) / "pictures.png" if self.score_folder else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its method warns of."""
        return tuple(name.removeprefix(WARNING) for name in self.notes if name.startswith(WARNING))

    @property
    def compute_hours(self) -> float:
        """Process hours of all stages that the cell stands on, shared ones counted in full."""
        return sum(s.seconds * s.devices for s in self.stages) / 3600

    @property
    def gpu_hours(self) -> float:
        """GPU hours of all stages that the cell stands on; 0 where all ran on CPUs."""
        return sum(s.seconds * s.devices for s in self.stages if s.gpu) / 3600

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of stages that it stands on."""
        return frozenset(stage.kind for stage in self.stages)

    def plain(self) -> dict[str, Any]:
        """JSON form."""
        return asdict(self)

    def write(self, home: Home) -> None:
        """Keep it in the cell's folder."""
        write_json(home.cell(self.key) / RECORD, self._moved(lambda path: _inside(path, home.path)).plain())

    @classmethod
    def load(cls, folder: Path) -> Record | None:
        """The record in a cell's folder; None where the cell has not ended, BadInput where it is none."""
        if not os.path.lexists(file := folder / RECORD):
            return None
        try:
            record = _ADAPTER.validate_python(load_json(file, what="a record"))
        except ValidationError as error:
            raise BadInput(explain(error, Record, where=str(file))) from None
        if record.key != folder.name:
            raise BadInput(f"{file}: the key of a record must be that of its cell; found {record.key!r}")
        home = folder.absolute().parents[1]
        return record._moved(lambda path: _here(path, home))._confined(home)

    def _moved(self, place: Callable[[str], str]) -> Record:
        """With other places for what it points at: a home may be moved, copied, or mounted elsewhere."""
        pictures = tuple(place(path) for path in self.pictures)
        return replace(self, pictures=pictures, score_folder=place(self.score_folder))

    def _confined(self, home: Path) -> Record:
        """Without what leads out of its home: pictures, the sheet of a score, a model."""
        model = self.model
        if model is not None and not within(home, home / "store" / "entries" / model.stage / model.weights):
            model = None
        return replace(
            self, model=model, pictures=tuple(path for path in self.pictures if within(home, Path(path))),
            score_folder=self.score_folder if self.sheet and within(home, self.sheet) else "",
        )  # fmt: skip

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record in a cell's folder; a damaged one is told, and counts as none."""
        try:
            record = cls.load(folder)
        except BadInput:
            record = None
        if record is not None and _is_cell(record.cell):
            return record
        warn_of_damage(
            folder / RECORD,
            "the record of its cell; run the study again: the stages are stored, and the record is made anew",
        )
        return None


_ADAPTER: TypeAdapter[Record] = TypeAdapter(Record)


def _inside(path: str, home: Path) -> str:
    """A path below its home, without the home; any other as it is."""
    return str(Path(path).relative_to(home)) if path and Path(path).is_relative_to(home) else path


def _here(path: str, home: Path) -> str:
    """Where a path of a record leads in this home. Earlier versions kept whole paths, of wherever the home lay then."""
    parts = Path(path).parts
    if not path or (Path(path).is_absolute() and "store" not in parts):
        return path
    if Path(path).is_absolute():
        last = len(parts) - 1 - parts[::-1].index("store")
        return str(home.joinpath(*parts[last:]))
    return str(home / path)


def _is_cell(cell: Mapping[str, Any]) -> bool:
    """Whether it has what tables and pictures ask of a cell."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "label": str, "method": str, "knobs": dict, "hours": (int, float, str), "seed": int,
    }  # fmt: skip
    return all(isinstance(cell.get(name), kind) for name, kind in kinds.items())


def records(study: StudyHome, *, states: tuple[State, ...] = ("done",)) -> tuple[Record, ...]:
    """The records of a study's ended cells, in the order of its table."""
    found = (Record.read(study.home.cell(key)) for key in study.cell_keys())
    return tuple(r for r in found if r is not None and r.state in states)
