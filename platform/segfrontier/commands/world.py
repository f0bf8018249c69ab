"""`segfrontier world`: import, list, inspect, preview and export worlds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from segfrontier.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from segfrontier.scenes.inspection import Inspection, SplitCounts
    from segfrontier.scenes.world import World as OpenWorld

_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}

app = typer.Typer(no_args_is_help=True, help="Worlds: named sets of scenes with splits and a class table.")

World = Annotated[str, typer.Argument(help="A world's folder or URI, or `street`, or `street:train=64,size=128x256`.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@app.command("import", epilog="Example: segfrontier world import cityscapes data/cityscapes worlds/cityscapes")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="`camvid`, `cityscapes` or another data set of docs/worlds.md, `street[:options]`, or the YAML that "
            "describes your folders."
        ),
    ],
    places: Annotated[list[str], typer.Argument(help="[DATASET FOLDER] and the NEW WORLD's folder or URI.")],
    max_bad: Annotated[float, typer.Option(help="Share of unreadable scenes that may be left out, named.")] = 0.01,
    domain: Annotated[
        str, typer.Option(help="`source` or `target`: what a known data set is to be, if not what it mostly is.")
    ] = "",
    classes: Annotated[
        str, typer.Option(help="`synthia16` or `synthia13`: the fewer classes of a street data set; the rest is void.")
    ] = "",
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Keep training images of a known data set that have no labels.")
    ] = False,
) -> None:
    """Import a dataset into a new world. Any unknown label value stops the import and says what it looks like.

    An import that was killed goes on where it had come to, when it is started again and nothing has changed.
    """
    from segfrontier.commands.console import progress
    from segfrontier.market.coarse import coarse_map
    from segfrontier.scenes.builtin import parse_street, write_street
    from segfrontier.scenes.camvid import camvid_spec
    from segfrontier.scenes.folder import refuse_taken
    from segfrontier.scenes.folders import FolderSpec
    from segfrontier.scenes.importing import DATASETS, import_dataset, import_folders

    own = source == "camvid" or source.partition(":")[0] == "street" or Path(source).suffix in (".yaml", ".yml")
    known = source in DATASETS or (len(places) == 2 and not own)
    wanted = 2 if known or source == "camvid" else 1
    if (domain or classes or unlabelled) and not known:
        names = ", ".join(DATASETS)
        raise typer.BadParameter(
            f"`--domain`, `--classes` and `--unlabelled` are for known data sets ({names}); found {source!r}. A YAML "
            f"says `unlabelled: true` in a split"
        )
    if len(places) != wanted:
        what = "the dataset's folder and the new world's folder" if wanted == 2 else "the new world's folder"
        raise typer.BadParameter(f"`world import {source}` takes {what}; found {len(places)} arguments")
    refuse_taken(places[-1])
    with progress("importing") as step:
        if source.partition(":")[0] == "street":
            world = write_street(places[-1], parse_street(source), progress=step)
        elif known:
            world = import_dataset(
                source, places[0], places[1], domain=domain, class_set=classes, coarsen=coarse_map,
                unlabelled=unlabelled, max_bad=max_bad, progress=step,
            )  # fmt: skip
        else:
            spec = camvid_spec(places[0]) if source == "camvid" else FolderSpec.load(source)
            world = import_folders(spec, places[-1], max_bad=max_bad, progress=step)
    _print_import(world, places[-1])


def _print_import(world: OpenWorld, place: str) -> None:
    from segfrontier.commands.console import console

    out, notes = console(), world.manifest.notes
    for (domain, split), scenes in world.splits().items():
        out.print(f"{domain}/{split}: {scenes} scenes")
    left_out = len(notes.skipped) + len(notes.size_mismatches)
    alone = len(notes.images_without_labels) + len(notes.labels_without_images)
    if left_out or alone:
        out.print(f"left out: {left_out} unusable, {alone} without a partner; `world inspect` names them")
    if bare := len(notes.images_without_labels):
        out.print(
            f"images without labels, left out: {bare}. To train on them, though nothing can be bought of them: "
            f"`unlabelled: true` in a training split of the YAML, or `--unlabelled` for a known data set"
        )
    if notes.remarks:
        out.print(f"remarks: {len(notes.remarks)}, e.g. {notes.remarks[0]}; `world inspect` names them", markup=False)
    if ("target", "train") in world.splits() and ("target", "val") not in world.splits():
        out.print("no scenes to score on: `val: 20 %` in the YAML splits some off; without, no study takes this world")
    to_buy = any(domain == "target" for domain, _ in world.splits())
    if to_buy and (prices := _price_template(world.name, place)):
        out.print(f"prices: {prices} is a list to fill in; studies take it as `prices: {prices}`", markup=False)
    out.print(f"next: segfrontier world preview {place}", markup=False)


def _price_template(name: str, place: str) -> str:
    """Where a price list to fill in lies beside a new world; empty where one comes with us, or the world is remote."""
    from segfrontier.basics.atomic import write_text
    from segfrontier.market.prices import packaged_price_lists, template_prices

    if name in packaged_price_lists() or "://" in place:
        return ""
    file = Path(place.rstrip("/") + "-prices.yaml")
    if not file.exists():
        write_text(file, template_prices(name))
    return str(file)


@app.command("list")
def list_(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to look for world folders; `worlds` if none is named.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the built-in worlds and those found below a folder."""
    from rich.table import Table
    from rich.text import Text

    from segfrontier.commands.console import console
    from segfrontier.scenes.classes import CITYSCAPES
    from segfrontier.scenes.manifest import MANIFEST

    if folder is not None and not folder.is_dir():
        raise BadInput(
            f"{folder} must be a folder that world folders lie in; there is no such folder. Correct the path."
        )
    rows = [("street", "built in", f"{len(CITYSCAPES)} classes", "rendered on first use")]
    rows += [_listed(manifest.parent) for manifest in sorted((folder or Path("worlds")).glob(f"*/{MANIFEST}"))]
    if as_json:
        typer.echo(json.dumps([dict(zip(("name", "place", "classes", "scenes"), r, strict=True)) for r in rows]))
        return
    table = Table("world", "place", "classes", "scenes", box=None)
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def _listed(folder: Path) -> tuple[str, str, str, str]:
    from segfrontier.scenes.world import World

    try:
        world = World.open(folder)
    except BadInput as error:  # one broken world must not hide the others
        return folder.name, str(folder), "cannot be read", str(error)
    splits = ", ".join(f"{d}/{s} {n}" for (d, s), n in world.splits().items())
    return world.name, str(folder), f"{len(world.classes)} classes", splits


@app.command(epilog="Example: segfrontier world inspect worlds/my-city --html my-city.html")
def inspect(
    world: World,
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with pictures, too; a new .html file, or such a page.")
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, max=10**9, help="Look at so many scenes of each split, drawn with seed 0; default: all."),
    ] = None,
) -> None:
    """Count classes, void and instances; find wrong encodings, copies across splits, shifts of labels, orphans.

    The exit code is 1 where a split cannot be used at all.
    """
    from segfrontier.commands.console import console, progress
    from segfrontier.scenes.builtin import open_world
    from segfrontier.scenes.inspection import inspect_world

    if html is not None:
        from segfrontier.report.world_page import is_world_page

        _require_new(html, "a page", (".html", ".htm"), or_else=is_world_page)
    with progress("rendering") as step:
        opened = open_world(world, progress=step)
    with progress("inspecting") as step:
        report = inspect_world(opened, progress=step, sample=sample)
    if html is not None:
        from segfrontier.report.world_page import write_world_page

        write_world_page(opened, report, html)
    if as_json:
        typer.echo(json.dumps(report.to_json()))
    else:
        _print_inspection(report)
        if html is not None:
            console().print(f"\n{html}", markup=False)
    if report.unusable:
        raise typer.Exit(1)


def _print_inspection(report: Inspection) -> None:
    from segfrontier.commands.console import console

    out = console()
    kind = "connected components stand in for instances" if report.components else "instances as the dataset has them"
    out.print(f"[bold]{report.name}[/]  {len(report.classes)} classes, {kind}, digest {report.digest}")
    for counts in report.splits:
        _print_split(report, counts)
    _print_oddities(report)
    _print_findings(report)


def _print_findings(report: Inspection) -> None:
    from segfrontier.commands.console import console

    out, colours = console(), {"error": "bold red", "warning": "yellow", "note": None}
    out.print(f"\n[bold]findings: {len(report.findings)}[/]")
    for finding in report.findings:
        out.print(f"{finding.severity}: {finding.words}", markup=False, style=colours[finding.severity])
        for line in finding.examples[:3]:
            out.print(f"  {line}", markup=False)
        out.print(f"  {finding.advice}", markup=False)


def _print_split(report: Inspection, counts: SplitCounts) -> None:
    from rich.table import Table

    from segfrontier.commands.console import console

    out = console()
    out.print(
        f"\n[bold]{counts.domain}/{counts.split}[/]  {counts.looked}, {', '.join(counts.sizes[:4])}, "
        f"void {counts.void_share:.2%}, {counts.instances_a_scene:.1f} instances a scene, "
        f"{counts.with_fine} with fine maps, {counts.with_coarse} with coarse ones"
    )
    for line in counts.of_existing(report.existing):
        out.print(line)
    table = Table("class", "% of pixels", "% of scenes", "instances", box=None)
    for name, share, scenes, number in zip(
        report.classes, counts.class_shares, counts.scene_shares, counts.instances, strict=True
    ):
        table.add_row(name, f"{share:.2%}", f"{scenes:.0%}", str(number or ""), style="red" if share == 0 else None)
    out.print(table)


def _print_oddities(report: Inspection) -> None:
    from segfrontier.commands.console import console

    out, notes = console(), report.notes
    out.print()
    for what, found in (
        ("images in more than one split", report.overlaps),
        ("images without labels", notes.images_without_labels),
        ("labels without an image", notes.labels_without_images),
        ("pairs of different size, left out", notes.size_mismatches),
        ("unreadable, left out", notes.skipped),
        ("stored, but do not decode", report.undecodable),
        ("remarks", notes.remarks),
    ):
        out.print(f"{what}: {len(found)}", style="yellow" if found else None)
        for line in found[:10]:
            out.print(f"  {line}", markup=False)
        if len(found) > 10:
            out.print(f"  and {len(found) - 10} more (--json names all)")


class Form(StrEnum):
    """The form of an export."""

    folders = "folders"
    coco_panoptic = "coco-panoptic"


@app.command(epilog="Example: segfrontier world export worlds/my-city my-city-files")
def export(
    world: World,
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    to: Annotated[
        Form, typer.Option(help="folders: images, PNG maps and the YAML that imports them again; or COCO's form.")
    ] = Form.folders,
    labels: Annotated[
        Path | None,
        typer.Option(help="A label set, bought or made: its .arrow file or its stage's folder, instead of the truth."),
    ] = None,
) -> None:
    """Write a world, or the labels of a set, as files: images as they were delivered, maps pixel by pixel."""
    from segfrontier.commands.console import console, progress
    from segfrontier.scenes.builtin import open_world
    from segfrontier.scenes.exporting import export_world, open_label_set
    from segfrontier.scenes.exporting.plain import YAML

    with progress("rendering") as step:
        opened = open_world(world, progress=step)
    found = None if labels is None else open_label_set(labels, opened.classes)
    with progress("exporting") as step:
        done = export_world(opened, out, form=to.value, labels=found, progress=step)
    lines = [f"{out}: {done.scenes} scenes"]
    if done.left_out:
        lines.append(f"left out: {done.left_out} scenes without such labels")
    lines += [f"note: {line}" for line in done.remarks]
    if to is Form.folders:
        lines.append(f"next: segfrontier world import {out / YAML} NEW")
    for line in lines:
        console().print(line, markup=False)


@app.command(epilog="Example: segfrontier world preview street --out street.png")
def preview(
    world: World,
    out: Annotated[Path | None, typer.Option(help="The picture to write; default: NAME-preview.png here.")] = None,
    rows: Annotated[int, typer.Option(min=1, max=100, help="Scenes of each domain and split.")] = 4,
    width: Annotated[int, typer.Option(min=32, max=2048, help="Width of one picture in the sheet, in pixels.")] = 384,
) -> None:
    """Draw a contact sheet: image, semantic map, instances and coarse map, a row a scene."""
    from segfrontier.commands.console import progress
    from segfrontier.scenes.builtin import open_world
    from segfrontier.scenes.preview import contact_sheet

    if out is not None:
        _require_new(out, "a preview", tuple(_PICTURES))
    with progress("rendering") as step:
        opened = open_world(world, progress=step)
    path = out or Path(f"{opened.name}-preview.png")
    _write_picture(contact_sheet(opened, rows_a_split=rows, width=width), path)
    typer.echo(path)


def _require_new(
    path: Path, what: str, endings: tuple[str, ...], *, or_else: Callable[[Path], bool] = lambda _: False
) -> None:
    """Raise unless a file can be written there; `or_else` knows those that may be replaced."""
    if path.suffix.lower() not in endings:
        raise BadInput(f"{path}: {what} must end in {', '.join(endings)}; found {path.suffix or 'no ending'!r}.")
    if os.path.lexists(path) and not or_else(path):
        raise BadInput(f"{path}: {what} must not take the place of another file; one is there. Name another one.")
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise BadInput(f"{path}: {what} must lie in a folder; {folder} is none. Correct the path.")


def _write_picture(picture: NDArray[np.uint8], path: Path) -> None:
    from PIL import Image

    from segfrontier.basics.atomic import staged_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(path) as draft:
            Image.fromarray(picture).save(draft, format=_PICTURES[path.suffix.lower()])
    except (OSError, ValueError) as error:  # ValueError: more pixels than the format holds
        raise BadInput(f"{path}: the preview cannot be written there ({error}). Choose another place.") from None
