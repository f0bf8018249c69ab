"""The one template of all pages and the pieces they are put together from; each escapes the text it is given."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

_HERE = Path(__file__).parent
_MOST_LINES = 12  # of a list that is shown whole


def write_html(path: Path, *, title: str, body: str, head: str = "") -> Path:
    """Write a page that brings its looks along."""
    template = Template((_HERE / "template.html").read_text(encoding="utf-8"))
    style = (_HERE / "template.css").read_text(encoding="utf-8")
    path.write_text(template.substitute(title=escape(title), style=style, head=head, body=body), encoding="utf-8")
    return path


def section(title: str, content: str) -> str:
    """A part of the page; empty where it has no content."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def paragraph(text: str, look: str = "") -> str:
    """A paragraph of text; `look` is a class of the style sheet."""
    return f'<p class="{look}">{escape(text)}</p>' if look else f"<p>{escape(text)}</p>"


def listed(lines: Iterable[str]) -> str:
    """Lines with bullets, of a long list the first ones until it is opened; empty where there are none."""
    items = [f"<li>{escape(line)}</li>" for line in lines]
    if len(items) <= _MOST_LINES:
        return f"<ul>{''.join(items)}</ul>" if items else ""
    first, more = items[: _MOST_LINES - 2], items[_MOST_LINES - 2 :]
    return (
        f"<ul>{''.join(first)}</ul><details><summary>and {len(more)} more</summary><ul>{''.join(more)}</ul></details>"
    )


def image(content: bytes, words: str, *, kind: str = "png", look: str = "", hover: str = "") -> str:
    """A picture that travels inside the page, with words for those who cannot see it."""
    data, title = b64encode(content).decode(), f' title="{escape(hover)}"' if hover else ""
    return f'<img class="{look}" alt="{escape(words)}"{title} src="data:image/{kind};base64,{data}">'


def table(names: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = (), first: str = "",
          strong: bool = False) -> str:  # fmt: skip
    """A table; empty without rows. `right`: columns of numbers; `first`: the column that needs no name on a telephone.

    With `strong`, rows whose first cell holds a word stand out.
    """
    if not rows:
        return ""
    looks = [" ".join(["num"] * (n in right) + ["first"] * (n == first) + ["knobs"] * (n == "knobs")) for n in names]
    head = "".join(f'<th class="{look}">{escape(name)}</th>' for name, look in zip(names, looks, strict=True))
    lines = []
    for row in rows:
        cells = (
            f'<td class="{look}" data-name="{escape(name)}">{escape(cell)}</td>'
            for name, look, cell in zip(names, looks, row, strict=True)
        )
        lines.append(f"<tr{' class=on' if strong and row[0] else ''}>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'
