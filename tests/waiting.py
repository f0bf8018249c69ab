"""Waiting for other processes: until something holds, and whether one is still there."""

import os
import time


def until(holds, seconds=60.0):
    """Whether something came to hold in time."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def alive(pid):
    """Whether a process is there, be it as one that has ended and was not waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
