"""`segfrontier frontier`: which labels to buy, read off a study's cells; again under any other prices."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from segfrontier.report.findings import Finding
    from segfrontier.report.load import Harvest


class Interval(StrEnum):
    """How intervals over seeds are made."""

    t = "t"
    bootstrap = "bootstrap"


_MOST_FAILED = 10

EPILOG = """Examples:

segfrontier frontier street-baselines --target 0.6

segfrontier frontier street-baselines --prices cheap-clicks.yaml

segfrontier frontier street-baselines --references papers.yaml --gpu --out review

segfrontier frontier --from points.csv --json"""


def frontier(
    study: Annotated[str | None, typer.Argument(help="The name of a study that was run.")] = None,
    home: Annotated[Path, typer.Option(help="Where studies are kept.")] = Path("runs"),
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Instead of a study: a table of scores (CSV or Parquet) with the columns method, hours, score, seed "
            "and, where there are any, facet, knobs and acts (what was bought, in any words).",
        ),
    ] = None,
    prices: Annotated[
        str | None, typer.Option(help="What if: another price list, by name or YAML file. Nothing is trained.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(help="The score to reach; default: 90 % of oracle's, else the best of fine.")
    ] = None,
    metric: Annotated[str | None, typer.Option(help="What scores are in, e.g. pq; default: the study's.")] = None,
    gpu: Annotated[bool, typer.Option("--gpu", help="Computing hours are a second cost beside annotation.")] = False,
    references: Annotated[
        list[Path] | None,
        typer.Option(
            help="YAML files of papers' numbers, drawn as stars: `references: [{name: .., paper: .., where: .., "
            "hours: .., score: ..}]`; default: the study's."
        ),
    ] = None,
    how: Annotated[Interval, typer.Option(help="Intervals over seeds: Student t or bootstrap.")] = Interval.t,
    level: Annotated[float, typer.Option(help="What share of such intervals holds the truth.")] = 0.95,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where pictures, pages and tables go; default: the study's report folder, or what-if/ in it. "
            "With --json or --from nothing is written without it."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Print the frontier of a study or a table and what it says; write pictures, pages and tables of it.

    Costs are acts x prices, computed here and now: other prices redraw everything without training.
    """
    from segfrontier.report.findings import Reading, findings

    reading = Reading(target=target, most=1.0 if table is None else 1e9, gpu=gpu, how=how.value, level=level)
    found, folder = _read(study, home, table, prices, references, metric)
    facets = findings(found, reading)
    if as_json:
        from segfrontier.report.as_json import to_json

        written = _written(found, facets, out)
        typer.echo(json.dumps(to_json(found, facets) | {"files": [str(p) for p in written]}, allow_nan=False))
        return
    from segfrontier.commands.console import console

    screen = console()
    if not screen.is_terminal:
        screen.width = 200  # a file has no edge to fold at
    print_findings(found, facets, screen)
    for path in _written(found, facets, out or folder):
        screen.print(str(path), style="dim", markup=False, highlight=False)


def _read(
    study: str | None,
    home: Path,
    table: Path | None,
    prices: str | None,
    references: list[Path] | None,
    metric: str | None,
) -> tuple[Harvest, Path | None]:
    """What to report on, and the folder where its report belongs."""
    from segfrontier.errors import BadInput

    if (study is None) == (table is None):
        found = "neither" if study is None else "both"
        raise BadInput(f"a frontier needs either the name of a study or --from TABLE; found {found}. Leave one.")
    if study is None:
        from segfrontier.report.scores import read_scores

        if table is None or prices is not None:
            raise BadInput("--prices must go with a study, which knows its acts; found it beside --from. Leave it out.")
        if metric is not None:
            raise BadInput(
                "--metric must go with a study, whose cells have several; found it beside --from. Leave it out."
            )
        return read_scores(table, references=references), None
    from segfrontier.home.layout import Home
    from segfrontier.market.prices import load_prices
    from segfrontier.report.load import harvest
    from segfrontier.report.outputs import require_ended

    place = Home(home).find(study)
    ended = harvest(place, prices=load_prices(prices) if prices else None, references=references, metric=metric)
    require_ended(ended)
    return ended, place.report / "what-if" if prices else place.report


def _written(found: Harvest, facets: tuple[Finding, ...], folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    from segfrontier.report.outputs import write_outputs

    return write_outputs(found, facets, folder)


def print_findings(harvest: Harvest, found: tuple[Finding, ...], out: Console) -> None:
    """The table and the answers of each facet, then what went wrong."""
    from rich.markup import escape

    out.print(f"[bold]{escape(harvest.name)}[/]  {escape(harvest.words)}", highlight=False)
    for finding in found:
        _print_facet(finding, harvest.measure, out)
    failed = harvest.ended("failed")
    for record in failed[:_MOST_FAILED]:
        log = harvest.log(record)
        label = record.cell.get("label", record.key)
        out.print(f"[red]failed[/] {escape(f'{label}: {record.error}  ({log})')}", highlight=False)
    if len(failed) > _MOST_FAILED:
        out.print(f"[red]failed[/] and {len(failed) - _MOST_FAILED} more: see report.html", highlight=False)
    for fault in harvest.faults:
        out.print(f"[yellow]note[/] {escape(fault)}", highlight=False)


def _print_facet(finding: Finding, measure: str, out: Console) -> None:
    from rich.markup import escape
    from rich.table import Table

    from segfrontier.report.sentences import answers, caption, columns, headline, interval_words, prices_words, rows
    from segfrontier.report.training import training_words

    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    mark, _, _, *numbers = columns(finding)
    table_rows = rows(finding)
    filled = [i for i in range(len(numbers)) if any(row[3 + i] for row in table_rows)]
    table.add_column(mark)
    table.add_column("method, knobs")
    for i in filled:
        table.add_column(numbers[i], justify="left" if numbers[i] == measure else "right", no_wrap=True)
    for first, method, knobs, *more in table_rows:
        told = (first, f"{method} {knobs}".strip(), *(more[i] for i in filled))
        table.add_row(*map(escape, told), style=None if first else "dim")
    quiet = escape("; ".join([prices_words(finding), interval_words(finding), *training_words(finding)]))
    out.print(f"\n[bold]{escape(finding.words)}[/]\n[dim]{quiet}[/]", highlight=False)
    out.print(table)
    out.print(f"[dim]{escape(caption(finding))}[/]", highlight=False)
    out.print(f"\n{escape(headline(finding))}", highlight=False)
    for heading, lines in answers(finding):
        out.print(f"\n[bold]{escape(heading)}[/]", highlight=False)
        for line in lines:
            out.print(f"  {escape(line)}", highlight=False)
    out.print()
