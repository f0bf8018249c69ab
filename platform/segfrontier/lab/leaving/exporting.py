"""A trained network as one file that other programs load, and the proof that it still answers the same.

The graph takes images (N, 3, H, W), RGB in [0, 1], of any size, and gives logits (N, K, H, W): normalising is in it.
How the model is looked at (views, size, windows) is not; it stands in the card, inside the file and beside it.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from segfrontier.basics.atomic import open_draft, publish, write_json
from segfrontier.errors import BadInput, SegFrontierError

Target = Literal["torch", "onnx"]
ENDINGS: Mapping[Target, tuple[str, ...]] = {"torch": (".pt2", ".pt"), "onnx": (".onnx",)}
NEEDED = ("onnx", "onnxscript", "onnxruntime")
"""Packages that ONNX takes; the extra `segfrontier[export]` brings them."""
TOLERANCE = 1e-3
"""How far logits may differ, as a share of the largest one."""
SAME = 0.999
"""The share of pixels that must get the same class."""
SIZES = ((64, 64), (97, 131), (65, 96), (130, 67))
_CARD = "model.json"

Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Parity:
    """How an exported network's answers compare to those of the network it was made from."""

    images: int
    difference: float
    """The largest difference of a logit."""
    largest: float
    """The largest logit."""
    same: float
    """The share of pixels with the same class."""

    @property
    def holds(self) -> bool:
        """Whether both are within what is allowed; never where a logit is NaN."""
        return self.difference <= TOLERANCE * max(1.0, self.largest) and self.same >= SAME

    def __str__(self) -> str:
        return (
            f"largest difference of a logit {self.difference:.2g} (of {self.largest:.3g}; allowed "
            f"{TOLERANCE * max(1.0, self.largest):.2g}), same class at {self.same:.4%} of pixels (needed {SAME:.1%}), "
            f"on {self.images} images of odd sizes"
        )


class Logits(nn.Module):
    """A segmentation network as a plain function of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(N, K, H, W) logits of images (N, 3, H, W) in [0, 1]."""
        logits: Tensor = self.network(images).mean_logits
        return logits


def export_network(
    network: nn.Module, card: Mapping[str, Any], file: Path, *, to: Target, overwrite: bool = False
) -> Parity:
    """Write the file, and its card beside it as FILE.json, if what was written answers as the network does.

    The network must be on the CPU. SegFrontierError if it cannot be exported, or answers otherwise; no file stays then.
    """
    require_file(file, to=to, overwrite=overwrite)
    plain = Logits(network).eval()
    file.parent.mkdir(parents=True, exist_ok=True)
    with open_draft(file) as draft, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself; whether it did well is measured
        try:
            run = _WRITERS[to](plain, json.dumps(card), draft)
        except Exception as error:  # whatever a tracer stumbles over
            raise SegFrontierError(
                f"a network must be one that {to} can express; {card.get('predicts', 'this one')} is not "
                f"({type(error).__name__}: {' '.join(str(error).split())[:300]}). Try the other format."
            ) from error
        parity = compare(plain, run)
        if not parity.holds:
            raise SegFrontierError(f"an exported model must answer as the stored one; found {parity}. Nothing is kept.")
        write_json(beside(file), dict(card))
        publish(draft, file)
    return parity


def beside(file: Path) -> Path:
    """Where the card of an exported file lies for those who cannot read it from inside."""
    return file.with_name(f"{file.name}.json")


def require_file(file: Path, *, to: Target, overwrite: bool) -> None:
    """Refuse, before anything is loaded, what could not be written in the end."""
    if file.suffix not in ENDINGS[to]:
        raise BadInput(f"--out must end in {' or '.join(ENDINGS[to])} for {to}; found {file.name!r}. Name the file so.")
    for path in (file, beside(file)):
        if os.path.lexists(path) and not (overwrite and path.is_file()):
            raise BadInput(f"--out must be a new file; {path} is there. Name another one, or give --overwrite.")
    absent = [name for name in NEEDED if find_spec(name) is None] if to == "onnx" else []
    if absent:
        raise BadInput(
            f"ONNX needs {', '.join(NEEDED)}; {', '.join(absent)} cannot be imported. Install `segfrontier[export]`, "
            f"or use --to torch."
        )


@torch.no_grad()
def compare(network: Run, exported: Run) -> Parity:
    """Both networks' answers to the same few images."""
    difference, largest, equal, pixels = 0.0, 0.0, 0, 0
    for image in _images():
        ours, theirs = network(image), exported(image)
        if ours.shape != theirs.shape:
            return Parity(len(SIZES), float("inf"), largest, 0.0)
        difference = _worst(difference, float((ours - theirs).abs().max()))
        largest = max(largest, float(ours.abs().max()))
        equal += int((ours.argmax(1) == theirs.argmax(1)).sum())
        pixels += ours[:, 0].numel()
    return Parity(len(SIZES), difference, largest, equal / pixels)


def _worst(a: float, b: float) -> float:
    return float(np.maximum(a, b))  # a NaN stays one


def _images() -> Iterator[Tensor]:
    """The same on every machine: smooth fields with noise, one image at a time as a model is used."""
    rng = np.random.default_rng(0)
    for height, width in SIZES:
        coarse = torch.from_numpy(rng.random((1, 3, 5, 7), np.float32))
        fine = torch.from_numpy(rng.random((1, 3, height, width), np.float32))
        yield 0.8 * nn.functional.interpolate(coarse, size=(height, width), mode="bilinear") + 0.2 * fine


def _traced(network: Logits) -> torch.export.ExportedProgram:
    dynamic = torch.export.Dim.DYNAMIC
    shape = {"images": {0: dynamic, 2: dynamic, 3: dynamic}}
    return torch.export.export(network, (torch.rand(2, 3, 97, 131),), dynamic_shapes=shape)


def _write_torch(network: Logits, card: str, draft: Path) -> Run:
    with draft.open("wb") as stream:
        torch.export.save(_traced(network), stream, extra_files={_CARD: card})
    with draft.open("rb") as stream:
        loaded: Run = torch.export.load(stream).module()
    return loaded


def _write_onnx(network: Logits, card: str, draft: Path) -> Run:
    import onnxruntime

    made = torch.onnx.export(_traced(network), input_names=["images"], output_names=["logits"], dynamo=True)
    assert made is not None
    made.model.metadata_props[_CARD] = card
    made.save(str(draft), external_data=False)
    session = onnxruntime.InferenceSession(draft.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


_WRITERS: Mapping[Target, Callable[[Logits, str, Path], Run]] = {"torch": _write_torch, "onnx": _write_onnx}
