"""Checkpoints of a running stage: plain tensors that `read_tensors` reads, named by step and digest.

A checkpoint appears by rename, so it is whole or absent; one that cannot be gone on from, whatever is wrong with it, is
set aside for the one before it.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from segfrontier.basics.atomic import write_bytes
from segfrontier.basics.reading import open_plain
from segfrontier.models.tensors import read_tensors
from segfrontier.scenes.files import digest

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_NAME = re.compile(r"step-(\d{9})-([0-9a-f]{32})\.pt")
_KEPT = 2
log = logging.getLogger(__name__)


class Unusable(Exception):
    """A checkpoint that training cannot go on from."""


def write_tensors(path: Path, content: Any, *, sync: bool = False) -> None:
    """Write what torch saves, whole or not at all. By way of memory: torch's own writer forgets why a disk refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, _saved(content).getbuffer(), sync=sync)


def save(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state reached after `step` steps; older checkpoints but one are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    data = _saved(state).getbuffer()
    path = folder / f"step-{step:09d}-{digest(data)}.pt"
    write_bytes(path, data, sync=False)
    for old in newest_first(folder)[_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints in a folder."""
    return sorted((p for p in folder.glob("step-*.pt") if _NAME.fullmatch(p.name) and p.is_file()), reverse=True)


@contextmanager
def opened(path: Path, *, device: torch.device) -> Iterator[dict[str, Any]]:
    """The state in a checkpoint. `Unusable` where it is not what was written, or the block cannot do with it."""
    try:
        with open_plain(path) as file:
            data = file.read()
        match = _NAME.fullmatch(path.name)
        if match is None or digest(data) != match[2]:
            raise ValueError("its content is not what was written")
        yield read_tensors(io.BytesIO(data), device=device)
    except (MemoryError, torch.OutOfMemoryError):
        raise  # the machine's fault
    except Exception as error:
        raise Unusable(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def set_aside(path: Path, why: Unusable) -> None:
    """Take a checkpoint out of the row; it goes with the others when the stage is done."""
    log.warning("%s is damaged; continuing from the checkpoint before it, or anew (%s)", path, why)
    with suppress(FileNotFoundError):  # another worker was faster
        path.replace(path.with_suffix(".damaged"))


def _saved(content: Any) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer
