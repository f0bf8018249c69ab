"""One of the processes that read scenes for an import: what to read comes in, packed scenes go out."""

from __future__ import annotations

import pickle
import sys

from segfrontier.scenes.processes import send


def main() -> None:
    """Read all scenes that came in, in their order."""
    work, items = pickle.load(sys.stdin.buffer)  # our own parent sent it
    send(int(sys.argv[1]), map(work, items))


if __name__ == "__main__":
    main()
