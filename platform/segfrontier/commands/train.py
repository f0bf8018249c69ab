"""`segfrontier train`: one method, one budget, one world, here and now; and `segfrontier methods`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segfrontier.lab import Lab, LabSettings, Recipe, Scores


def methods(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """List the installed methods with their knobs."""
    import dataclasses

    from rich.markup import escape

    from segfrontier.commands.console import console
    from segfrontier.lab.methods import installed, method_class

    found: dict[str, tuple[str, str, dict[str, Any]]] = {}
    for name, place in installed().items():
        cls = method_class(name)
        knobs = {f.name: None if f.default is dataclasses.MISSING else f.default for f in dataclasses.fields(cls)}
        found[name] = (place, (cls.__doc__ or "").strip().splitlines()[0], knobs)
    if as_json:
        plain = {name: dict(zip(("place", "about", "knobs"), entry, strict=True)) for name, entry in found.items()}
        typer.echo(json.dumps(plain, default=str))
        return
    for name, (_, about, knobs) in found.items():
        listed = ", ".join(f"{k}={v}" for k, v in knobs.items())
        text = f"{about}\n    knobs: {listed}" if listed else about
        console().print(f"[bold]{escape(name)}[/]  {escape(text)}")


def train(
    method: Annotated[str, typer.Argument(help="A method's name; see `segfrontier methods`.")] = "fine",
    world: Annotated[str, typer.Option(help="A world's folder or URI, or `street[:options]`.")] = "street",
    source: Annotated[str | None, typer.Option(help="The world of free synthetic scenes, if not the same.")] = None,
    hours: Annotated[str, typer.Option(help="Annotation budget in hours, or `all` for a fully labelled pool.")] = "60",
    prices: Annotated[str | None, typer.Option(help="Price list, by name or file; default: the world's.")] = None,
    encoder: Annotated[str, typer.Option(help="Any timm encoder.")] = "mobilenetv3_small_100",
    head: Annotated[str, typer.Option(help="deeplab_v2, deeplab_v3plus, pspnet, fpn or segformer.")] = "fpn",
    pretrained: Annotated[str, typer.Option(help="`auto`, `never`, or a checkpoint file.")] = "auto",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps of each training.")] = 400,
    batch: Annotated[int, typer.Option(min=1, help="Global batch.")] = 8,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Decides scenes, weights, augmentation.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any further facet, e.g. --set lr=0.01 --set crop=[96,96].")
    ] = None,
    knob: Annotated[list[str] | None, typer.Option(help="A knob of the method, e.g. --knob split=0.3.")] = None,
    home: Annotated[Path, typer.Option(help="Where stages, labels and the ledger are kept.")] = Path("runs"),
    workers: Annotated[
        int, typer.Option(min=0, max=10_000, help="0: in this process. N: N data-parallel workers on Ray.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    loaders: Annotated[int, typer.Option(min=0, max=1_000, help="Loader processes that decode and augment.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Train a method on a world and score it: progress, scores per class, and pictures of a fixed set of scenes.

    Every stage is stored: the same command again finds everything done, a killed one goes on where it was.
    """
    from segfrontier.basics.overrides import override
    from segfrontier.commands.console import progress
    from segfrontier.commands.stagebars import StageBars
    from segfrontier.lab import Bench, LabSettings, make_method
    from segfrontier.lab.devices import require_device
    from segfrontier.scenes.builtin import open_world
    from segfrontier.study.config import parse_hours

    budget = parse_hours(hours)
    require_device(device, here=workers == 0)
    recipe = _recipe(
        {"encoder": encoder, "head": head, "pretrained": pretrained, "steps": steps, "batch": batch}, set_ or []
    )
    recipe_of = make_method(method, override({}, knob or [], option="--knob"))
    with progress("opening worlds") as step:
        target = open_world(world, progress=step)
        synthetic = open_world(source, progress=step) if source else None
    with StageBars() as bars:
        settings = LabSettings(
            home=home, world=target, source=synthetic, prices=prices, seed=seed, cell=_cell(locals()),
            hours=budget, watcher=bars, bench=Bench(device=device, loader_workers=loaders), recipe=recipe,
        )  # fmt: skip
        with _open(settings, workers) as lab:
            model = recipe_of.run(lab, recipe)
            scores, spent = lab.score(model), lab.spent
            best = lab.oracle_best(model) if recipe.snapshots else None
    _report(scores, spent, home, best, as_json=as_json)


def _open(settings: LabSettings, workers: int) -> Lab:
    from segfrontier.lab import open_lab

    if workers == 0:
        return open_lab(settings)
    from segfrontier.lab._ray import RayLab

    return open_lab(settings, kind=RayLab, workers=workers)


def _recipe(named: dict[str, Any], more: list[str]) -> Recipe:
    from pydantic import TypeAdapter, ValidationError

    from segfrontier.basics.overrides import override
    from segfrontier.basics.wording import explain
    from segfrontier.errors import BadStudy
    from segfrontier.lab import Recipe
    from segfrontier.study.knobs import checked

    values = override(named, more)
    try:
        checked(Recipe, values, several=False)
        return TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        raise BadStudy(explain(error, Recipe, where="--set")) from None


def _cell(given: dict[str, Any]) -> str:
    """A name for the ledger: the same command means the same cell, so its labels are not paid for twice."""
    from segfrontier.scenes.files import digest

    decisive = ("method", "world", "source", "hours", "prices", "seed", "recipe", "knob")
    return f"{given['method']}-{given['hours']}h-{digest(repr([given[k] for k in decisive]).encode())[:8]}"


def _report(scores: Scores, spent: int, home: Path, best: tuple[int, Scores] | None, *, as_json: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from segfrontier.commands.console import console

    if as_json:
        plain = {"spent_seconds": spent, **{k: v for k, v in asdict(scores).items() if k != "sums"}}
        if best is not None:
            plain["oracle_best"] = {"step": best[0], "miou": best[1].miou}
        json.dump(plain, sys.stdout)
        return
    out, table = console(), Table("class", "IoU", box=None)
    for name, value in scores.iou.items():
        table.add_row(escape(name), "absent" if value != value else f"{value:.1%}")
    out.print(table)
    out.print(f"[bold]mIoU {scores.miou:.1%}[/] over the classes present in {scores.scenes} validation scenes")
    for name, value in scores.values.items():
        out.print(f"  {name}: {value:.4f}", markup=False)
    if best is not None:
        out.print(f"  oracle_best: {best[1].miou:.1%} after step {best[0]} (chosen on validation; not for ranking)")
    out.print(f"annotation: {spent / 3600:.1f} h; see `segfrontier ledger {home}`", markup=False)
    out.print(f"pictures: {scores.folder}/pictures.png", markup=False)
