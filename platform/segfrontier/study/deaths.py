"""Why a cell's process died, as far as that can be known from outside: by what Ray, the kernel and its log say."""

from __future__ import annotations

import re
from pathlib import Path

_LINES, _LENGTH, _BYTES = 3, 300, 8192
_MEMORY = re.compile(r"OutOfMemory|running low on memory|[Mm]emory (?:usage|pressure) .*threshold")
_NODE = re.compile(r"NodeDied|node (?:was terminated|has died|is dead|died)|its node has died")


def cause(error: BaseException | None, log: Path, *, kills: int) -> str:
    """What is known, and the end of the log. `kills`: processes that the kernel ended meanwhile for want of memory."""
    end = _end(log)
    fatal = re.search(r"Fatal Python error: ([^\n]+)", end)
    said = f"{type(error).__name__}: {error}" if error is not None else ""
    if fatal:
        why = f"Python says: {fatal[1].strip()}"
    elif any(kind.__name__ == "RayTaskError" for kind in type(error).__mro__):
        return f"it raised {said.strip().splitlines()[-1]}"
    elif _MEMORY.search(said):
        why = "Ray ended it because its node ran out of memory. Give a cell more of it, or run fewer at once"
    elif _NODE.search(said):
        why = "its node was lost"
    elif kills > 0:
        why = (
            f"out of memory: the kernel ended {kills} processes here for that meanwhile. Give a cell more of it, or "
            f"run fewer at once"
        )
    else:
        why = "nothing says why, so it was likely killed from outside"
    last = " | ".join(end.split("\n")[-_LINES:])[-_LENGTH:].strip()
    return f"{why}. Its log ends with: {last}" if last else f"{why}. Its log is empty"


def oom_kills() -> int:
    """How many processes the kernel of this machine has ended for want of memory since it was booted."""
    try:
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _end(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
