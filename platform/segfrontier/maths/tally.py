"""Sums that merge: the base of every metric's state.

A metric's state is a frozen dataclass of arrays whose annotations say, field by field, how two of them become one. So
the state of a data set is the sum of the states of its parts, however it was cut, and travels as plain arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

Summed = Annotated[NDArray[np.int64], "sum"]
"""Counts that are added when two states merge: integers, because floats add up differently in another order."""

JoinedInts = Annotated[NDArray[np.int64], "join"]
JoinedFloats = Annotated[NDArray[np.float64], "join"]
"""Rows that are appended when two states merge."""

_How = Literal["sum", "join", "same"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """The base of dataclasses (frozen, keyword-only, eq=False) that merge by `+` and by the built-in `sum`.

    Fields are `Summed`, `JoinedInts` or `JoinedFloats`; any other, a string or a tuple of numbers, must be the same in
    both states.
    """

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self).total((self, other))

    def __radd__(self, other: int) -> Self:
        """Let the built-in `sum` begin at its 0."""
        return self if other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        mine, theirs = self.to_arrays(), other.to_arrays()
        return all(np.array_equal(mine[name], theirs[name]) for name in mine)

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """All parts (at least one) merged at once: quicker than adding up many that have rows to join."""
        parts = list(parts)
        if not parts:
            raise ValueError("a total needs at least one state; found none; begin with `zero` where there may be none")
        return cls(**{name: _merge([getattr(p, name) for p in parts], name, how) for name, how in _ways(cls).items()})

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Plain arrays, ready for `np.savez`."""
        return {name: np.asarray(getattr(self, name)) for name in _ways(type(self))}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The state that `to_arrays` wrote."""
        return cls(**{name: _restore(np.asarray(arrays[name]), how) for name, how in _ways(cls).items()})

    def to_plain(self) -> dict[str, Any]:
        """Lists, numbers and strings, ready for JSON; floats survive exactly."""
        return {
            name: {"dtype": array.dtype.str, "shape": list(array.shape), "values": array.ravel().tolist()}
            for name, array in self.to_arrays().items()
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The state that `to_plain` wrote."""
        return cls.from_arrays({k: np.array(v["values"], v["dtype"]).reshape(v["shape"]) for k, v in plain.items()})


_WAYS: dict[type[Tally], dict[str, _How]] = {}
"""What annotations say, read once a class: that takes far longer than to add the small states of an image."""


def _ways(kind: type[Tally]) -> dict[str, _How]:
    if kind not in _WAYS:
        hints = get_type_hints(kind, include_extras=True)
        _WAYS[kind] = {
            name: get_args(hint)[1] if get_origin(hint) is Annotated else "same" for name, hint in hints.items()
        }
    return _WAYS[kind]


def _merge(values: list[Any], name: str, how: _How) -> Any:
    first = values[0]
    if how == "same":
        for value in values:
            if value != first:
                raise ValueError(f"merged states must share {name}; found {first!r} and {value!r}; count both alike")
        return first
    fixed = slice(1, None) if how == "join" else slice(None)
    for value in values:
        if value.shape[fixed] != first.shape[fixed]:
            raise ValueError(
                f"merged states must be of one size; found {name} of shapes {first.shape} and {value.shape}; "
                f"count both with the same classes"
            )
    return np.concatenate(values) if how == "join" else np.sum(values, axis=0)


def _restore(array: NDArray[Any], how: _How) -> Any:
    if how != "same":
        return array
    value = array.tolist()
    return tuple(value) if isinstance(value, list) else value
