"""Memory that stays with the process.

A training step on a CPU frees some large tensors, and the next step wants them again. glibc gives such memory back to
the system at once, so that every step begins with its pages being mapped, and zeroed, anew: a tenth of its time.
"""

from __future__ import annotations

import contextlib
import ctypes
from functools import cache

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_KEPT = 2**30


@cache
def keep_freed_memory() -> bool:
    """Have up to a gibibyte of freed memory kept for the next step; whether this C library can be told so.

    No tensor gets a mapping of its own, however large, for those go back whenever they are freed.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        return bool(libc.mallopt(_M_MMAP_MAX, 0) and libc.mallopt(_M_TRIM_THRESHOLD, _KEPT))
    return False
