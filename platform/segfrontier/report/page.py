"""report.html: a study on one page, to read on a screen or on paper, in one file that loads nothing from elsewhere."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from io import BytesIO
from pathlib import Path

from segfrontier.home.records import Record
from segfrontier.report.class_curves import best_entries, class_charts
from segfrontier.report.css import CSS
from segfrontier.report.findings import Finding
from segfrontier.report.load import Harvest
from segfrontier.report.points import Entry
from segfrontier.report.sentences import answers, caption, columns, headline, interval_words, prices_words, rows
from segfrontier.report.spending import spending
from segfrontier.report.style import styles

_NUMBERS = ("budget", "hours", "seeds", "acts", "units", "money")
_MOST_FAILED, _LOG_LINES, _SHEET_WIDTH = 20, 15, 1000


def write_report_page(harvest: Harvest, found: Sequence[Finding], picture: Path, path: Path) -> Path:
    """Write the page around the picture of the frontier."""
    body = "\n".join(_sections(harvest, found, picture))
    title = escape(f"{harvest.name}: which labels to buy")
    path.write_text(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{CSS}</style></head><body><main>\n{body}\n</main></body></html>\n",
        encoding="utf-8",
    )
    return path


def _sections(harvest: Harvest, found: Sequence[Finding], picture: Path) -> Iterator[str]:
    yield f"<h1>{escape(harvest.name)}</h1><p class=quiet>{escape(_subtitle(harvest))}</p>"
    yield from (f'<p class="headline">{_of_facet(f, found)}{escape(headline(f))}</p>' for f in found)
    if any(f.points for f in found):
        yield _section("Frontier", f'<img class="wide" alt="The frontier" src="{_png(picture.read_bytes())}">')
    elif not found:
        yield '<p class="headline">No cell is done, so that there is nothing to compare yet.</p>'
    yield from (_facet(finding, found) for finding in found)
    yield from _optional("What was bought", _table(*spending(harvest)))
    sheets = "".join(_sheets(found))
    yield from _optional("Sample predictions", f"<div class=sheets>{sheets}</div>" if sheets else "")
    yield from _optional("Failed cells", "".join(_failures(harvest)))
    yield from _optional("Cells that early stopping cut", _listed(_label(r) for r in harvest.ended("cut")))
    yield from _optional("Notes", _listed(harvest.faults))
    yield from _optional("The study", f"<pre>{escape(harvest.yaml)}</pre>" if harvest.yaml else "")


def _subtitle(harvest: Harvest) -> str:
    ended = max((r.ended for r in harvest.records), default=0.0)
    when = f"; last cell ended {datetime.fromtimestamp(ended, UTC):%Y-%m-%d %H:%M} UTC" if ended else ""
    return f"{harvest.words}{when}"


def _of_facet(finding: Finding, found: Sequence[Finding]) -> str:
    return f"<b>{escape(finding.words)}:</b> " if len(found) > 1 else ""


def _facet(finding: Finding, found: Sequence[Finding]) -> str:
    quiet = f"{finding.words}; {prices_words(finding)}; {interval_words(finding)}"
    told = "".join(f"<h3>{escape(heading)}</h3>{_listed(lines)}" for heading, lines in answers(finding))
    table = _table(columns(finding), rows(finding), strong=True)
    charts = "".join(class_charts(finding))
    curves = f"<h3>IoU of each class over annotation hours</h3>{_key(finding)}<div class=classes>{charts}</div>"
    title = "Points and answers" if len(found) == 1 else f"Points and answers: {finding.words}"
    quiet_caption = f"<p class=quiet>{escape(caption(finding))}</p>"
    return _section(title, f"<p class=quiet>{escape(quiet)}</p>{table}{quiet_caption}{told}{curves if charts else ''}")


def _key(finding: Finding) -> str:
    looks = styles(finding.harvest.methods)
    entries = (
        f'<span><svg width="22" height="10"><line x1="0" x2="22" y1="5" y2="5" stroke="{looks[m].colour}" '
        f'stroke-width="2"/><circle cx="11" cy="5" r="3" fill="{looks[m].colour}"/></svg> {escape(m)}</span>'
        for m in finding.methods
    )
    told = "best knobs at each budget, mean over seeds; hours as in the picture above"
    return f'<p class="key">{"".join(entries)}<span class=quiet>{told}</span></p>'


def _sheets(found: Sequence[Finding]) -> Iterator[str]:
    """One sheet a method: its best point, that point's first seed with pictures."""
    for finding in found:
        for entries in best_entries(finding).values():
            best = max(entries, key=lambda e: e.point.score)
            for record in best.cells:
                if sheet := _sheet(Path(record.score_folder) / "pictures.png" if record.score_folder else None):
                    caption = f"{_of_facet(finding, found)}{escape(_sheet_words(best, record))}"
                    yield f'<figure><figcaption>{caption}</figcaption><img class="wide" alt="" src="{sheet}"></figure>'
                    break


def _sheet_words(entry: Entry, record: Record) -> str:
    return f"{record.cell.get('label', entry.name)}: mIoU {record.miou:.3f}"


def _sheet(path: Path | None) -> str:
    """A sheet of pictures as a data URI, no larger than a page needs; empty where there is none that can be read."""
    from PIL import Image

    if path is None or not path.is_file():
        return ""
    try:
        with Image.open(path) as image:
            sheet, out = image.convert("RGB"), BytesIO()
        sheet.thumbnail((_SHEET_WIDTH, 10 * _SHEET_WIDTH))
        sheet.save(out, "JPEG", quality=82)
    except (OSError, Image.DecompressionBombError):
        return ""
    return f"data:image/jpeg;base64,{b64encode(out.getvalue()).decode()}"


def _failures(harvest: Harvest) -> Iterator[str]:
    failed = harvest.ended("failed")
    for record in failed[:_MOST_FAILED]:
        log = harvest.log(record)
        yield f"<h3>{escape(_label(record))}</h3><p>{escape(record.error)}</p>"
        if lines := log_end(log) if log else "":
            yield f"<pre>{escape(lines)}</pre>"
    if len(failed) > _MOST_FAILED:
        yield f"<p>and {len(failed) - _MOST_FAILED} more: see cells.csv</p>"


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


def _png(content: bytes) -> str:
    return f"data:image/png;base64,{b64encode(content).decode()}"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _optional(title: str, content: str) -> Iterator[str]:
    if content:
        yield _section(title, content)


def _listed(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(names: Sequence[str], content: Sequence[Sequence[str]], *, strong: bool = False) -> str:
    """A table; with `strong`, rows whose first cell holds a word stand out and the others step back."""
    if not content:
        return ""
    right = [name in _NUMBERS for name in names]
    head = "".join(f"<th{' class=num' * r}>{escape(name)}</th>" for name, r in zip(names, right, strict=True))
    body = "".join(
        f"<tr{' class=on' if strong and row[0] else ''}>"
        + "".join(f"<td{' class=num' * r}>{escape(cell)}</td>" for cell, r in zip(row, right, strict=True))
        + "</tr>"
        for row in content
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
