"""The machine of a cell, looked at now and then while that works, from a thread of its own that nothing waits for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from segfrontier.basics.usage import Usage
from segfrontier.errors import DiskFull
from segfrontier.home.progress import ProgressLog

SECONDS = 10.0


@contextmanager
def sampled(log: ProgressLog, *, gpus: bool = True, seconds: float = SECONDS) -> Iterator[None]:
    """Log the machine's use every so many seconds while the block lasts, and at its end."""
    over, usage = threading.Event(), Usage(gpus=gpus)

    def look() -> None:
        with suppress(OSError, DiskFull):  # whoever computes the cell will find the disk full, too
            while not over.wait(seconds):
                log.on_usage(usage.look())
            log.on_usage(usage.look())

    thread = threading.Thread(target=look, name="system-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
