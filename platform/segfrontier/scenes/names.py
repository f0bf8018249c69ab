"""What worlds, splits, shards, classes and scenes may be called: nothing that is a path, markup or not printable.

Names of worlds and splits become names of files; those of classes stand in tables, metrics and pictures.
"""

from __future__ import annotations

import re

LONGEST = 100
_PLAIN = re.compile(r"\w[\w .-]*(?<! )")
_MARKUP = frozenset("[]\\")


def is_plain(name: str, longest: int = LONGEST) -> bool:
    """Whether a world or split (or a shard, which is named after its split) may have this name."""
    return len(name) <= longest and name.isprintable() and _PLAIN.fullmatch(name) is not None


PLAIN = f"letters, digits, `_`, `.`, `-` and inner spaces, no `.` or `-` first, {LONGEST} characters at most"
"""The rule of `is_plain` in words."""


def is_class_name(name: str) -> bool:
    """Whether a class may have this name: data sets have `traffic light`, `car/truck` and `building, edifice`."""
    fits = 0 < len(name) <= LONGEST and name == name.strip()
    return fits and name.isprintable() and not _MARKUP.intersection(name)


CLASS_NAME = f"printable characters but no brackets or backslash, {LONGEST} of them at most, no space at the ends"
"""The rule of `is_class_name` in words."""


def shown(name: object, longest: int = 60) -> str:
    """A name in an error: quoted, on one line, and not longer than can be read."""
    text = ascii(name) if isinstance(name, str) and not name.isprintable() else repr(name)
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"
