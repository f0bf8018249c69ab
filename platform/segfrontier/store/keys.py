"""Keys: the hash of all that goes into a stage, the same in every process, on every machine.

Values are first brought to one plain JSON form (`plain`), then hashed as text: mappings by sorted keys, tuples as
lists, floats by their exact shortest digits, so that 1, 1.0 and True stay three values. What has no such form is an
error that names its place, e.g. `arguments.rule.views[2]`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from segfrontier.errors import BadInput

KEY_FORMAT = 2
"""Part of every key: raised when the same values must get new keys."""


LATER: Mapping[str, bool] = {"segfrontier.later": True}
"""Metadata of a field that came later than keys that exist: at its default it enters none, so that these stay."""


_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")


def is_key(text: str) -> bool:
    """Whether a text may stand where a key does: as the name of a folder."""
    return _KEY.fullmatch(text) is not None


def stage_key(kind: str, arguments: Mapping[str, Any], inputs: Mapping[str, str], code: str) -> str:
    """The key of a stage: 32 hex digits made of its kind, arguments, inputs' keys and the digest of its code."""
    for name, value in inputs.items():
        if not isinstance(value, str):
            raise BadInput(f"inputs.{name} must be a key or a digest (text); found {value!r}; pass e.g. entry.key")
    whole = {"format": KEY_FORMAT, "kind": kind, "arguments": arguments, "inputs": inputs, "code": code}
    return text_digest(dumps({name: plain(value, at=name) for name, value in whole.items()}))


def plain(value: object, *, at: str = "value") -> Any:
    """`value` in plain JSON types; equal for equal values and different for different ones.

    A dataclass is its class name and its fields, without those declared `compare=False` or at the default of `LATER`
    ones. A path is its text: a file's
    content counts only when its digest is given too.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Enum):
        return {"~enum": f"{_name(type(value))}.{value.name}"}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, float):
        return _plain_float(value, at)
    if isinstance(value, list | tuple):
        return [plain(item, at=f"{at}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, set | frozenset):
        return {"~set": sorted((plain(item, at=f"{at}{{}}") for item in value), key=dumps)}
    if isinstance(value, Mapping):
        return _plain_mapping(value, at)
    if is_dataclass(value) and not isinstance(value, type):
        entering = (f.name for f in fields(value) if enters(f, value))
        content = {name: plain(getattr(value, name), at=f"{at}.{name}") for name in entering}
        return {"~of": _name(type(value)), **content}
    kind = type(value)
    raise BadInput(
        f"{at} must be made of numbers, text, None, paths, enums, lists, mappings and dataclasses, so that its hash is "
        f"the same everywhere; found a {kind.__module__}.{kind.__qualname__}; pass its "
        f"settings as a dataclass or its digest as an input"
    )


def enters(field: Field[Any], owner: object) -> bool:
    """Whether a field is a part of its owner's key."""
    later = field.metadata.keys() >= LATER.keys()
    return field.compare and not (later and getattr(owner, field.name) == field.default)


def dumps(tree: Any) -> str:
    """The one JSON text of a plain tree: sorted, ASCII, no spaces."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), allow_nan=False)


def text_digest(text: str) -> str:
    """32 hex digits of BLAKE2b."""
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()


def _plain_float(value: float, at: str) -> Any:
    if math.isnan(value):
        raise BadInput(f"{at} must be a number that equals itself; found NaN; use None for 'not set'")
    return {"~float": "inf" if value > 0 else "-inf"} if math.isinf(value) else float(value)


def _plain_mapping(value: Mapping[Any, Any], at: str) -> Any:
    """A JSON object; a list of pairs where keys are not text, or could be taken for one of the marks used here."""
    if all(isinstance(k, str) and not isinstance(k, Enum) and not k.startswith("~") for k in value):
        return {str(k): plain(v, at=f"{at}.{k}" if k.isidentifier() else f"{at}[{k!r}]") for k, v in value.items()}
    pairs = [[plain(k, at=f"{at} key {k!r}"), plain(v, at=f"{at}[{k!r}]")] for k, v in value.items()]
    return {"~map": sorted(pairs, key=dumps)}


def _name(cls: type) -> str:
    """Without its module: where a class lies decides nothing, and its code has a digest of its own."""
    return cls.__qualname__
