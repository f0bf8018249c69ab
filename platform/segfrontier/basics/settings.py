"""Settings as typed models: no key but their own, and every mistake reported at once."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from segfrontier.basics.wording import OURS

Mistakes = list[tuple[tuple[str | int, ...], str]]
"""Places and what is wrong there."""


class Strict(BaseModel):
    """A frozen model that takes no other keys than its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, ser_json_inf_nan="constants")


@cache
def adapter(cls: type[Any]) -> TypeAdapter[Any]:
    """What checks and writes a class, built once: that takes a hundred times as long as using it."""
    return TypeAdapter(cls)


def raise_all(wrong: Mistakes) -> None:
    """All mistakes of a validator in one exception; pydantic puts the validator's own place before each."""
    if wrong:
        lines = [
            InitErrorDetails(type=PydanticCustomError(OURS, "{text}", {"text": text}), loc=at, input=None)
            for at, text in wrong
        ]
        raise ValidationError.from_exception_data("study", lines)
