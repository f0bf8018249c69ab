"""`segfrontier export`: a trained model as one file for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from segfrontier.commands.predict import Source

EPILOG = """Examples:

segfrontier export runs:55faf96e --to torch --out model.pt2

segfrontier export runs:55faf96e --to onnx --out model.onnx"""


class To(StrEnum):
    """Who is to read the file."""

    torch = "torch"
    onnx = "onnx"


def export(
    model: Source,
    to: Annotated[To, typer.Option(help="torch: `torch.export.load(FILE)`; onnx: any ONNX runtime.")],
    out: Annotated[Path, typer.Option(help="The new file: .pt2 for torch, .onnx for onnx.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
) -> None:
    """Write a model to a file that loads without SegFrontier, and check that the file answers as the model does.

    It takes RGB images (N, 3, H, W) in [0, 1] of any size and gives logits; normalising is inside. Classes, and how the
    model wants to be looked at, stand in OUT.json and in the file.
    """
    from segfrontier.commands.console import console
    from segfrontier.lab.card import LookingCard
    from segfrontier.lab.leaving.exporting import beside, export_network, require_file
    from segfrontier.lab.leaving.loading import load_model

    require_file(out, to=to.value, overwrite=overwrite)
    loaded = load_model(model, device="cpu")
    looking = LookingCard.of(loaded.looking).model_dump(mode="json")
    card = loaded.card.model_dump(mode="json") | {"predicts": loaded.network, "looking": looking}
    parity = export_network(loaded.module, card, out, to=to.value, overwrite=overwrite)
    console().print(f"{out} answers as the model does: {parity}; {beside(out).name} describes it", markup=False)
