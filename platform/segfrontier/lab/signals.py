"""Signals as questions: work that was asked to end does so between two steps, with its state saved.

One signal (Ctrl-C, SIGTERM, or SIGHUP when a terminal closes) asks all work of this process to save its state and
leave. A second one, of any kind, does not wait: it raises `KeyboardInterrupt` where the process is.
"""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_AGAIN_SECONDS = 0.01
_asked: threading.Event | None = None  # of the outermost block that heeds signals now

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does


@contextmanager
def heeding_signals(then: Callable[[], object] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Turn the first signal into a question that work asks between steps; `then` is called once when it comes.

    Inside another such block the question is the same: what asked a study to end has asked its cells, too. Outside of
    the main thread no signal is ever heard.
    """
    global _asked
    if _asked is not None:
        yield _asked.is_set
        return
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, _: object) -> None:
        if number == signal.SIGHUP:
            _leave_terminal()
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        then()

    _asked = asked
    before = {number: signal.signal(number, note) for number in SIGNALS if not _is_ignored_on_purpose(number)}
    try:
        yield asked.is_set
    finally:
        _asked = None
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def own_handlers() -> Iterator[None]:
    """Whatever is called here may set handlers; afterwards those from before are back.

    Ray takes SIGTERM for itself, and leaves by `SystemExit` with its number or 1: then the process was asked to stop
    while it started Ray, and nothing is begun that could be saved.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    except SystemExit as leave:
        if leave.code in (1, signal.SIGTERM):
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Handlers hold while Ray is left and afterwards.

    It sets SIGTERM to the system's default behind Python's back, then goes on for seconds: a signal would end the
    process at once, with none of what was to be done and a code of its own. So a timer sets the handlers again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in SIGNALS}

    def again(*_: object) -> None:
        for number, handler in kept.items():
            signal.signal(number, handler)

    alarm = signal.signal(signal.SIGALRM, again)
    timer = signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS, _AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        again()
        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, *timer)  # whoever had one waits for it


def _is_ignored_on_purpose(number: int) -> bool:
    """Who starts a process with `nohup` wants it to outlive the terminal."""
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _leave_terminal() -> None:
    """The terminal is gone: what is still printed there would be an error each time."""
    for number in (1, 2):
        with suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)
