"""`segfrontier claims`: what the papers say, and what runs say of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segfrontier.home.layout import Home
    from segfrontier.study.claims import Claim, Claims, Side
    from segfrontier.study.judging import Contrast, JudgedClaim, KeysOf, Measured

app = typer.Typer(no_args_is_help=True, help="What the papers say, as small studies with verdicts computed from runs.")

METHOD = typer.Argument(help="A method; default: every one that makes claims.")
ID = typer.Option("--claim", help="Only this claim, by its id; may be given several times.")
HOME = typer.Option(help="Where studies, stages, labels and the ledger are kept.")
HEADLINE = "miou_present"
_STYLES = {"holds": "green", "fails": "red"}


@app.command("run", epilog="Example: segfrontier claims run coarse_to_fine --claim boundary-loss-helps")
def run(
    method: Annotated[str | None, METHOD] = None,
    claim: Annotated[list[str] | None, ID] = None,
    home: Annotated[Path, HOME] = Path("runs"),
    address: Annotated[str | None, typer.Option(help="Address of a Ray cluster.")] = None,
    tracking: Annotated[str | None, typer.Option(help="MLflow's URI, or `none`.")] = None,
    here: Annotated[bool, typer.Option("--here", help="In this process, without Ray.")] = False,
) -> None:
    """Run the cells of the claims, as one study a method whose stages are shared; then show the verdicts.

    The same command again resumes. Exit code 1: cells failed. A claim that fails is a result, not an error.
    """
    from segfrontier.commands.board import LiveBoard
    from segfrontier.study.claim_cells import all_cells, keys_of, whole
    from segfrontier.study.claims import bringing, claims_of, known
    from segfrontier.study.config import Executor
    from segfrontier.study.kept_keys import keep_keys
    from segfrontier.study.keys import Atlas
    from segfrontier.study.pins import Pins
    from segfrontier.study.run import run_study

    failed = False
    for name in bringing("claims.yaml", method):
        claims = claims_of(name)
        assert claims is not None, "bringing() names methods that have claims"
        claims = known(claims, claim or [])
        # Rounding is far below what seeds do, and these are hours.
        fast = Executor(kind="local" if here else "ray", channels_last=True, fused=True, look_batch=8)
        study = whole(claims, f"claims-{name}", fast)
        with LiveBoard() as board:
            finished = run_study(
                study, home=home, address=address, tracking=tracking, watcher=board, cells=all_cells(claims)
            )
        if finished.signalled:
            raise typer.Exit(130)
        keep_keys(home.absolute(), name, claims, keys_of(claims, Atlas(pins=Pins(home.absolute()))))
        failed |= "failed" in finished.outcomes.values() or bool(finished.why)
        show(name, claim, home)
    if failed:
        raise typer.Exit(1)


@app.command("show", epilog="Example: segfrontier claims show active_points --json")
def show(
    method: Annotated[str | None, METHOD] = None,
    claim: Annotated[list[str] | None, ID] = None,
    home: Annotated[Path, HOME] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table for a README.")] = False,
) -> None:
    """Print each claim with the paper's numbers, what was measured with its interval, the verdict and the runs."""
    from segfrontier.commands.console import given_home
    from segfrontier.home.layout import Home
    from segfrontier.study.claims import bringing, claims_of, known
    from segfrontier.study.judging import judge_all

    place = Home(given_home(home).absolute())
    found: dict[str, tuple[JudgedClaim, ...]] = {}
    for name in bringing("claims.yaml", method):
        claims = claims_of(name)
        assert claims is not None, "bringing() names methods that have claims"
        wanted = known(claims, claim or [])
        found[name] = judge_all(wanted, place, _keys(place, name, wanted))
    if as_json:
        typer.echo(json.dumps({name: [j.plain() for j in judged] for name, judged in found.items()}))
        return
    for name, judged in found.items():
        if markdown:
            typer.echo(_markdown(judged))
        else:
            runs = place.study(f"claims-{name}").runs()
            for one in judged:
                _print(name, one, runs)


def _keys(home: Home, method: str, claims: Claims) -> KeysOf:
    """The keys of the claims' cells: as they are kept, or computed, which takes the libraries that train."""
    from segfrontier.study.kept_keys import keep_keys, kept_keys, none_there

    if none_there(home, claims):
        return _none
    if (kept := kept_keys(home.path, method, claims)) is not None:
        return kept
    from segfrontier.study.claim_cells import keys_of
    from segfrontier.study.keys import Atlas
    from segfrontier.study.pins import Pins

    keys = keys_of(claims, Atlas(pins=Pins(home.path)))
    keep_keys(home.path, method, claims, keys)
    return keys


def _none(claim: Claim, side: Side) -> tuple[str, ...]:  # noqa: ARG001
    return ()


@app.command("tables", epilog="Example: segfrontier claims tables coarse_to_fine")
def tables(method: Annotated[str | None, METHOD] = None) -> None:
    """List the papers' own tables: `segfrontier plan METHOD:TABLE` costs one, `run` runs it where the data is."""
    from rich.markup import escape

    from segfrontier.commands.console import console
    from segfrontier.study.claims import bringing
    from segfrontier.study.paper_tables import tables_of

    for name in bringing("tables.yaml", method):
        for table in tables_of(name):
            console().print(f"[bold]{escape(f'{name}:{table.id}')}[/]  {escape(table.says)}", highlight=False)


def _print(method: str, judged: JudgedClaim, runs: dict[str, str]) -> None:
    from rich.markup import escape

    from segfrontier.commands.console import console

    out, claim, style = console(), judged.claim, _STYLES.get(judged.verdict, "yellow")
    out.print(f"\n[bold]{escape(method)}/{claim.id}[/]  [{style}]{judged.verdict}[/]")
    out.print(f"  {claim.says} ({claim.where})", markup=False)
    if claim.paper:
        out.print(f"  paper: {_inline(claim.paper)}", markup=False)
    for one in judged.measured:
        sides = f"A = {one.pairing.a.words};  B = {one.pairing.b.words}"
        out.print(f"  {one.pairing.expect}{_metric(one)}:  {sides}", markup=False)
        out.print(f"    {_words(one.contrast)}: {one.contrast.verdict}, {one.contrast.reason}", markup=False)
        for control in one.controls:
            out.print(f"    control: {control.side.words}", markup=False)
            beaten = f"A above it {control.beaten.verdict}, {control.beaten.reason}"
            out.print(f"      {_words(control.beaten)}: {beaten}", markup=False)
        named = [runs.get(key, key)[:8] for key in one.keys]
        out.print(f"    runs {' '.join(named) or 'none yet'}", markup=False, style="dim")


def _metric(one: Measured) -> str:
    return "" if one.pairing.metric == HEADLINE else f" in {one.pairing.metric}"


def _words(one: Contrast) -> str:
    if one.difference.count == 0:
        return "not measured"
    between = one.difference.interval
    interval = "" if between is None else f" [{between[0]:+.3f}, {between[1]:+.3f}]"
    return (
        f"{one.a.mean:.3f} - {one.b.mean:.3f} = {one.difference.mean:+.3f}{interval} over {one.difference.count} seeds"
    )


def _inline(plain: Mapping[str, object], between: str = " ") -> str:
    return ", ".join(f"{k}{between}{v}" for k, v in plain.items())


def _markdown(judged: tuple[JudgedClaim, ...]) -> str:
    """A table for a README; knobs that all rows of a method share stand once, above it."""
    shared = shared_knobs(judged)
    above = "; ".join(f"`{method}` {_inline(knobs, '=')}" for method, knobs in shared.items() if knobs)
    lines = [f"All rows: {above}.\n"] if above else []
    lines += ["| claim | paper | measured: A, B, difference with its interval | verdict |", "|---|---|---|---|"]
    for one in judged:
        measured = "<br>".join(_pair(m, shared) for m in one.measured)
        lines.append(
            f"| {one.claim.says} ({one.claim.where}) | {_inline(one.claim.paper)} | {measured} | **{one.verdict}** |"
        )
    return "\n".join(lines)


def shared_knobs(judged: Iterable[JudgedClaim]) -> dict[str, dict[str, Any]]:
    """By method, the knobs that every one of its sides has alike, where there is more than one."""
    sides: dict[str, list[Side]] = {}
    for side in (s for one in judged for m in one.measured for s in m.pairing.sides):
        sides.setdefault(side.method, []).append(side)
    return {
        method: {k: v for k, v in some[0].knobs.items() if all(k in s.knobs and s.knobs[k] == v for s in some)}
        for method, some in sides.items()
        if any(side != some[0] for side in some)
    }


def _pair(one: Measured, shared: Mapping[str, Mapping[str, Any]]) -> str:
    """A comparison with its controls, each side with the knobs that are its own."""

    def words(side: Side) -> str:
        return side.without(shared.get(side.method, {})).words

    may = f" (A may be {one.pairing.margin:g} below)" if one.pairing.margin else ""
    may = f" (A against {one.pairing.share:g} of B)" if one.pairing.share != 1 else may
    controls = "".join(f"; control {words(c.side)}: {_words(c.beaten)}" for c in one.controls)
    return f"{words(one.pairing.a)} vs {words(one.pairing.b)}{_metric(one)}{may}: {_words(one.contrast)}{controls}"
