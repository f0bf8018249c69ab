"""Checkpoints of a running stage: plain tensors that `torch.load(weights_only=True)` reads, named by step and digest.

A checkpoint appears by rename, so it is whole or absent; one whose digest does not match its name is passed over for
the one before it.
"""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

import torch

from segfrontier.scenes.files import digest, staging_name

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{32})\.pt")
_KEPT = 2
log = logging.getLogger(__name__)


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state reached after `step` steps; older checkpoints but one are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getbuffer()
    path = folder / f"step-{step:09d}-{digest(data)}.pt"
    staged = staging_name(path)
    try:
        staged.write_bytes(data)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    for old in _all(folder)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return path


def load(folder: Path, *, device: torch.device) -> dict[str, Any] | None:
    """The newest whole checkpoint, or None."""
    for path in reversed(_all(folder)):
        data = path.read_bytes()
        match = _NAME.fullmatch(path.name)
        if match and digest(data) == match[2]:
            state: dict[str, Any] = torch.load(io.BytesIO(data), map_location=device, weights_only=True)
            return state
        log.warning("%s is damaged; continuing from the checkpoint before it", path)
    return None


def _all(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("step-*.pt") if _NAME.fullmatch(p.name))
