"""The `segfrontier` command: runs a verb and says how it ended, by one sentence and one of five exit codes.

0 done; 1 the work failed; 2 the command line was wrong; 3 the input was refused with an explanation; 130 Ctrl-C,
SIGTERM or a closed terminal. Everything is imported inside `main`, so that each is heeded from its first line on.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TextIO

STOPPED = 130
_DEBUG = "--debug"


def program() -> None:
    """`main` as a process of its own. It is not taken apart at its end, which would take a second and more.

    What was registered to be done at the end is done: this is registered first, so it comes last.
    """
    ended: list[int] = []
    atexit.register(_leave, ended)
    try:
        main()
    except SystemExit as leave:
        ended.append(int(leave.code or 0))
        raise


def _leave(ended: Sequence[int]) -> None:
    """End at once, where the exit code is known; after anything unforeseen Python ends as it always does."""
    if ended:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(ended[0])


def main() -> None:
    """Run the command line and leave with its exit code."""
    stopped = _heed_signals()
    try:
        code = _run(sys.argv[1:], stopped)
    except KeyboardInterrupt:
        with suppress(OSError):  # a terminal that has closed
            print("stopped", file=sys.stderr)  # noqa: T201  # nothing may be imported yet
        code = STOPPED
    atexit.register(_ignore_signals)
    sys.exit(code)


def _ignore_signals() -> None:
    """The work is done and its code decided: from here on Python would die of a signal, with another code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _heed_signals() -> Sequence[int]:
    """Until a verb says how it stops, SIGTERM and SIGHUP stop it as Ctrl-C does; the signals that have come."""
    own = os.getpid()
    came: list[int] = []

    def stop(number: int, _: object) -> None:
        if os.getpid() != own:  # a child that took the handler with it
            os._exit(128 + number)
        came.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):  # `nohup` has it ignored
            signal.signal(number, stop)

    def raise_again(lost: sys.UnraisableHookArgs) -> None:
        """Python throws away what is raised in a callback of its own (a module's lock, `__del__`): come again."""
        if issubclass(lost.exc_type, KeyboardInterrupt):
            signal.signal(signal.SIGALRM, stop)
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        else:
            sys.__unraisablehook__(lost)

    sys.unraisablehook = raise_again
    return came


def _run(words: Sequence[str], stopped: Sequence[int]) -> int:
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
        if stopped and not debug:  # C code answers what is raised in it with an error of its own, as a codec does
            raise KeyboardInterrupt from error
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
        _warn(str(message))
    else:
        _usual_warning(message, category, filename, lineno, file, line)


@cache
def _warn(text: str) -> None:
    import typer

    typer.secho(f"warning: {text}", fg="yellow", err=True)
