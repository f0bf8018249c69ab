"""Objects that engine code may use and that nothing handed to a method leads to (see `market.window` for what this
guards against, and what not)."""

from __future__ import annotations

import os
import secrets
from typing import Any, Generic, NoReturn, TypeVar

from segfrontier.errors import SegFrontierError

T = TypeVar("T")
_KEPT: dict[str, Any] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_KEPT.clear)


class Sealed(Generic[T]):
    """A token for an object that lies in this process's registry until `drop` is called."""

    __slots__ = ("_token",)

    def __init__(self, thing: T) -> None:
        self._token = secrets.token_hex(16)
        _KEPT[self._token] = thing

    def __reduce__(self) -> NoReturn:
        raise TypeError("what is sealed stays in its process; send label sets and pools instead")

    def drop(self) -> None:
        """Forget the object."""
        _KEPT.pop(self._token, None)


def unseal(sealed: Sealed[T]) -> T:
    """The object itself; for the engine alone."""
    try:
        thing: T = _KEPT[sealed._token]
    except KeyError:
        raise SegFrontierError("this lab is closed, or belongs to another process; open one here") from None
    return thing
