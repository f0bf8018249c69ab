"""The cells of a study: every point of its plot, once, in an order that does not change.

A cell holds all that decides its result, so that its key stays the same when the study around it grows. Seeds come
first: each method has a point everywhere before any has its second.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import product
from typing import Any, Literal

from pydantic import TypeAdapter

from segfrontier.errors import BadInput, BadStudy
from segfrontier.lab import Recipe, make_method
from segfrontier.lab.methods import method_class
from segfrontier.lab.scoring import ABSENT
from segfrontier.lab.store import stage_key
from segfrontier.lab.store.keys import dumps, plain, text_digest
from segfrontier.market import Noise
from segfrontier.study.config import SPLIT, MethodEntry, Search, Study, Worlds, budget_of, kinds_of
from segfrontier.study.knobs import Range, choices, defaults, settable

EVALUATOR = f"dataset confusion, mean over classes {ABSENT}"
"""What a score is; part of every facet."""


@dataclass(frozen=True, kw_only=True)
class Facet:
    """What two cells must share to be compared."""

    world: str
    source: str | None
    recipe: Recipe
    noise: Noise
    evaluator: str = EVALUATOR

    @property
    def digest(self) -> str:
        """8 hex digits."""
        return text_digest(dumps(plain(self)))[:8]

    def __str__(self) -> str:
        r = self.recipe
        return f"{self.world} {r.encoder}/{r.head} {r.steps}x{r.batch} #{self.digest}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One point of the plot. `knobs` are plain values of all of the method's knobs, as `make_method` takes them.

    `split` is told from the knobs, `label` names the cell to people; neither is part of its identity.
    """

    method: str
    knobs: Mapping[str, Any] = field(hash=False)
    hours: float | Literal["all"]
    world: str
    source: str | None
    recipe: Recipe
    seed: int
    prices: str | None
    noise: Noise
    split: Mapping[str, float] = field(compare=False)
    label: str = field(compare=False)

    @property
    def facet(self) -> Facet:
        """What makes it comparable."""
        return Facet(world=self.world, source=self.source, recipe=self.recipe, noise=self.noise)

    def key(self, code: str, inputs: Mapping[str, str] | None = None) -> str:
        """32 hex digits: the hash of all of it, of the code's version, and of `inputs`.

        `inputs` are the digests of what the cell only names: its world, its source, its price list.
        """
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        return stage_key("cell", content, inputs or {}, code)


def expand(study: Study) -> tuple[Cell, ...]:
    """All cells of a study, each once. A model-based search adds the cells of its choices by `cells_of`.

    Values that a method or a recipe refuses are all told in one error.
    """
    wrong: dict[str, None] = {}
    facets = list(product(study.worlds, _recipes(study, wrong)))
    methods = [(e.name, knobs) for e in study.methods for knobs in _settings(study, e, wrong)]
    if wrong:
        raise BadStudy("\n".join(f"study {study.name!r}: {text}" for text in wrong))
    cells: dict[str, Cell] = {}
    for seed, (world, recipe), (method, knobs) in product(study.seeds, facets, methods):
        for hours in _budgets(study, method):
            cell = _cell(study, method, knobs, hours, world, recipe, seed)
            cells.setdefault(cell.key(""), cell)
    return tuple(cells.values())


def cells_of(study: Study, method: str, knobs: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The cells of a study where a method has these knobs (others: its defaults): one choice of a search."""
    entry = MethodEntry(name=method, knobs=dict(knobs))
    return expand(study.model_copy(update={"methods": (entry,), "search": Search()}))


def _cell(
    study: Study, method: str, knobs: dict[str, Any], hours: float | Literal["all"], world: Worlds, recipe: Recipe,
    seed: int,
) -> Cell:  # fmt: skip
    split = {}
    if SPLIT in knobs:
        first, second = kinds_of(method_class(method))
        split = {first: knobs[SPLIT], second: round(1 - knobs[SPLIT], 12)}
    return Cell(
        method=method, knobs=knobs, hours=hours, world=world.target, source=world.source, recipe=recipe, seed=seed,
        prices=study.prices, noise=Noise(**study.noise), split=split, label=_label(method, knobs, hours, seed),
    )  # fmt: skip


def _label(method: str, knobs: Mapping[str, Any], hours: float | Literal["all"], seed: int) -> str:
    """`fine+coarse split=0.3, 10 h, seed 0`: with its split and the knobs that are not at their defaults."""
    usual = defaults(method_class(method))
    told = "".join(f" {k}={_short(v)}" for k, v in knobs.items() if k == SPLIT or k not in usual or usual[k] != v)
    return f"{method}{told}, {'all labels' if hours == 'all' else f'{hours:g} h'}, seed {seed}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _budgets(study: Study, method: str) -> tuple[float | Literal["all"], ...]:
    budget = budget_of(method_class(method))
    if budget == "any":
        return study.budgets
    return (0.0,) if budget == "none" else ("all",)


def _recipes(study: Study, wrong: dict[str, None]) -> list[Recipe]:
    """One for each combination of the recipe's values."""
    given = {name: _values(Recipe, name, choices(Recipe, name, value)) for name, value in study.recipe.items()}
    recipes = [Recipe(**values) for values in _combinations(given)]
    for recipe in recipes:
        try:
            recipe.network(2)
            recipe.plan()
        except ValueError as error:
            wrong[f"recipe: {error}"] = None
    return recipes


def _settings(study: Study, entry: MethodEntry, wrong: dict[str, None]) -> list[dict[str, Any]]:
    """All knobs, as plain values, of each configuration of a method."""
    found = []
    for given in _chosen(study, entry):
        try:
            method = make_method(entry.name, given)
        except BadInput as error:
            wrong[str(error)] = None
            continue
        knobs: dict[str, Any] = TypeAdapter(type(method)).dump_python(method, mode="json")
        found.append(knobs)
    return found


def _chosen(study: Study, entry: MethodEntry) -> Iterator[dict[str, Any]]:
    """The named knobs of each configuration of a method, by the study's kind of search."""
    cls, options = method_class(entry.name), entry.choices()
    if study.splits:
        options[SPLIT] = tuple(split[kinds_of(cls)[0]] for split in study.splits)
    is_open = any(isinstance(option, Range) or len(option) > 1 for option in options.values())
    if study.search.kind == "grid" or not is_open:
        yield from _combinations({knob: _values(cls, knob, option) for knob, option in options.items()})
    elif study.search.kind == "random":
        assert study.search.samples is not None
        for i in range(study.search.samples):
            draw = f"{study.search.seed}/{entry.name}/{i}"
            yield {knob: _draw(cls, knob, option, f"{draw}/{knob}") for knob, option in options.items()}


def _draw(cls: type[Any], knob: str, option: tuple[Any, ...] | Range, seed: str) -> Any:
    """A function of the seed and the option: more samples, or another knob, change no earlier draw."""
    rng = random.Random(seed)
    return option.draw(rng, whole=settable(cls)[knob] is int) if isinstance(option, Range) else rng.choice(option)


def _values(cls: type[Any], knob: str, option: tuple[Any, ...] | Range) -> tuple[Any, ...]:
    return option.values(whole=settable(cls)[knob] is int) if isinstance(option, Range) else option


def _combinations(options: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    for values in product(*options.values()):
        yield dict(zip(options, values, strict=True))
