"""The study file as typed, validated models: what to compare, over which budgets and seeds, and how to execute it.

Rules between fields are judged once every field is right by itself; all mistakes of a round are told at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from math import isclose, nan, prod
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FiniteFloat,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)  # fmt: skip

from segfrontier.basics import bounds
from segfrontier.basics.overrides import override, read_yaml
from segfrontier.basics.reading import read_text
from segfrontier.basics.settings import Mistakes, Strict, raise_all
from segfrontier.basics.wording import MANY, explain, shown
from segfrontier.errors import BadPrices, BadStudy
from segfrontier.home.records import HEADLINE
from segfrontier.lab import Recipe
from segfrontier.lab.devices import require_device
from segfrontier.lab.methods import method_class
from segfrontier.lab.recipe import USUAL_STEPS
from segfrontier.market import Noise, load_prices, seconds_from_hours
from segfrontier.report.references import load_references
from segfrontier.scenes.builtin import parse_street
from segfrontier.study.knobs import Range, checked, choices, combinations, settable

SPLIT = "split"
"""The knob of a method that spends on two kinds of labels: the first kind's share of the budget."""


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _some(value: Any) -> Any:
    if value in ([], (), None):
        raise ValueError(f"must hold at least one entry; found {value!r}")
    return _listed(value)


def parse_hours(value: Any) -> float | Literal["all"]:
    """A budget as a study file, or an option, gives it: hours, or "all"."""
    if value == "all":
        return "all"
    if not isinstance(value, int | float | str):
        raise BadPrices(f"a budget must be a number of hours or 'all'; found {shown(value)}")
    if _float(value) > bounds.HOURS:
        raise BadPrices(f"a budget may be {bounds.HOURS:,} hours; found {shown(value)}. Write all for all labels.")
    seconds_from_hours(value)
    return float(value)


def _float(value: int | float | str) -> float:
    try:
        return float(value)
    except ValueError:
        return nan  # whoever counts in it will tell


def _world(ref: str) -> str:
    if "\0" in ref or len(ref) > bounds.TEXT:
        raise BadStudy(f"a world must be named by up to {bounds.TEXT} characters without NUL; found {shown(ref)}")
    if ref == "street" or ref.startswith("street:"):
        parse_street(ref)
    return ref


def _device(text: str) -> str:
    require_device(text, here=False)
    return text


def _placeable(gpus: float) -> float:
    if gpus > 1 and gpus != int(gpus):
        raise ValueError(
            f"a part of one GPU, or whole ones, as Ray places nothing between; found {gpus:g}: "
            f"set {int(gpus)} or {int(gpus) + 1}"
        )
    return gpus


def _between(given: object) -> object:
    """A number of workers, or two that bound it: told in one sentence, where pydantic tells of each form apart."""
    least, both = (1, tuple(given)) if isinstance(given, list | tuple) else (0, (given, given))
    numbers = [n for n in both if type(n) is int and least <= n <= bounds.DEVICES]
    if len(both) != 2 or len(numbers) != 2 or numbers[0] > numbers[1]:
        raise ValueError(
            f"a number of workers up to {bounds.DEVICES:,}, or the fewest and the most, e.g. [1, 4]; found "
            f"{shown(given)}"
        )
    return given


_Many = BeforeValidator(_listed)
_Positive = Annotated[FiniteFloat, Field(gt=0)]
_Hours = Annotated[FiniteFloat, Field(gt=0, le=bounds.HOURS)]
_Count = Annotated[int, Field(ge=1, le=bounds.WHOLE, strict=True)]
_Seed = Annotated[int, Field(ge=0, le=bounds.WHOLE, strict=True)]
_Workers = Annotated[int, Field(ge=0, le=bounds.DEVICES, strict=True)]
_Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=63)]
_LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9./_-]*[A-Za-z0-9])?$", max_length=bounds.NAME)]
WorldRef = Annotated[str, Field(min_length=1), BeforeValidator(lambda v: _world(v) if isinstance(v, str) else v)]
Hours = Annotated[float | Literal["all"], PlainValidator(parse_hours)]


class Worlds(Strict):
    """The world whose labels are bought, and that of the free synthetic scenes (default: the target's own)."""

    target: WorldRef = "street"
    source: WorldRef | None = None


class MethodEntry(Strict):
    """A method and, for each knob, a value, a list of values or a range; knobs left out have the method's default."""

    name: str
    knobs: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _is_installed(cls, name: str) -> str:
        method_class(name)
        return name

    @field_validator("knobs")
    @classmethod
    def _are_its_own(cls, knobs: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "name" not in info.data:
            return knobs
        return checked(method_class(info.data["name"]), knobs, ranges=True, bare=(SPLIT,))

    def choices(self) -> dict[str, tuple[Any, ...] | Range]:
        """What each knob that is named here may be."""
        cls = method_class(self.name)
        return {knob: choices(cls, knob, given) for knob, given in self.knobs.items()}


class Executor(Strict):
    """Where cells run: how many side by side, and what each of them (with workers: each worker) gets.

    `ray`: Ray Tune, a trial a cell. `local`: one after another in this process, without Ray. A cell's stages run in the
    trial's own process, or, with `workers_per_stage`, on so many data-parallel workers of Ray each. With GPUs they
    always run on workers: a cell that waits for another one's stage then holds none. `[1, 4]` workers are as many as
    find room: trainings begin with fewer, and go on with more or fewer as nodes come and go.
    """

    kind: Literal["local", "ray"] = "ray"
    parallel_cells: Annotated[_Workers, Field(ge=1)] | None = None  # default: as many as there are CPUs (or GPUs) for
    cpus_per_cell: Annotated[_Positive, Field(le=bounds.DEVICES)] = 1.0
    gpus_per_cell: Annotated[FiniteFloat, Field(ge=0, le=bounds.DEVICES), AfterValidator(_placeable)] = 0.0
    workers_per_stage: Annotated[int | tuple[int, int], BeforeValidator(_between)] = 0
    node_labels: dict[_LabelKey, _Label] = Field(default_factory=dict)  # of the nodes that compute, in Ray's words:
    # {ray.io/accelerator-type: L4}
    memory_per_cell: Annotated[FiniteFloat, Field(ge=0, le=bounds.MEMORY)] = 0.0  # GiB that are reserved on a node
    device: Annotated[str, AfterValidator(_device)] = "auto"
    loaders: Annotated[_Workers, Field(le=bounds.LOADERS)] = 0  # processes that decode and augment, for each training
    look_batch: Annotated[_Workers, Field(ge=1, le=bounds.TOGETHER)] | None = None  # images that models label and score
    # together: one by one is exact; default: 1 on CPUs, 8 on GPUs
    channels_last: bool = False  # how images lie in memory while models train: faster for many encoders, and on GPUs;
    # numbers are the same up to rounding
    fused: bool = False  # an optimiser updates all weights in one go: faster, and the same up to rounding, too

    @property
    def workers(self) -> int:
        """Workers that a stage runs on, at most; 0 where it runs in the trial's own process."""
        most = self.workers_per_stage if isinstance(self.workers_per_stage, int) else self.workers_per_stage[1]
        return most or int(self.kind == "ray" and self.gpus_per_cell > 0)

    @property
    def on_gpus(self) -> bool:
        """Whether its cells are given GPUs, and use them."""
        return self.gpus_per_cell > 0 and self.device != "cpu"

    @property
    def fewest_workers(self) -> int:
        """Workers that a stage waits for."""
        return self.workers if isinstance(self.workers_per_stage, int) else self.workers_per_stage[0]

    @property
    def of_a_cluster(self) -> dict[str, object]:
        """What is given that Ray alone can heed."""
        asked = {
            "workers_per_stage": self.workers_per_stage, "node_labels": self.node_labels,
            "memory_per_cell": self.memory_per_cell,
        }  # fmt: skip
        return {name: given for name, given in asked.items() if given}

    @property
    def cpus_per_worker(self) -> float:
        """What a worker reserves: a tenth less than it is given, so that trials and workers fit on whole CPUs."""
        return 0.9 * self.cpus_per_cell


class Asha(Strict):
    """Early stopping: after `grace` epochs, then after each `reduction` times as many, the best 1/`reduction` go on.

    Epochs are those of the trainings, counted through all of a cell's stages.
    """

    grace: _Count = 1
    reduction: Annotated[_Count, Field(ge=2)] = 2

    def rungs(self, *, after: float, until: float) -> Iterator[int]:
        """The numbers of epochs at which cells are compared, of those after the one and up to the other."""
        rung = self.grace
        while rung <= until:
            if rung > after:
                yield rung
            rung *= self.reduction


class Search(Strict):
    """How knobs are chosen: all combinations, `samples` of them at random, or by a model of earlier scores."""

    kind: Literal["grid", "random", "optuna"] = "grid"
    samples: Annotated[_Count, Field(le=bounds.SAMPLES)] | None = None
    metric: str = "miou_present"
    seed: _Seed = 0
    asha: Asha | None = None


class Limits(Strict):
    """When to stop starting cells."""

    hours: _Hours | None = None
    cells: _Count | None = None
    gpu_hours: _Hours | None = None


class ModelLog(Strict):
    """Whether MLflow holds the final model of each cell, and the name by which it registers them; a name means yes."""

    log: bool = False
    register_as: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=bounds.NAME)] | None = None

    @property
    def wanted(self) -> bool:
        """Whether models are logged."""
        return self.log or self.register_as is not None


class Track(Strict):
    """What MLflow shows beside cells and their trainings. `system`: how busy their machines are (CPU, memory, GPUs)."""

    system: bool = False


class Study(Strict):
    """A study file. `resolved()` gives it back with every default filled in."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=bounds.NAME)]
    worlds: tuple[Worlds, ...] = (Worlds(),)
    methods: tuple[MethodEntry, ...]
    budgets: Annotated[tuple[Hours, ...], _Many] = ()
    splits: Annotated[tuple[dict[str, FiniteFloat], ...], _Many] = ()
    seeds: Annotated[tuple[_Seed, ...], BeforeValidator(_some)] = (0,)
    recipe: dict[str, Any] = Field(default_factory=dict)
    prices: str | None = None
    noise: dict[str, Any] = Field(default_factory=dict)
    executor: Executor = Executor()
    search: Search = Search()
    limits: Limits = Limits()
    models: ModelLog = ModelLog()
    track: Track = Track()
    metric: Annotated[str, Field(min_length=1, max_length=bounds.NAME)] = HEADLINE  # the frontier's; e.g. pq_things
    references: Annotated[tuple[str, ...], _Many] = ()  # files with points of papers, drawn as stars

    @classmethod
    def load(cls, path: str | Path, assignments: Collection[str] = ()) -> Self:
        """The study of a YAML file after `--set` assignments."""
        return cls.parse(read_text(path, what="a study", error=BadStudy), assignments, where=str(path))

    @classmethod
    def parse(cls, text: str, assignments: Collection[str] = (), *, where: str = "study") -> Self:
        """The study of a YAML text after `--set` assignments."""
        return cls.of(override(read_yaml(text, where=where), list(assignments)), where=where)

    @classmethod
    def of(cls, plain: dict[str, Any], *, where: str = "study") -> Self:
        """The study of plain values."""
        if wrong := bounds.misfits(plain):
            raise BadStudy("\n".join(f"{where}: {line}" for line in wrong[:MANY]))
        try:
            return cls.model_validate(plain)
        except ValidationError as error:
            raise BadStudy(explain(error, cls, where=where)) from None

    def resolved(self) -> dict[str, Any]:
        """Plain values with every default filled in; as YAML they load to an equal study."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """The resolved study as the text of a study file."""
        return yaml.safe_dump(self.resolved(), sort_keys=False, allow_unicode=True)

    def require_device_here(self) -> None:
        """Refuse a device that this machine lacks, where cells run in this process."""
        if self.executor.kind == "local":
            require_device(self.executor.device, here=True)

    @field_validator("worlds", mode="before")
    @classmethod
    def _worlds_by_name(cls, value: Any) -> Any:
        return [{"target": item} if isinstance(item, str) else item for item in _some(value)]

    @field_validator("methods", mode="before")
    @classmethod
    def _methods_by_name(cls, value: Any) -> Any:
        return [{"name": item} if isinstance(item, str) else item for item in _some(value)]

    @field_validator("splits")
    @classmethod
    def _are_whole(cls, splits: tuple[dict[str, float], ...]) -> tuple[dict[str, float], ...]:
        wrong: Mistakes = []
        for i, split in enumerate(splits):
            if len(split) != 2 or min(split.values()) < 0 or not isclose(sum(split.values()), 1, abs_tol=1e-9):
                wrong.append(((i,), f"must give two kinds of labels shares that add up to 1; found {split}"))
        raise_all(wrong)
        return splits

    @field_validator("recipe")
    @classmethod
    def _has_facets(cls, recipe: dict[str, Any]) -> dict[str, Any]:
        whole = checked(Recipe, recipe)
        if whole["steps"] is None and whole["total_steps"] is None:
            whole["total_steps"] = USUAL_STEPS
        return whole

    @field_validator("noise")
    @classmethod
    def _is_noise(cls, noise: dict[str, Any]) -> dict[str, Any]:
        whole = checked(Noise, noise, several=False)
        return asdict(Noise(**{name: float(value) for name, value in whole.items()}))

    @field_validator("prices")
    @classmethod
    def _are_prices(cls, prices: str | None) -> str | None:
        if prices is not None:
            load_prices(prices)
        return prices

    @field_validator("references")
    @classmethod
    def _are_references(cls, references: tuple[str, ...]) -> tuple[str, ...]:
        wrong: Mistakes = []
        for i, file in enumerate(references):
            try:
                load_references(file)
            except BadStudy as error:
                wrong.append(((i,), str(error)))
        raise_all(wrong)
        return references

    @property
    def size(self) -> int:
        """How many cells there are, at most: counted, not made."""
        recipes = prod(_number(choices(Recipe, name, value)) for name, value in self.recipe.items())
        return len(self.worlds) * len(self.seeds) * recipes * sum(map(self._settings, self.methods))

    def _settings(self, entry: MethodEntry) -> int:
        """Knobs and budgets of a method."""
        options = list(map(_number, entry.choices().values()))
        grid = prod(options) * max(1, len(self.splits))
        is_open = self.search.samples is not None and (grid > 1 or 0 in options)
        budgets = len(self.budgets) if budget_of(method_class(entry.name)) == "any" else 1
        return budgets * ((self.search.samples or 0) if is_open else grid)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong: Mistakes = []
        for i, entry in enumerate(self.methods):
            wrong += [(("methods", i, *at), text) for at, text in self._misfits(entry)]
        if (self.search.kind == "grid") != (self.search.samples is None):
            need = "must be left out of a grid" if self.search.kind == "grid" else "must be given, e.g. samples: 20"
            wrong.append((("search", "samples"), f"{need}; found {self.search.samples!r}"))
        if self.executor.kind == "local":
            for name, given in self.executor.of_a_cluster.items():
                wrong.append((("executor", name), f"must be left out unless kind is ray; found {given}"))
        if not wrong and self.size > bounds.CELLS:
            wrong.append(((), f"a study may have {bounds.CELLS:,} cells; found {self.size:,}: give it shorter lists"))
        raise_all(wrong or _recipe_misfits(self.recipe))
        return self

    def _misfits(self, entry: MethodEntry) -> Mistakes:
        cls = method_class(entry.name)
        wrong: Mistakes = []
        if budget_of(cls) == "any" and not self.budgets:
            wrong.append((("name",), f"{entry.name!r} spends a budget: give budgets, e.g. [5, 10]; found none"))
        if self.splits and SPLIT not in settable(cls):
            wrong.append((("name",), f"{entry.name!r} has no knob {SPLIT!r}, so no study with splits can hold it; "
                          f"write `knobs: {{{SPLIT}: [...]}}` where a method has one"))  # fmt: skip
        elif self.splits and SPLIT in entry.knobs:
            wrong.append((("knobs", SPLIT), "must not be given where the study has splits; choose one of the two"))
        elif any(set(split) != set(kinds_of(cls)) for split in self.splits):
            wrong.append((("name",), f"{entry.name!r} splits its budget between {' and '.join(kinds_of(cls))}; "
                          f"found splits {list(self.splits)}"))  # fmt: skip
        for knob, choice in entry.choices().items():
            if isinstance(choice, Range) and self.search.kind == "grid" and choice.steps is None:
                wrong.append((("knobs", knob), "a range in a grid must have steps, e.g. steps: 5; found none"))
        return wrong


def _number(options: tuple[Any, ...] | Range) -> int:
    """How many values there are; 0 where that is open."""
    return options.steps or 0 if isinstance(options, Range) else len(options)


def _recipe_misfits(recipe: Mapping[str, Any]) -> Mistakes:
    """What the recipe itself says of its values, taken together."""
    wrong: dict[str, None] = {}
    for values in combinations(Recipe, {name: choices(Recipe, name, value) for name, value in recipe.items()}):
        try:
            Recipe(**values)
        except ValueError as error:
            wrong[str(error)] = None
    return [(("recipe",), text) for text in wrong]


def budget_of(cls: type[Any]) -> Literal["any", "none", "all"]:
    """What a method class declares as `budget: ClassVar`: it spends any budget, buys nothing, or buys everything."""
    budget = getattr(cls, "budget", "any")
    assert budget in ("any", "none", "all"), f"{cls.__name__}.budget must be any, none or all; found {budget!r}"
    return cast(Literal["any", "none", "all"], budget)


def kinds_of(cls: type[Any]) -> tuple[str, str]:
    """The two kinds of labels between which a method splits its budget; the knob `split` is the first one's share."""
    return cast(tuple[str, str], getattr(cls, "split_kinds", ("fine", "coarse")))
