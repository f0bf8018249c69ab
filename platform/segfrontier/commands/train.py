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
        console().print(f"[bold]{name}[/]  {about}" + (f"\n    knobs: {listed}" if listed else ""))


def train(
    method: Annotated[str, typer.Argument(help="A method's name; see `segfrontier methods`.")] = "fine",
    world: Annotated[str, typer.Option(help="A world's folder or URI, or `street[:options]`.")] = "street",
    source: Annotated[str | None, typer.Option(help="The world of free synthetic scenes, if not the same.")] = None,
    hours: Annotated[str, typer.Option(help="Annotation budget in hours, or `all` for a fully labelled pool.")] = "60",
    prices: Annotated[str | None, typer.Option(help="Price list, by name or file; default: the world's.")] = None,
    encoder: Annotated[str, typer.Option(help="Any timm encoder.")] = "mobilenetv3_small_100",
    head: Annotated[str, typer.Option(help="deeplab_v2, deeplab_v3plus, pspnet, fpn or segformer.")] = "fpn",
    pretrained: Annotated[str, typer.Option(help="`auto`, `never`, or a checkpoint file.")] = "auto",
    steps: Annotated[int, typer.Option(help="Optimiser steps of each training.")] = 400,
    batch: Annotated[int, typer.Option(help="Global batch.")] = 8,
    seed: Annotated[int, typer.Option(help="Decides scenes, weights, augmentation.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any further facet, e.g. --set lr=0.01 --set crop=[96,96].")
    ] = None,
    knob: Annotated[list[str] | None, typer.Option(help="A knob of the method, e.g. --knob split=0.3.")] = None,
    home: Annotated[Path, typer.Option(help="Where stages, labels and the ledger are kept.")] = Path("runs"),
    workers: Annotated[int, typer.Option(help="0: in this process. N: N data-parallel workers on Ray.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    loaders: Annotated[int, typer.Option(help="Loader processes that decode and augment.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Train a method on a world and score it: progress, scores per class, and pictures of a fixed set of scenes.

    Every stage is stored: the same command again finds everything done, a killed one goes on where it was.
    """
    from segfrontier.commands.console import progress
    from segfrontier.commands.stagebars import StageBars
    from segfrontier.lab import Bench, LabSettings, make_method
    from segfrontier.scenes.builtin import open_world

    recipe = _recipe(
        {"encoder": encoder, "head": head, "pretrained": pretrained, "steps": steps, "batch": batch}, set_ or []
    )
    recipe_of = make_method(method, dict(_pair(k, "--knob") for k in knob or []))
    with progress("opening worlds") as step:
        target = open_world(world, progress=step)
        synthetic = open_world(source, progress=step) if source else None
    with StageBars() as bars:
        settings = LabSettings(
            home=home, world=target, source=synthetic, prices=prices, seed=seed, cell=_cell(locals()),
            hours="all" if hours == "all" else _number(hours), watcher=bars,
            bench=Bench(device=device, loader_workers=loaders), recipe=recipe,
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
    from dataclasses import fields
    from difflib import get_close_matches

    from pydantic import TypeAdapter, ValidationError

    from segfrontier.errors import BadInput
    from segfrontier.lab import Recipe

    values = named | dict(_pair(m, "--set") for m in more)
    known = [f.name for f in fields(Recipe)]
    for name in values.keys() - set(known):
        near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise BadInput(f"--set takes the facets {', '.join(known)}; found {name!r}: did you mean {near!r}?")
    try:
        return TypeAdapter(Recipe).validate_python(values)
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"--set: {lines}") from error


def _pair(text: str, option: str) -> tuple[str, Any]:
    from segfrontier.basics.reading import parse_yaml

    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{option} takes name=value; found {text!r}")
    return name, parse_yaml(value, where=f"{option} {name}", what="the value")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--hours takes a number or `all`; found {text!r}") from None


def _cell(given: dict[str, Any]) -> str:
    """A name for the ledger: the same command means the same cell, so its labels are not paid for twice."""
    from segfrontier.scenes.files import digest

    decisive = ("method", "world", "source", "hours", "prices", "seed", "recipe", "knob")
    return f"{given['method']}-{given['hours']}h-{digest(repr([given[k] for k in decisive]).encode())[:8]}"


def _report(scores: Scores, spent: int, home: Path, best: tuple[int, Scores] | None, *, as_json: bool) -> None:
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
        table.add_row(name, "absent" if value != value else f"{value:.1%}")
    out.print(table)
    out.print(f"[bold]mIoU {scores.miou:.1%}[/] over the classes present in {scores.scenes} validation scenes")
    for name, value in scores.values.items():
        out.print(f"  {name}: {value:.4f}")
    if best is not None:
        out.print(f"  oracle_best: {best[1].miou:.1%} after step {best[0]} (chosen on validation; not for ranking)")
    out.print(f"annotation: {spent / 3600:.1f} h; see `segfrontier ledger {home / 'ledger.sqlite'}`")
    out.print(f"pictures: {scores.folder}/pictures.png")
