"""Settings as typed models: no key but their own, and every mistake reported at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from segfrontier.basics.wording import OURS

T = TypeVar("T")
Mistakes = list[tuple[tuple[str | int, ...], str]]
"""Places and what is wrong there."""


class Strict(BaseModel):
    """A frozen model that takes no other keys than its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, ser_json_inf_nan="constants")


def by_class(build: Callable[[type[Any]], T]) -> Callable[[type[Any]], T]:
    """What is made of a class, made once."""
    known: dict[type[Any], T] = {}

    @wraps(build)
    def get(cls: type[Any]) -> T:
        if cls not in known:
            known[cls] = build(cls)
        return known[cls]

    return get


@by_class
def adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """What checks and writes a class. Building it takes a hundred times as long as using it."""
    return TypeAdapter(cls)


def raise_all(wrong: Mistakes) -> None:
    """All mistakes of a validator in one exception; pydantic puts the validator's own place before each."""
    if wrong:
        lines = [
            InitErrorDetails(type=PydanticCustomError(OURS, "{text}", {"text": text}), loc=at, input=None)
            for at, text in wrong
        ]
        raise ValidationError.from_exception_data("study", lines)
