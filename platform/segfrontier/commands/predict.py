"""`segfrontier predict`: what a trained model sees in a folder of images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

EPILOG = """Examples:

segfrontier predict runs:55faf96e photos/ --out masks/

segfrontier predict runs/cells/55faf96e… photos/ --out masks/ --device cpu

segfrontier predict runs:55faf96e photos/ --out masks/ --workers 8 --address auto"""

Source = Annotated[
    str, typer.Argument(metavar="MODEL", help="HOME:KEY of a cell or training, or the folder of either.")
]
Device = Annotated[str, typer.Option(help="auto takes a GPU where there is one; or cpu, cuda, cuda:1.")]


def predict(
    model: Source,
    images: Annotated[Path, typer.Argument(help="A folder of jpg and png images of any sizes, nested as you like.")],
    out: Annotated[Path, typer.Option(help="The folder of masks: ids/ and colour/, named as the images.")],
    device: Device = "auto",
    workers: Annotated[
        int, typer.Option(min=0, max=10_000, help="0: in this process. N: N processes side by side on Ray.")
    ] = 0,
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster, for --workers; default: RAY_ADDRESS, or this machine.")
    ] = None,
    look_batch: Annotated[
        int | None, typer.Option(min=1, help="Images looked at together; default: 1 on CPUs, 8 on GPUs.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the masks that lie in --out, also those of another model.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Write a mask of class ids and a coloured one for each image of a folder.

    Started again, it goes on: masks of the same model are kept. Images that do not decode are skipped and named.
    """
    from segfrontier.commands.console import console, progress
    from segfrontier.lab.leaving.folder import CLASSES, predict_folder
    from segfrontier.lab.leaving.loading import from_anywhere, load_model
    from segfrontier.lab.training.loop import Bench

    loaded, run = load_model(model, device="cpu" if workers else device), None
    bench = Bench(device=device, look_batch=look_batch)
    if workers:
        from segfrontier.lab._ray.predicting import OnRay

        run = OnRay(from_anywhere(model), images, out, workers, bench, address)
    with progress("predicting") as step:
        done = predict_folder(loaded, images, out, overwrite=overwrite, step=step, run=run, bench=bench)
    if as_json:
        typer.echo(json.dumps({"written": done.written, "kept": done.kept, "skipped": done.skipped}))
        return
    text = f"{out}: {done.written} masks written, {done.kept} were there; {CLASSES} says what their ids mean"
    console().print(text, markup=False)
    if done.skipped:
        err = console(err=True)
        err.print(f"skipped {len(done.skipped)} images that cannot be read:", style="yellow")
        for line in done.skipped[:10]:
            err.print(f"  {line}", markup=False)
        if len(done.skipped) > 10:
            err.print(f"  and {len(done.skipped) - 10} more (--json names all)")
