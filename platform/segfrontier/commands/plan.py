"""`segfrontier plan`: what a study would take, before anything is bought, trained or stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Set
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segfrontier.plan.study_plan import CellPlan, StudyPlan
    from segfrontier.study.cells import Facet

_ROWS = 40
EPILOG = (
    "Examples: segfrontier plan study.yaml; segfrontier plan study.yaml --set budgets=[5,10] --set seeds=[0,1,2]; "
    "segfrontier plan study.yaml --no-probe --json | jq .stages; segfrontier plan coarse_to_fine:table-3"
)


def plan(
    file: Annotated[
        str,
        typer.Argument(help="A study file, or a name: coarse_to_fine:table-2, study:camvid-cpu."),
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the study, e.g. --set recipe.steps=200.")
    ] = None,
    home: Annotated[Path, typer.Option(help="Where it would run; what is stored there is found.")] = Path("runs"),
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="Try a few steps of each kind of training, to tell the time.")
    ] = True,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds after which no further kind of training or pass is tried.")
    ] = 90.0,
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print the study with every default filled in, and nothing else.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Tell what a study would take: its cells, stages, annotation and compute. Costs nothing and stores nothing.

    Every cell is rehearsed with a throw-away ledger, so hours, money and what cells share are exact; methods that buy
    by what their models say are followed as far as that can be. Exit code 3: some cells would be refused.

    A world that is not here is planned as published, where its name is that of a known data set (worlds/cityscapes).
    """
    from segfrontier.commands.console import given_home, progress

    given_home(home)  # before the seconds that the rest takes to load

    from segfrontier.plan.planning import plan_study
    from segfrontier.plan.words import sentences
    from segfrontier.study.paper_tables import load_study

    study = load_study(file, set_ or [])
    if resolved:
        typer.echo(study.to_yaml(), nl=False)
        return
    with progress("opening worlds") as opening, progress("rehearsing cells") as rehearsed:
        found = plan_study(study, home=home, probe=probe, patience=patience, opening=opening, progress=rehearsed)
    if as_json:
        typer.echo(json.dumps(found.plain() | {"words": sentences(found)}))
    else:
        _show(found)
        if not found.refused:
            _show_next(file, set_ or [], home, absent=found.imagined)
    if found.refused:
        raise typer.Exit(3)


def _show(plan: StudyPlan) -> None:
    from segfrontier.commands.console import console
    from segfrontier.plan.words import sentences

    out = console()
    _show_settings(plan)
    _show_kinds(plan)
    for sentence in sentences(plan):
        out.print(sentence, highlight=False, markup=False)
    for title, style, groups in (
        ("These cells would be refused:", "bold red", plan.refused),
        ("These cells could not be rehearsed to their end, for they stand on what is not known yet:", "bold yellow",
         plan.unforeseen),
        ("The time of these stages is not known:", "bold yellow", plan.unprobed),
    ):  # fmt: skip
        if groups:
            out.print(f"\n{title}", style=style)
        for text, labels in groups.items():
            more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
            out.print(f"  {'; '.join(labels[:3])}{more}\n    {text}", highlight=False, markup=False)


def _show_next(file: str, assignments: list[str], home: Path, *, absent: Iterable[str]) -> None:
    """The commands that do what was planned."""
    import shlex

    from segfrontier.commands.console import console

    words = ["segfrontier", "run", str(file), *(word for given in assignments for word in ("--set", given))]
    if home != Path("runs"):
        words += ["--home", str(home)]
    commands = [f"segfrontier world import {_from(ref)} {shlex.quote(ref)}" for ref in absent]
    text = "\n      ".join([*commands, shlex.join(words)])
    console().print(f"\nnext: {text}", style="dim", markup=False, highlight=False, soft_wrap=True)


def _from(ref: str) -> str:
    """What a world that is not here is imported from: the data set it is called after, or folders of one's own."""
    from segfrontier.scenes.importing import DATASETS

    name = ref.rstrip("/").rpartition("/")[2]
    return f"{name} YOUR-{name.upper()}-FOLDER" if name in DATASETS or name == "camvid" else "YOUR-FOLDERS.yaml"


def _show_settings(plan: StudyPlan) -> None:
    """A row a setting, its seeds together."""
    from rich.markup import escape
    from rich.table import Table

    from segfrontier.commands.console import console

    groups: dict[tuple[Facet, str], list[CellPlan]] = {}
    for cell in plan.cells:
        groups.setdefault((cell.cell.facet, cell.cell.label.rpartition(", seed")[0]), []).append(cell)
    names = _facet_names({facet for facet, _ in groups})
    table = Table(box=None)
    table.add_column("cells")
    if len(names) > 1:
        table.add_column("facet")
    for name in ("seeds", "annotation h", "stages", "stored"):
        table.add_column(name, justify="right")
    for (facet, label), cells in list(groups.items())[:_ROWS]:
        stages = {key for cell in cells for key in cell.stages}
        stored = sum(plan.stages[key].stored for key in stages)
        which = [escape(text) for text in ([label, names[facet]] if len(names) > 1 else [label])]
        table.add_row(*which, str(len(cells)), _hours(cells), str(len(stages)), str(stored))
    if len(groups) > _ROWS:
        table.add_row(f"... and {len(groups) - _ROWS} more; --json has them all", style="dim")
    console().print(table, "")


def _facet_names(facets: Set[Facet]) -> dict[Facet, str]:
    """Facets by what they do not share: `lr=0.01`."""
    from segfrontier.models.weights import weights_words

    values = {
        facet: {"world": facet.world, "source": facet.source}
        | vars(facet.recipe)
        | {"pretrained": weights_words(facet.recipe.pretrained) or facet.recipe.pretrained}
        for facet in facets
    }
    odd = [name for name in next(iter(values.values())) if len({str(v[name]) for v in values.values()}) > 1]
    return {facet: " ".join(f"{name}={value[name]}" for name in odd) for facet, value in values.items()}


def _show_kinds(plan: StudyPlan) -> None:
    from rich.table import Table

    from segfrontier.commands.console import console
    from segfrontier.plan.words import duration

    table = Table(box=None)
    table.add_column("stages")
    for name in ("in all cells", "after sharing", "stored", "to compute", "about"):
        table.add_column(name, justify="right")
    for name, kind in plan.kinds.items():
        time = "" if kind.seconds is None else duration(kind.seconds)
        table.add_row(name, *map(str, (kind.asked, kind.distinct, kind.stored, kind.left)), time)
    sets = {digest for cell in plan.cells for digest in cell.purchases}
    table.add_row("buy", str(sum(len(cell.purchases) for cell in plan.cells)), str(len(sets)), style="dim")
    console().print(table, "")


def _hours(cells: list[CellPlan]) -> str:
    low, high = (bound(cell.seconds for cell in cells) / 3600 for bound in (min, max))
    return f"{low:,.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"{low:,.1f} .. {high:,.1f}"
