"""What a knob of a method, or a facet of the recipe, may be in a study: one value, a list of them, or a range.

The fields of the dataclass that takes them say what is valid. A list that is itself one valid value (such as
`crop: [96, 96]`) is that value, not a list of alternatives.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, fields
from itertools import product
from types import MappingProxyType
from typing import Annotated, Any, Self, get_type_hints

import numpy as np
from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from segfrontier.basics import bounds
from segfrontier.basics.settings import Mistakes, Strict, by_class, raise_all
from segfrontier.basics.wording import MANY, unknown, wording


class Range(Strict):
    """`low` to `high`, both included: `steps` evenly spaced values (in ratio where `log`), or any value at random."""

    low: FiniteFloat
    high: FiniteFloat
    steps: Annotated[int, Field(ge=2, le=bounds.STEPS)] | None = None
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"a range needs low < high, and low > 0 where log; found {self.low:g} to {self.high:g}")
        return self

    def values(self, *, whole: bool = False) -> tuple[float, ...]:
        """The evenly spaced values, rounded where only whole numbers will do."""
        assert self.steps is not None, "a grid over a range needs its steps"
        space = np.geomspace if self.log else np.linspace
        spaced = [float(f"{value:.12g}") for value in space(self.low, self.high, self.steps)]
        return tuple(dict.fromkeys(round(value) if whole else value for value in spaced))

    def draw(self, rng: random.Random, *, whole: bool = False) -> float:
        """One of the values where there are steps, else any number of the range."""
        if self.steps is not None:
            return rng.choice(self.values(whole=whole))
        if self.log:
            value = min(max(math.exp(rng.uniform(math.log(self.low), math.log(self.high))), self.low), self.high)
        else:
            value = rng.uniform(self.low, self.high)
        return round(value) if whole else value


def checked(
    cls: type[Any], given: Mapping[str, Any], *, ranges: bool = False, several: bool = True, bare: Collection[str] = ()
) -> dict[str, Any]:
    """`given` in the order of the fields of dataclass `cls`, with the defaults of those left out, except the `bare`."""
    wrong: Mistakes = []
    known = settable(cls)
    for name, value in given.items():
        if len(wrong) >= MANY:
            break  # who made that many will not read more
        if name not in known:
            wrong.append(((name,), unknown(name, known)))
            continue
        try:
            found = choices(cls, name, value)
        except ValidationError as error:
            wrong += [((name, *m["loc"]), wording(m, Range.model_fields)) for m in error.errors()]
            continue
        if not (ranges if isinstance(found, Range) else several or len(found) == 1):
            wrong.append(((name,), f"must be one value{' or a list of them' if several else ''}; found {value!r}"))
    raise_all(wrong)
    whole = {name: value for name, value in defaults(cls).items() if name not in bare} | dict(given)
    return {name: whole[name] for name in known if name in whole}


def choices(cls: type[Any], name: str, given: Any) -> tuple[Any, ...] | Range:
    """What field `name` of dataclass `cls` may be: `given` as one value, as several, or as a range."""
    try:
        return (_one(cls)[name].validate_python(given),)
    except ValidationError:
        if isinstance(given, list | tuple) and given:
            return _several(cls)[name].validate_python(given)
        if isinstance(given, Mapping):
            return Range.model_validate(given)
        raise


def combinations(cls: type[Any], options: Mapping[str, tuple[Any, ...] | Range]) -> Iterator[dict[str, Any]]:
    """Every combination of the values of fields of dataclass `cls`; of a range, its evenly spaced ones."""
    whole = {name: kind is int for name, kind in settable(cls).items()}
    listed = (o.values(whole=whole[name]) if isinstance(o, Range) else o for name, o in options.items())
    for values in product(*listed):
        yield dict(zip(options, values, strict=True))


@by_class
def settable(cls: type[Any]) -> Mapping[str, Any]:
    """Name -> type of the fields that dataclass `cls` is made with."""
    hints = get_type_hints(cls, include_extras=True)
    return MappingProxyType({field.name: hints[field.name] for field in fields(cls) if field.init})


@by_class
def _one(cls: type[Any]) -> dict[str, TypeAdapter[Any]]:
    """What checks a value of each field: a table of a paper asks ten thousand times."""
    return {name: TypeAdapter(kind) for name, kind in settable(cls).items()}


@by_class
def _several(cls: type[Any]) -> dict[str, TypeAdapter[tuple[Any, ...]]]:
    return {name: TypeAdapter(tuple[kind, ...]) for name, kind in settable(cls).items()}  # type: ignore[valid-type]


def defaults(cls: type[Any]) -> dict[str, Any]:
    """Name -> plain value of the fields that have a default."""
    found: dict[str, Any] = {}
    for field in fields(cls):
        value = field.default if field.default_factory is MISSING else field.default_factory()
        if field.init and value is not MISSING:
            found[field.name] = _one(cls)[field.name].dump_python(value, mode="json")
    return found
