"""The page of `world inspect`: what is wrong with a world and what to do, then its counts, then some of its scenes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from segfrontier.basics.atomic import staged_file
from segfrontier.basics.reading import LARGE, NotPlain, read_bounded
from segfrontier.errors import BadInput, BadWorld
from segfrontier.report.template import image, listed, paragraph, section, table, write_html
from segfrontier.scenes.health.findings import SEVERITIES, Oddity
from segfrontier.scenes.inspection import SEED, Inspection
from segfrontier.scenes.preview import colourise
from segfrontier.scenes.world import World

MARK = '<meta name="generator" content="segfrontier world inspect">'
"""By which a page is known as one that may be written again."""
_WIDTH, _A_FINDING, _A_SPLIT = 360, 3, 4
_WORDS = {"error": "cannot be used", "warning": "look at this", "note": "good to know"}


def write_world_page(world: World, report: Inspection, path: Path) -> Path:
    """Write the page whole or not at all; nothing is loaded from elsewhere."""
    body = "\n".join(part for part in _sections(world, report) if part)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(path) as draft:
            write_html(draft, title=f"{report.name}: the data set's health", body=body, head=f"{MARK}\n")
    except OSError as error:
        raise BadInput(f"{path}: the page cannot be written there ({error}). Choose another place.") from None
    return path


def is_world_page(path: Path) -> bool:
    """Whether a file is a page that `write_world_page` wrote."""
    try:
        head = read_bounded(path, LARGE).partition(b"</head>")[0]
    except (OSError, NotPlain):
        return False
    return f"{MARK}\n".encode() in head


def _sections(world: World, report: Inspection) -> Iterator[str]:
    kind = "connected components stand in for instances" if report.components else "instances as the data set has them"
    looked = "all scenes looked at" if report.sample is None else f"up to {report.sample} of each split, seed {SEED}"
    scenes = sum(counts.total for counts in report.splits)
    yield f"<h1>{escape(report.name)}</h1>"
    yield paragraph(
        f"{scenes} scenes, {looked}; {len(report.classes)} classes; {kind}; digest {report.digest}", "quiet"
    )
    yield f'<p class="headline">{escape(_headline(report.findings))}</p>'
    shown = _Pictures(world)
    yield section("Findings", "".join(_finding(finding, shown) for finding in report.findings))
    yield section("Splits", _splits(report))
    yield section("Classes", paragraph("Share of labelled pixels in each split.", "quiet") + _classes(report))
    yield section("Scenes", _key(world) + "".join(_samples(world, shown)))
    yield section("From the import", _notes(report))


def _headline(findings: Sequence[Oddity]) -> str:
    if not findings:
        return "Nothing was found that should be mended."
    counts = [(severity, sum(f.severity == severity for f in findings)) for severity in SEVERITIES]
    words = ", ".join(f"{n} {severity}{'s' * (n > 1)}" for severity, n in counts if n)
    return f"{words}. First: {findings[0].words}."


def _finding(finding: Oddity, shown: _Pictures) -> str:
    head = f'<b class="{finding.severity}">{finding.severity}</b> {escape(finding.where)}'
    pictures = "".join(shown.example(example) for example in finding.examples[:_A_FINDING])
    rest = listed(finding.examples[_A_FINDING:])
    return (
        f'<article class="finding"><h3>{head}</h3>{paragraph(f"{finding.what}{finding.often}")}'
        f"{paragraph(finding.advice, 'quiet')}"
        + (f'<div class="sheets">{pictures}</div>' if pictures else "")
        + (f"<details><summary>{len(finding.examples) - _A_FINDING} more</summary>{rest}</details>" if rest else "")
        + "</article>"
    )


def _splits(report: Inspection) -> str:
    names = ("split", "scenes", "sizes", "void", "instances a scene", "fine maps", "coarse maps")
    rows = [
        (
            c.name, c.looked, ", ".join(c.sizes[:3]) + (" …" if len(c.sizes) > 3 else ""), f"{c.void_share:.1%}",
            f"{c.instances_a_scene:.1f}", str(c.with_fine), str(c.with_coarse),
        )
        for c in report.splits
    ]  # fmt: skip
    lines = [line for counts in report.splits for line in counts.of_existing(report.existing)]
    return table(names, rows, right=names[3:], first="split") + "".join(paragraph(line) for line in lines)


def _classes(report: Inspection) -> str:
    names = ("class", *(counts.name for counts in report.splits))
    shares = zip(*(counts.class_shares for counts in report.splits), strict=True)
    rows = [(name, *map(_share, here)) for name, here in zip(report.classes, shares, strict=True)]
    return table(names, rows, right=names[1:], first="class")


def _share(share: float) -> str:
    return "none" if share == 0 else f"{share:.2%}" if share >= 0.0001 else "<0.01%"


def _key(world: World) -> str:
    chips = "".join(
        f'<span><b class="chip" style="background:rgb{c.colour}"></b> {escape(c.name)}</span>'
        for c in world.classes.classes
    )
    return f'<p class="key">{chips}<span><b class="chip" style="background:#000"></b> void</span></p>'


def _samples(world: World, shown: _Pictures) -> Iterator[str]:
    for domain, split in world.splits():
        scenes = world.pool(domain=domain, split=split).scenes()
        places = np.linspace(0, len(scenes) - 1, min(_A_SPLIT, len(scenes))).round().astype(int)
        figures = "".join(shown.example(f"{domain}/{split}:{scenes[at]}") for at in sorted(set(places.tolist())))
        yield f'<h3>{escape(f"{domain}/{split}")}</h3><div class="sheets">{figures}</div>'


def _notes(report: Inspection) -> str:
    notes = report.notes
    parts = (
        ("Images without labels", notes.images_without_labels),
        ("Labels without an image", notes.labels_without_images),
        ("Pairs of different size, left out", notes.size_mismatches), ("Unreadable, left out", notes.skipped),
        ("Stored, but do not decode", report.undecodable), ("Remarks", notes.remarks),
    )  # fmt: skip
    return "".join(f"<h3>{title}: {len(lines)}</h3>{listed(lines)}" for title, lines in parts if lines)


class _Pictures:
    """Scenes as figures, by what findings call them: `domain/split:id`, or two of them with ` ~ ` or ` = `."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._keys = {f"{domain}/{split}": (domain, split) for domain, split in world.splits()}

    def example(self, words: str) -> str:
        """Two images side by side of a pair; else an image beside its labels."""
        places = words.replace(" ~ ", "\0").replace(" = ", "\0").split("\0")[:2]
        pictures = [p for place in places for p in self._of(place, labels=len(places) == 1)]
        images = "".join(image(_jpeg(p), f"{name} of {words}", kind="jpeg") for name, p in pictures)
        return (
            f'<figure><div class="pair">{images}</div><figcaption>{escape(" and ".join(places))}</figcaption></figure>'
        )

    def _of(self, place: str, *, labels: bool) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        name, _, scene = place.partition(":")
        if name not in self._keys:
            return
        domain, split = self._keys[name]
        with suppress(BadWorld):  # what does not decode has a finding that says so
            yield "image", self._world.pool(domain=domain, split=split).image(scene)
        truth = self._world.truth(domain=domain, split=split)
        with suppress(BadWorld):
            known = truth.semantic(scene) if truth.is_fine(scene) else truth.coarse(scene)
            if labels and known is not None:
                yield "labels", colourise(known, self._world.classes)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    out, small = BytesIO(), Image.fromarray(picture)
    small.thumbnail((_WIDTH, 2 * _WIDTH))
    small.save(out, "JPEG", quality=85)
    return out.getvalue()
