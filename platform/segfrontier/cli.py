"""The `segfrontier` command: runs a verb and says how it ended, by one sentence and one of five exit codes.

0 done; 1 the work failed; 2 the command line was wrong; 3 the input was refused with an explanation; 130 Ctrl-C.
Everything is imported inside `main`, so that Ctrl-C is heeded from its first line on.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from functools import cache
from typing import TextIO

STOPPED = 130
_DEBUG = "--debug"


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        sys.exit(_run(sys.argv[1:]))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201  # nothing may be imported yet
        sys.exit(STOPPED)


def _run(words: Sequence[str]) -> int:
    from segfrontier.commands.faults import explain, require_text, wants_debug

    for stream in (sys.stdout, sys.stderr):  # no terminal's encoding, and no odd file name, may stop a report
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")
    warnings.showwarning = _show_warning
    plain = [word for word in words if word != _DEBUG]
    debug = wants_debug() or len(plain) < len(words)
    try:
        require_text(plain)
        return _verb(plain)
    except Exception as error:
        return explain(error, words=plain, debug=debug)


def _verb(words: Sequence[str]) -> int:
    """Run a verb; what it printed has left this process when it returns."""
    from segfrontier.commands.verbs import command

    try:
        command()(args=list(words), prog_name="segfrontier")
    except SystemExit as leave:  # how typer ends, always
        if sys.stdout is not None:
            sys.stdout.flush()
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return 0


_usual_warning = warnings.showwarning


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
    line: str | None = None,
) -> None:  # fmt: skip
    """SegFrontier's own warnings are for users: a paragraph each, wherever in the code they were raised, and once."""
    if category.__module__.startswith("segfrontier"):
        _tell_warning(str(message))
    else:
        _usual_warning(message, category, filename, lineno, file, line)


@cache
def _tell_warning(text: str) -> None:
    import typer

    typer.secho(f"warning: {text}", fg="yellow", err=True)
