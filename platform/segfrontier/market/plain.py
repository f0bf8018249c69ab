"""Plain values: what an object says once, without the object, so that it cannot say something else later."""

from __future__ import annotations

from operator import index
from typing import SupportsIndex, cast


def plain_text(text: str) -> str:
    """The characters of a string, or of an object of a subclass such as NumPy's, as a plain string."""
    return str.__str__(text)


def plain_whole(number: object) -> int:
    """A whole number, or what NumPy takes for one, as a plain int, asked once; TypeError for anything else."""
    if isinstance(number, bool):
        raise TypeError("true and false are no numbers")
    return int.__add__(index(cast("SupportsIndex", number)), 0)
