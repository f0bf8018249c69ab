"""What `pretrained: auto` was decided to stand for in a home, by encoder; readable without any library that trains."""

from __future__ import annotations

from pathlib import Path

from segfrontier.basics.reading import read_json

WEIGHTS = "weights.json"


def decided_weights(home: Path) -> dict[str, str] | None:
    """Origins of weights by encoder, none where nothing was decided; None where the file holds something else."""
    plain = read_json(home / WEIGHTS)
    if not isinstance(plain, dict) or not all(isinstance(name, str) for name in plain.values()):
        return None
    return plain
