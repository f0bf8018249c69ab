"""A model from the one file that `segfrontier export --to torch` wrote: its graph in the place of its network.

Torch unpickles parts of such a file: load only what you, or someone you trust, exported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from segfrontier.basics.reading import open_plain, parse_json
from segfrontier.errors import BadInput
from segfrontier.lab.card import CARD, Card
from segfrontier.lab.leaving.exporting import ENDINGS


class _Answer(NamedTuple):
    """What a prediction reads of a network's answer."""

    mean_logits: Tensor


class ExportedModel(nn.Module):
    """An exported graph; it has one mode and is always ready to predict."""

    def __init__(self, graph: nn.Module) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> _Answer:
        """Logits of images (N, 3, H, W) in [0, 1]."""
        return _Answer(self.graph(images))

    def train(self, mode: bool = True) -> ExportedModel:  # noqa: ARG002
        """As it is: a graph refuses to change its mode."""
        return self


def is_exported(source: str | Path) -> bool:
    """Whether a source names a file of an exported model."""
    return Path(source).suffix in ENDINGS["torch"] and Path(source).is_file()


def open_exported(file: Path, device: torch.device) -> tuple[nn.Module, Card]:
    """The network and the card in a file; BadInput where it is no such file."""
    held: dict[str, Any] = {CARD: ""}
    try:
        with open_plain(file) as stream:
            program = torch.export.load(stream, extra_files=held)
    except Exception as error:  # torch raises whatever it stumbles over
        raise BadInput(
            f"{file} must be a model that `segfrontier export --to torch` wrote; it is none "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]}). Name another file or a training's folder."
        ) from None
    if not held[CARD]:
        raise BadInput(f"{file} must hold the model's {CARD}; it holds none. Write it with `segfrontier export`.")
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    plain = parse_json(held[CARD], where=str(file), what="the description of a model")
    return ExportedModel(program.module()), Card.of(plain, where=str(file))
