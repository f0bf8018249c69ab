"""`segfrontier train`: a study of one cell, here and now; and `segfrontier methods`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segfrontier.home.records import Record
    from segfrontier.study.config import Study


def methods(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False) -> None:
    """List the installed methods with their knobs."""
    import dataclasses

    from rich.markup import escape

    from segfrontier.basics.installed import installed
    from segfrontier.commands.console import console
    from segfrontier.lab.methods import method_class

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
    pretrained: Annotated[str, typer.Option(help="`auto`, `never`, `package:NAME`, or a checkpoint file.")] = "auto",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps of each training; default: 400 of all of them.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Global batch.")] = 8,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Decides scenes, weights, augmentation.")] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Anything else of a study, e.g. --set recipe.lr=0.01.")
    ] = None,
    knob: Annotated[list[str] | None, typer.Option(help="A knob of the method, e.g. --knob split=0.3.")] = None,
    name: Annotated[str | None, typer.Option(help="The study's name; default: made of method, hours and seed.")] = None,
    home: Annotated[Path, typer.Option(help="Where studies, stages, labels and the ledger are kept.")] = Path("runs"),
    workers: Annotated[
        int, typer.Option(min=0, max=10_000, help="0: in this process. N: N data-parallel workers on Ray.")
    ] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    loaders: Annotated[int, typer.Option(min=0, max=1_000, help="Loader processes that decode and augment.")] = 0,
    split: Annotated[str | None, typer.Option(help="Score on this split, too, as `score` does.")] = None,
    tracking: Annotated[
        str | None,
        typer.Option(help="MLflow's URI, or `none`; default: MLFLOW_TRACKING_URI, or a database in the home."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Train a method on a world and score it: progress, scores per class, and pictures of a fixed set of scenes.

    It is a study of one cell: `status`, `frontier` and `ui` know it by its name. The same command again
    finds everything done, a killed one goes on where it was.
    """
    from segfrontier.basics.overrides import override
    from segfrontier.study.config import Study

    recipe = {"encoder": encoder, "head": head, "pretrained": pretrained, "steps": steps, "batch": batch}
    plain = {
        "name": name or _named(method, hours, seed, [world, source, prices, recipe, knob, set_]),
        "worlds": [{"target": world, "source": source}],
        "methods": [{"name": method, "knobs": override({}, knob or [], option="--knob")}],
        "budgets": [hours],
        "seeds": [seed],
        "recipe": recipe,
        "prices": prices,
        "executor": {
            "kind": "ray" if workers else "local", "workers_per_stage": workers, "device": device, "loaders": loaders
        },
    }  # fmt: skip
    _require_places(set_ or [])
    study = Study.of(override(plain, set_ or []), where="train")
    _require_split(world, split)
    record = _record(study, home, tracking)
    _report(record, home, as_json=as_json)
    _score_on(split, record, home, device=device, as_json=as_json)


def _require_split(world: str, split: str | None) -> None:
    """Before anything is trained: the world has the split, and it is not the one whose labels are for sale."""
    from segfrontier.lab.leaving.scoring import require_split
    from segfrontier.scenes.builtin import open_world

    if split is not None:
        require_split(open_world(world), split)


def _score_on(split: str | None, record: Record, home: Path, *, device: str, as_json: bool) -> None:
    from segfrontier.commands.score import scored, show

    if split is not None:
        show(scored(f"{home}:{record.key}", split, world=None, device=device), as_json=as_json)


def _require_places(assignments: list[str]) -> None:
    """Whoever gives a facet by its bare name is told its place."""
    from dataclasses import fields

    from segfrontier.basics.wording import shortened
    from segfrontier.errors import BadStudy
    from segfrontier.lab import Recipe

    facets = {field.name for field in fields(Recipe)}
    if bare := [text for text in assignments if "=" in text and text.partition("=")[0].strip() in facets]:
        raise BadStudy(
            f"--set takes a place in a study; found {shortened(bare[0])}. Write recipe.{shortened(bare[0])}."
        )


def _named(method: str, hours: str, seed: int, more: list[Any]) -> str:
    """The same command means the same study, another one another."""
    from segfrontier.scenes.files import digest

    words = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{method}-{hours}h-s{seed}").strip("-.")
    return f"{words[:40]}-{digest(repr(more).encode())[:6]}"


def _record(study: Study, home: Path, tracking: str | None) -> Record:
    """The record of the study's one cell, computed where there is none."""
    from segfrontier.commands.board import LiveBoard
    from segfrontier.commands.study import SIGNALLED
    from segfrontier.errors import BadInput
    from segfrontier.home.records import Record
    from segfrontier.study.cells import expand
    from segfrontier.study.run import run_study

    if (count := len(expand(study))) != 1:
        raise BadInput(f"train computes one cell; these settings make {count}. Write them into a file and `run` it.")
    with LiveBoard() as board:
        finished = run_study(study, home=home, tracking=tracking, watcher=board)
    if finished.signalled:
        raise typer.Exit(SIGNALLED)
    record = Record.read(finished.study.home.cell(finished.study.cell_keys()[0]))
    if record is None or record.state != "done":
        why = finished.why if record is None else record.error
        if record is not None and record.refused:
            raise BadInput(why)
        typer.echo(f"{study.name}: {why}; the same command goes on", err=True)
        raise typer.Exit(1)
    return record


def _report(record: Record, home: Path, *, as_json: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from segfrontier.commands.console import console

    if as_json:
        best: dict[str, Any] = {"oracle_best": record.oracle_best} if record.oracle_best else {}
        plain = {
            "cell": record.key, "spent_seconds": record.seconds, "values": record.values, "iou": record.iou,
            "scenes": record.scenes, "folder": record.score_folder,
        }  # fmt: skip
        typer.echo(json.dumps(plain | best))
        return
    out, table = console(), Table("class", "IoU", box=None)
    for name, value in record.iou.items():
        table.add_row(escape(name), "absent" if value != value else f"{value:.1%}")
    out.print(table)
    out.print(f"[bold]mIoU {record.miou:.1%}[/] over the classes present in {record.scenes} validation scenes")
    for name, value in record.values.items():
        out.print(f"  {name}: {value:.4f}", markup=False)
    if chosen := record.oracle_best:
        text = f"{chosen['miou']:.1%} after step {chosen['step']:.0f} (chosen on validation; not for ranking)"
        out.print(f"  oracle_best: {text}")
    out.print(f"annotation: {record.seconds / 3600:.1f} h; see `segfrontier ledger {home}`", markup=False)
    out.print(f"pictures: {record.score_folder}/pictures.png", markup=False)
    out.print(f"its model: segfrontier predict {home}:{record.key[:8]} IMAGES/ --out masks/", markup=False)
