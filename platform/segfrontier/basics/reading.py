"""Reading what others wrote: small files that are bounded before they are parsed, YAML and JSON of a bounded shape.

Nothing here trusts a file: a pipe or device in its place does not hang, a large one is refused by its size, nesting and
aliases are counted in one pass before anything is built. Each refusal says what must hold, what was found, what to do.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Hashable
from io import BufferedReader
from pathlib import Path
from typing import Any

import yaml

from segfrontier.errors import BadInput

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

SMALL = 2**20
"""Bytes of a file that people write."""
LARGE = 2**28
"""Bytes of a file that SegFrontier writes."""
_DEPTH, _NODES, _DIGITS = 64, 100_000, 400
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class NotPlain(OSError):
    """What lies there is no regular file, or is larger than the limit."""


def open_plain(path: str | Path) -> BufferedReader:
    """A regular file, open for reading; OSError where it is not one. Never waits for a pipe."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(mode):
        os.close(fd)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError("it is a folder")
        raise NotPlain("it is no regular file but a pipe, socket or device")
    return os.fdopen(fd, "rb")


def read_bounded(path: str | Path, limit: int = SMALL) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; OSError where it is not one."""
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > limit else file.read(min(limit, size or limit) + 1)
        if size > limit or len(data) > limit:
            raise NotPlain(f"it has {max(size, len(data))} bytes, more than the {limit} that may be read")
        return data


def read_text(path: str | Path, *, what: str, error: type[BadInput] = BadInput, limit: int = SMALL) -> str:
    """The text of a small file; `what` names it in the refusal, e.g. "a study file"."""
    try:
        return read_bounded(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        byte = wrong.object[wrong.start]
        raise error(
            f"{path}: {what} must be text in UTF-8; found the byte 0x{byte:02x} at {wrong.start}. Save it as UTF-8."
        ) from None
    except (OSError, ValueError) as wrong:  # ValueError: a NUL in the path
        raise error(f"{path}: {what} must be a readable file; it is not ({wrong}). Correct the path.") from None


def load_yaml(path: str | Path, *, what: str, error: type[BadInput] = BadInput) -> Any:
    """The content of a YAML file."""
    return parse_yaml(read_text(path, what=what, error=error), where=str(path), what=what, error=error)


def load_json(path: str | Path, *, what: str, error: type[BadInput] = BadInput, limit: int = LARGE) -> Any:
    """The content of a JSON file."""
    return parse_json(read_text(path, what=what, error=error, limit=limit), where=str(path), what=what, error=error)


def read_json(path: Path) -> Any:
    """The content of a JSON file of our own; None where there is none, or none that can be read."""
    try:
        return parse_json(read_bounded(path, LARGE), where=str(path), what="it")
    except (OSError, BadInput):
        return None


def parse_json(text: str | bytes, *, where: str, what: str, error: type[BadInput] = BadInput) -> Any:
    """The content of a JSON text."""
    try:
        content = json.loads(text)
        if _HALF.search(text if isinstance(text, str) else text.decode("utf-8", "replace")):
            json.dumps(content, ensure_ascii=False).encode()  # half a character is JSON, but can be written nowhere
        return content
    except RecursionError:
        raise error(f"{where}: {what} may nest its values a few levels deep; found too many. Write it anew.") from None
    except ValueError as wrong:
        raise error(f"{where}: {what} must be JSON; it is not ({wrong}). Correct it, or write it anew.") from None


def parse_yaml(text: str, *, where: str, what: str, error: type[BadInput] = BadInput) -> Any:
    """The content of a YAML text: keys that stand twice are refused, `<<` merges, and its shape is bounded."""
    try:
        _measure(text)
        return yaml.load(text, Loader=NoDuplicates)
    except _TooMuch as wrong:
        raise error(f"{where}: {what} {wrong}. Write it plainly.") from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, RecursionError) as wrong:
        reason = " ".join(str(wrong).split())
        raise error(f"{where}: {what} must be valid YAML; {reason[:400]}") from None


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NoDuplicates(_Loader):
    """YAML where a key that stands twice is an error, not a silent override; a merged one (`<<`) may be overridden."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.YAMLError(f"each key may stand once; twice: {key} (line {key_node.start_mark.line + 1})")
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)


class _TooMuch(Exception):
    """What a YAML text has too much of."""


def _measure(text: str) -> None:
    """Count depth and nodes, each alias as all that it stands for, in one pass that builds nothing."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []  # anchor, and the count where it began
    count = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _TooMuch(f"must not contain itself; the alias *{event.anchor} stands inside what it names")
            count += sizes[event.anchor]
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.implicit[0] and len(event.value) > _DIGITS and event.value[0] in "+-.0123456789":
                raise _TooMuch(f"may hold numbers of {_DIGITS} digits; found {len(event.value)}")
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, count))
            count += 1
            if event.anchor:
                sizes.pop(event.anchor, None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = count - before
        if len(open_) > _DEPTH:
            raise _TooMuch(f"may nest its values {_DEPTH} levels deep; found more")
        if count > _NODES:
            raise _TooMuch(f"may hold {_NODES} values, each alias counted as what it stands for; found more")
