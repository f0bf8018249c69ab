"""`segfrontier score`: the model of a finished cell on another split, such as test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from segfrontier.commands.predict import Device

if TYPE_CHECKING:
    from segfrontier.lab.leaving.scoring import SplitScores

EPILOG = "Example: segfrontier score runs:55faf96e --split test"
Split = Annotated[str, typer.Option(help="A split of the world for evaluation, such as test; never train.")]


def score(
    cell: Annotated[str, typer.Argument(help="HOME:KEY of a finished cell, or its folder.")],
    split: Split = "test",
    world: Annotated[
        str | None, typer.Option(help="A world's folder, URI or `street[:options]`; default: the cell's own.")
    ] = None,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Score the model of a finished cell on a split that its study has not looked at.

    The use of the split stands in the cell's account as a line without a price, and the number of models that have been
    scored on it is said: a test split that many have looked at chooses among them, and is none any more.
    """
    show(scored(cell, split, world=world, device=device), as_json=as_json)


def scored(cell: str, split: str, *, world: str | None, device: str) -> SplitScores:
    """The scores, with progress in a terminal."""
    from segfrontier.commands.console import progress
    from segfrontier.lab import Bench, Watcher
    from segfrontier.lab.devices import require_device
    from segfrontier.lab.leaving.scoring import of_cell, score_cell

    require_device(device, here=True)
    home, key = of_cell(cell)
    with progress("scoring") as step:

        class Shown(Watcher):
            def step(self, done: int, total: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
                step(done, total)

        return score_cell(home, key, split=split, world=world, bench=Bench(device=device), watcher=Shown())


def show(found: SplitScores, *, as_json: bool) -> None:
    """Scores per class, the headline, and how often the split has been looked at."""
    from rich.markup import escape
    from rich.table import Table

    from segfrontier.commands.console import console

    scores = found.scores
    if as_json:
        plain = {"world": found.world, "split": found.split, "looks": found.looks, "scenes": scores.scenes}
        typer.echo(json.dumps(plain | {"values": scores.values, "iou": scores.iou, "folder": scores.folder}))
        return
    out, table = console(), Table("class", f"IoU on {escape(found.split)}", box=None)
    for name, value in scores.iou.items():
        table.add_row(escape(name), "absent" if value != value else f"{value:.1%}")
    out.print(table)
    where = f"{found.world}/{found.split}"
    out.print(f"mIoU {scores.miou:.1%} over the classes present in {scores.scenes} scenes of {where}", markup=False)
    models = "1 model" if found.looks == 1 else f"{found.looks} models"
    out.print(f"{models} of this home scored on {found.split} so far; what chooses by it is no test", markup=False)
    out.print(f"pictures: {scores.folder}/pictures.png", markup=False)
