"""A study's report folder: tables, the picture, the page to point at and the page to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segfrontier.basics.atomic import draft_folder, sweep
from segfrontier.basics.disk import disk_full, is_full
from segfrontier.errors import BadStudy
from segfrontier.home.layout import StudyHome
from segfrontier.market.prices import PriceList
from segfrontier.report.findings import Finding, Reading, findings
from segfrontier.report.load import Harvest, harvest

PICTURE, PAGE, REPORT = "frontier.png", "frontier.html", "report.html"


def write_report(
    study: StudyHome,
    *,
    prices: PriceList | None = None,
    references: Sequence[str | Path] | None = None,
    reading: Reading | None = None,
    out: Path | None = None,
) -> list[Path]:
    """Write all outputs of a study as it stands; nothing while no cell has ended. Default folder: the study's."""
    found = harvest(study, prices=prices, references=references)
    if not found.records:
        return []
    return write_outputs(found, findings(found, reading), out or study.report)


def write_outputs(found: Harvest, facets: Sequence[Finding], folder: Path) -> list[Path]:
    """Write all outputs into a folder."""
    from segfrontier.report.page import write_report_page
    from segfrontier.report.picture import draw_frontier
    from segfrontier.report.plot_page import write_library, write_page
    from segfrontier.report.tables import write_tables

    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        with draft_folder(folder / "report") as draft:
            picture = draw_frontier(facets, draft / PICTURE)
            page = write_page(found, facets, picture, draft / PAGE)
            report = write_report_page(found, facets, picture, draft / REPORT)
            write_library(folder, draft)  # no output of the study: it is neither listed nor sent to MLflow
            written = [report, picture, page, *write_tables(found, facets, draft)]
            return [file.replace(folder / file.name) for file in written]
    except OSError as error:
        if is_full(error):
            raise disk_full(folder) from None
        raise BadStudy(
            f"{folder}: a report needs a folder that can be written; it could not be ({error}). The cells are "
            f"untouched; make room or choose another place with --out."
        ) from error


def require_ended(found: Harvest) -> None:
    """Refuse a study of which there is nothing to show yet."""
    if not found.records:
        raise BadStudy(
            f"study {found.name!r} must have a cell that has ended before it has a frontier; found {found.words}. "
            f"Let it run on: `segfrontier status {found.name}` tells how far it is."
        )
