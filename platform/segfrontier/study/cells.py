"""The cells of a study: every point of its plot, once, in an order that does not change.

A cell holds all that decides its result, so that its key stays the same when the study around it grows. Seeds come
first: each method has a point everywhere before any has its second.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from itertools import product
from typing import Any, Literal

from segfrontier.basics.settings import adapter
from segfrontier.errors import BadInput, BadStudy
from segfrontier.lab import Recipe, make_method
from segfrontier.lab.methods import method_class
from segfrontier.lab.passes.tasks import ABSENT
from segfrontier.market import Noise
from segfrontier.models.heads import head_class
from segfrontier.models.weights import weights_words
from segfrontier.store import stage_key
from segfrontier.store.keys import dumps, enters, plain, text_digest
from segfrontier.study.config import SPLIT, MethodEntry, Search, Study, Worlds, budget_of, kinds_of
from segfrontier.study.knobs import Range, choices, combinations, defaults, settable

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
        weights = weights_words(r.pretrained)
        encoder = f"{r.encoder} ({weights})" if weights else r.encoder
        return f"{self.world} {encoder}/{r.head}, {r.training_words}, batch {r.batch} #{self.digest}"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One point of the plot. `knobs` are plain values of the method's knobs, as `make_method` takes them: all of them
    but those that came `LATER`, where they are at their defaults.

    `split` is told from the knobs; `label` names the cell to people, with its split and the knobs that are not at their
    defaults: `fine+coarse split=0.3, 10 h, seed 0`. Neither is part of its identity.
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

    def key(self, inputs: Mapping[str, str] | None = None) -> str:
        """32 hex digits: the hash of all of it and of `inputs`. No code enters it: see `identity.code_of`.

        `inputs` are the digests of what the cell only names: its world, its source, its price list.
        """
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        return stage_key("cell", content, inputs or {}, "")


def expand(study: Study) -> tuple[Cell, ...]:
    """All cells of a study, each once. A model-based search adds the cells of its choices by `cells_of`.

    Values that a method or a recipe refuses are all told in one error.
    """
    wrong: dict[str, None] = {}
    facets = list(product(study.worlds, _recipes(study, wrong)))
    methods = [setting for entry in study.methods for setting in _settings(study, entry, wrong)]
    if wrong:
        raise BadStudy("\n".join(f"study {study.name!r}: {text}" for text in wrong))
    cells: dict[str, Cell] = {}
    for seed, (world, recipe), setting in product(study.seeds, facets, methods):
        for hours in setting.budgets:
            cell = _cell(study, setting, hours, world, recipe, seed)
            cells.setdefault(cell.key(), cell)
    return tuple(cells.values())


def cells_of(study: Study, method: str, knobs: Mapping[str, Any]) -> tuple[Cell, ...]:
    """The cells of a study where a method has these knobs (others: its defaults): one choice of a search."""
    entry = MethodEntry(name=method, knobs=dict(knobs))
    return expand(study.model_copy(update={"methods": (entry,), "search": Search()}))


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """A method with all of its knobs, and what all cells of it share."""

    method: str
    knobs: Mapping[str, Any]
    budgets: tuple[float | Literal["all"], ...]
    split: Mapping[str, float]
    label: str


def _cell(
    study: Study, setting: _Setting, hours: float | Literal["all"], world: Worlds, recipe: Recipe, seed: int
) -> Cell:
    label = f"{setting.label}, {'all labels' if hours == 'all' else f'{hours:g} h'}, seed {seed}"
    return Cell(
        method=setting.method, knobs=setting.knobs, hours=hours, world=world.target, source=world.source,
        recipe=recipe, seed=seed, prices=study.prices, noise=Noise(**study.noise), split=setting.split, label=label,
    )  # fmt: skip


def weights_asked(study: Study) -> tuple[tuple[str, str], ...]:
    """Each encoder with the weights that the study asks for, as it says them."""
    return tuple(dict.fromkeys((recipe.encoder, recipe.pretrained) for recipe in _recipes(study, {})))


def _recipes(study: Study, wrong: dict[str, None]) -> list[Recipe]:
    """One for each combination of the recipe's values."""
    given = {name: choices(Recipe, name, value) for name, value in study.recipe.items()}
    recipes = []
    for values in combinations(Recipe, given):
        try:
            recipes.append(Recipe(**values))
            head_class(recipes[-1].head, recipes[-1].head_knobs)
        except ValueError as error:
            wrong[f"recipe: {error}"] = None
    return recipes


def _settings(study: Study, entry: MethodEntry, wrong: dict[str, None]) -> list[_Setting]:
    """Each configuration of a method."""
    cls, found = method_class(entry.name), []
    usual = defaults(cls)
    budgets = {"any": study.budgets, "none": (0.0,), "all": ("all",)}[budget_of(cls)]
    for given in _chosen(study, entry, cls):
        try:
            method = make_method(entry.name, given)
        except BadInput as error:
            wrong[str(error)] = None
            continue
        knobs: dict[str, Any] = adapter(cls).dump_python(method, mode="json", exclude=_unsaid(method))
        share, split = knobs.get(SPLIT), {}
        if isinstance(share, float):
            first, second = kinds_of(cls)
            split = {first: share, second: round(1 - share, 12)}
        changed = [f"{k}={_short(v)}" for k, v in knobs.items() if k == SPLIT or k not in usual or usual[k] != v]
        label = " ".join([entry.name, *changed])
        found.append(_Setting(method=entry.name, knobs=knobs, budgets=budgets, split=split, label=label))
    return found


def _unsaid(method: object) -> set[str]:
    """Knobs that came later than cells that exist, at their defaults: these cells keep their keys."""
    assert is_dataclass(method)
    return {f.name for f in fields(method) if not enters(f, method)}


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _chosen(study: Study, entry: MethodEntry, cls: type[Any]) -> Iterator[dict[str, Any]]:
    """The named knobs of each configuration of a method, by the study's kind of search."""
    options = entry.choices()
    if study.splits:
        options[SPLIT] = tuple(split[kinds_of(cls)[0]] for split in study.splits)
    is_open = any(isinstance(option, Range) or len(option) > 1 for option in options.values())
    if study.search.kind == "grid" or not is_open:
        yield from combinations(cls, options)
    elif study.search.kind == "random":
        assert study.search.samples is not None
        for i in range(study.search.samples):
            draw = f"{study.search.seed}/{entry.name}/{i}"
            yield {knob: _draw(cls, knob, option, f"{draw}/{knob}") for knob, option in options.items()}


def _draw(cls: type[Any], knob: str, option: tuple[Any, ...] | Range, seed: str) -> Any:
    """A function of the seed and the option: more samples, or another knob, change no earlier draw."""
    rng = random.Random(seed)
    return option.draw(rng, whole=settable(cls)[knob] is int) if isinstance(option, Range) else rng.choice(option)
