"""What an exception means to the user: a sentence on stderr and an exit code; a traceback only where it is asked for.

An error that nobody foresaw is told as such, in one sentence with the file in which its details were kept.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import typer

FAILED, REFUSED = 1, 3
_OF_PATHS = {
    getattr(errno, name)
    for name in ("ENOENT", "ENOTDIR", "EISDIR", "EEXIST", "ENOTEMPTY", "EACCES", "EPERM", "EROFS", "ENAMETOOLONG",
                 "ELOOP", "ENXIO", "ENODEV", "EINVAL", "EXDEV", "EMLINK", "ETXTBSY")
}  # fmt: skip
"""What the system says of a path that cannot be used as it is."""


def explain(error: Exception, *, words: Sequence[str], debug: bool) -> int:
    """Tell the user of an error; the exit code."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, BrokenPipeError) and stdout_is_closed():
        _forget_stdout()
        return FAILED  # whoever read has left: nobody is there to be told
    text, code = meaning(error)
    if not text:
        what = f"{type(error).__name__}: {_first_line(error)}".removesuffix(": ")
        kept = _keep(error, words)
        text = f"this was not foreseen ({what}). Its details are in {kept}; please report it with that file."
    typer.secho(f"error: {text}", fg="red", err=True)
    return code


def meaning(error: Exception) -> tuple[str, int]:
    """The sentence and the exit code of an error that was foreseen; no sentence for any other."""
    from segfrontier.basics.disk import disk_full, is_full
    from segfrontier.errors import BadInput, SegFrontierError

    if isinstance(error, SegFrontierError):
        return str(error), REFUSED if isinstance(error, BadInput) else FAILED
    if is_full(error):
        return str(disk_full(getattr(error, "filename", None) or "what is written")), FAILED
    if isinstance(error, OSError) and error.errno in _OF_PATHS:
        named = [str(name) for name in (error.filename, error.filename2) if name is not None]
        found = f"{_short(' -> '.join(named))}: {error.strerror}" if named else _short(_first_line(error))
        return f"a path must be one that can be used here; found {found}. Correct it, or its permissions.", REFUSED
    return "", FAILED


def require_text(words: Sequence[str]) -> None:
    """Refuse arguments that no file and no terminal can show."""
    from segfrontier.errors import BadInput

    for word in words:
        try:
            word.encode("utf-8")
        except UnicodeEncodeError:
            raise BadInput(f"an argument must be text in UTF-8; found {word!r}. Rename what it names.") from None
        if "\0" in word:
            raise BadInput(f"an argument must hold no NUL character; found {word!r}. Leave it out.")


def wants_debug() -> bool:
    """Whether the environment asks for tracebacks."""
    return os.environ.get("SEGFRONTIER_DEBUG", "") not in ("", "0")


def stdout_is_closed() -> bool:
    """Whether nobody reads any more what this process prints."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return True
    return False


def _forget_stdout() -> None:
    """Print into nothing, or Python itself would complain at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _first_line(error: Exception) -> str:
    return _hidden(_short(" ".join(str(error).split())))


def _keep(error: Exception, words: Sequence[str]) -> str:
    """Write the details down where they can be found; the file's name."""
    from segfrontier.basics.atomic import write_text
    from segfrontier.study.environment import environment

    lines = [
        "segfrontier " + " ".join(map(repr, words)),
        *(f"{name} {version}" for name, version in environment().items()),
        "".join(traceback.format_exception(error)),
    ]
    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    for folder in _places(words):
        with suppress(Exception):
            write_text(folder / name, _hidden("\n".join(lines)).encode("utf-8", "backslashreplace").decode())
            return str(folder / name)
    return "no file, for none could be written (use --debug)"


def _places(words: Sequence[str]) -> list[Path]:
    """Where details may be kept: the home if there is one, the user's cache, the system's folder for such files."""
    from segfrontier.basics.marks import kind_of

    given = [b for a, b in zip(words, [*words[1:], ""], strict=True) if a == "--home"]
    given += [word.removeprefix("--home=") for word in words if word.startswith("--home=")]
    home = Path((given or ["runs"])[-1]).absolute()
    is_home = kind_of(home) == "home" or (home / "ledger").is_dir() or (home / "ledger.sqlite").is_file()
    cache = os.environ.get("SEGFRONTIER_CACHE") or str(Path.home() / ".cache" / "segfrontier")
    errors = [home / "errors"] if is_home else []
    return [*errors, Path(cache) / "errors", Path(tempfile.gettempdir())]


def _hidden(text: str) -> str:
    """Without the passwords that addresses may hold."""
    return re.sub(r"//[^/@\s]*@", "//***@", text)


def _short(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:157]}..."
