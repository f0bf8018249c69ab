"""Mistakes in house words: where, what must hold, what was found; the same for every file and option that is checked.

A place is written alike everywhere, in `--set` and in messages: names and list indices with dots, `methods.1.knobs.k`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from segfrontier.errors import SegFrontierError

MANY = 50
"""Mistakes that are told one by one; of more, only the number."""
_SHOWN = 120
OURS = "segfrontier"
"""The type of a pydantic error whose message is in house words already."""


def nearest(word: object, known: Iterable[str]) -> str:
    """ "did you mean 'x'?" for an unknown word that resembles a known one, else the list of the known ones."""
    options = sorted(known)
    close = get_close_matches(str(word)[:_SHOWN], options, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(options)}"


def unknown(key: object, keys: Iterable[str]) -> str:
    """What to say of a key that nobody knows."""
    clue = nearest(key, keys)
    if clue == "known: ":
        return "there is no such key, nor any other"
    return clue if clue.startswith("did you mean") else f"there is no such key; {clue}"


def place(parts: Sequence[str | int]) -> str:
    """`methods.1.knobs.k`."""
    return ".".join(shortened(text if (text := str(part)).isprintable() else repr(text)[1:-1]) for part in parts)


def shown(value: object) -> str:
    """A value as it was found, cut where it is long."""
    try:
        return shortened(repr(value))
    except (ValueError, RecursionError):
        return "a value too large to be shown"  # an integer of thousands of digits


def shortened(text: str) -> str:
    """A text, cut where it is long."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def explain(error: ValidationError, kind: Any, *, where: str = "", at: Sequence[str | int] = ()) -> str:
    """All mistakes that pydantic found, a line each. `kind`: the model; `where`: the file; `at`: the place in it."""
    found = [one for one in error.errors(include_url=False) if not _follows(one, error)]
    lines = dict.fromkeys(_line(mistake, kind, at) for mistake in found[:MANY])
    more = [f"and {len(found) - MANY} more mistakes"] if len(found) > MANY else []
    return "\n".join(f"{where}: {line}" if where else line for line in [*lines, *more])


def _follows(mistake: Mapping[str, Any], error: ValidationError) -> bool:
    """Whether a list is too short only because entries of it are wrong, which are mistakes of their own."""
    at = tuple(mistake["loc"])
    if mistake["type"] != "too_short":
        return False
    return any(len(other["loc"]) > len(at) and other["loc"][: len(at)] == at for other in error.errors())


def wording(mistake: Mapping[str, Any], keys: Iterable[str]) -> str:
    """One complaint of pydantic in house words; `keys` are those that the place of a wrong key knows."""
    if mistake["type"] == "extra_forbidden":
        return unknown(mistake["loc"][-1], keys)
    if mistake["type"] == "missing":
        return "must be given; it is missing"
    text = re.sub("^(Value error, |Input should |String should )", "", mistake["msg"])
    if mistake["type"] in (OURS, "value_error"):
        return text
    return f"{'' if text == mistake['msg'] else 'must '}{text}; found {shown(mistake['input'])}"


def _line(mistake: Mapping[str, Any], kind: Any, at: Sequence[str | int]) -> str:
    loc = mistake["loc"]
    keys = _keys([kind], loc[:-1]) if mistake["type"] == "extra_forbidden" else ()
    text, named = wording(mistake, keys), place([*at, *loc])
    return f"{named}: {text}" if named else text


def _keys(kinds: list[Any], loc: Sequence[str | int]) -> list[str]:
    """The keys of the models that may stand at a place; none where there is no model."""
    for part in loc:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)]
    models = [k for kind in kinds for k in _plain(kind) if isinstance(k, type) and issubclass(k, BaseModel)]
    return [name for model in models for name in model.model_fields]


def _inside(kind: Any, part: str | int) -> list[Any]:
    """What may stand at one part of what a type describes."""
    found: list[Any] = []
    for one in _plain(kind):
        origin, arguments = get_origin(one), get_args(one)
        if isinstance(one, type) and issubclass(one, BaseModel) and part in one.model_fields:
            found.append(one.model_fields[str(part)].annotation)
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            found.append(arguments[1])
        elif isinstance(origin, type) and issubclass(origin, Sequence) and isinstance(part, int):
            found.append(arguments[0])
    return found


def _plain(kind: Any) -> list[Any]:
    """A type without `Annotated`, or the members of a union."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [one for member in get_args(kind) for one in _plain(member)]
    return [kind]


def many(count: int, noun: str) -> str:
    """`2 cells`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def one_line(error: BaseException) -> str:
    """An error as users read it: SegFrontier's own without their class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, SegFrontierError) else f"{type(error).__name__}: {text}"
