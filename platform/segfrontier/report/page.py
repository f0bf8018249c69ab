"""report.html: a study on one page, to read on a screen or on paper, in one file that loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from io import BytesIO
from pathlib import Path

from segfrontier.home.records import Record
from segfrontier.report.class_curves import best_entries, class_charts
from segfrontier.report.findings import Finding
from segfrontier.report.load import Harvest
from segfrontier.report.sentences import answers, caption, columns, headline, interval_words, prices_words, rows
from segfrontier.report.spending import spending
from segfrontier.report.style import styles
from segfrontier.report.template import image, listed, paragraph, section, table, write_html
from segfrontier.report.training import training_words

_NUMBERS = ("budget", "hours", "steps", "seeds", "acts", "units", "money")
_PICTURE = "The frontier: {measure} over annotation hours; the table below holds its numbers"
_MOST_FAILED, _LOG_LINES, _SHEET_WIDTH = 20, 15, 1000


def write_report_page(harvest: Harvest, found: Sequence[Finding], picture: Path, path: Path) -> Path:
    """Write the page around the picture of the frontier."""
    body = "\n".join(part for part in _sections(harvest, found, picture) if part)
    return write_html(path, title=f"{harvest.name}: which labels to buy", body=body)


def _sections(harvest: Harvest, found: Sequence[Finding], picture: Path) -> Iterator[str]:
    yield f"<h1>{escape(harvest.name)}</h1>{paragraph(_subtitle(harvest), 'quiet')}"
    yield from (f'<p class="headline">{_of_facet(f, found)}{escape(headline(f))}</p>' for f in found)
    if any(f.points for f in found):
        yield section(
            "Frontier", image(picture.read_bytes(), _PICTURE.format(measure=harvest.measure), look="card frontier")
        )
    elif not found:
        yield paragraph("No cell is done, so that there is nothing to compare yet.", "headline")
    yield from (_facet(finding, found) for finding in found)
    names, bought = spending(harvest)
    yield section("What was bought", table(names, bought, right=_NUMBERS, first="kind"))
    sheets = "".join(_sheets(found))
    yield section("Sample predictions", f"<div class=sheets>{sheets}</div>" if sheets else "")
    yield section("Failed cells", "".join(_failures(harvest)))
    yield section("Cells that early stopping cut", listed(_label(r) for r in harvest.ended("cut")))
    yield section("Notes", listed(harvest.faults))
    yield section("The study", f"<pre>{escape(harvest.yaml)}</pre>" if harvest.yaml else "")


def _subtitle(harvest: Harvest) -> str:
    ended = max((r.ended for r in harvest.records), default=0.0)
    when = f"; last cell ended {datetime.fromtimestamp(ended, UTC):%Y-%m-%d %H:%M} UTC" if ended else ""
    return f"{harvest.words}{when}"


def _of_facet(finding: Finding, found: Sequence[Finding]) -> str:
    return f"<b>{escape(finding.words)}:</b> " if len(found) > 1 else ""


def _facet(finding: Finding, found: Sequence[Finding]) -> str:
    title = "Points and answers" if len(found) == 1 else f"Points and answers: {finding.words}"
    quiet = "; ".join([finding.words, prices_words(finding), interval_words(finding), *training_words(finding)])
    told = "".join(f"<h3>{escape(heading)}</h3>{listed(lines)}" for heading, lines in answers(finding))
    parts = (paragraph(quiet, "quiet"), _points(finding), paragraph(caption(finding), "quiet"), told, _classes(finding))
    return section(title, "".join(parts))


def _points(finding: Finding) -> str:
    """The table of points; knobs, which may be long, come last, so that no screen is too narrow for the score."""
    names, lines = columns(finding), rows(finding)
    filled = [i for i in range(len(names)) if any(line[i] for line in lines)]
    order = sorted(filled, key=lambda i: names[i] == "knobs")
    return table(
        [names[i] for i in order],
        [[line[i] for i in order] for line in lines],
        right=(*_NUMBERS, *([] if finding.money is None else [finding.money.currency])),
        first="method",
        strong=True,
    )


def _classes(finding: Finding) -> str:
    charts = "".join(
        f"<figure><figcaption>{escape(c.name)}</figcaption>"
        f"{image(c.png, f'IoU of {c.name}: {c.words}', hover=c.words)}</figure>"
        for c in class_charts(finding)
    )
    if not charts:
        return ""
    looks = styles(finding.harvest.methods)
    key = "".join(f'<span><b style="color:{looks[m].colour}">{looks[m].glyph}</b> {escape(m)}</span>'
                  for m in finding.methods)  # fmt: skip
    told = paragraph("Best knobs at each budget, mean over seeds; hours as in the picture above.", "quiet")
    heading = "<h3>IoU of each class over annotation hours</h3>"
    return f'{heading}{told}<div class="card"><p class="key">{key}</p><div class="classes">{charts}</div></div>'


def _sheets(found: Sequence[Finding]) -> Iterator[str]:
    """One sheet a method: its best point, that point's first seed with pictures."""
    for finding in found:
        for entries in best_entries(finding).values():
            best = max(entries, key=lambda e: e.point.score)
            for record in best.cells:
                if sheet := _sheet(record.sheet):
                    measure, score = finding.harvest.measure, record.score(finding.harvest.metric)
                    words = f"{record.cell.get('label', best.name)}: {measure} {score:.3f}"
                    caption = f"{_of_facet(finding, found)}{escape(words)}"
                    picture = image(sheet, f"Predictions of {words}", kind="jpeg", look="wide")
                    yield f"<figure><figcaption>{caption}</figcaption>{picture}</figure>"
                    break


def _sheet(path: Path | None) -> bytes:
    """A sheet of pictures as JPEG, no larger than a page needs; empty where there is none that can be read."""
    from PIL import Image

    if path is None or not path.is_file():
        return b""
    try:
        with Image.open(path) as picture:
            sheet, out = picture.convert("RGB"), BytesIO()
        sheet.thumbnail((_SHEET_WIDTH, 10 * _SHEET_WIDTH))
        sheet.save(out, "JPEG", quality=82)
    except (OSError, Image.DecompressionBombError):
        return b""
    return out.getvalue()


def _failures(harvest: Harvest) -> Iterator[str]:
    failed = harvest.ended("failed")
    for record in failed[:_MOST_FAILED]:
        log = harvest.log(record)
        yield f"<h3>{escape(_label(record))}</h3>{paragraph(record.error)}"
        if lines := log_end(log) if log else "":
            yield f"<pre>{escape(lines)}</pre>"
    if len(failed) > _MOST_FAILED:
        yield paragraph(f"and {len(failed) - _MOST_FAILED} more: see cells.csv")


def log_end(log: Path, *, lines: int = _LOG_LINES) -> str:
    """The last lines of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 16_384))  # a log may be long, its end is what tells
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _label(record: Record) -> str:
    return f"{record.cell.get('label', '')} ({record.key[:8]})"
