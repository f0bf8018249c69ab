"""What an inspection comes to: what is odd, where, how often, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.health.counts import MOST_VOID, SceneCounts
from segfrontier.scenes.health.encodings import other_encoding
from segfrontier.scenes.health.likeness import Twins
from segfrontier.scenes.health.shift import BETWEEN_DOMAINS, BETWEEN_SPLITS, shift

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
_OF_CLASSES = ("unused-classes", "never-in-train")
_SHOWN = 10
_FEWEST = 4  # scenes of a split whose shares are held against another's


@dataclass(frozen=True, slots=True, kw_only=True)
class Oddity:
    """One oddity. An error is a world that cannot be used; `examples` are scenes as `domain/split:id`, or pairs."""

    severity: Severity
    kind: str
    what: str
    where: str
    count: int
    of: int
    advice: str
    examples: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What, where and how often, in a line."""
        return f"{self.where}: {self.what}{self.often}"

    @property
    def often(self) -> str:
        """How often, as it follows on what; a shift is not counted."""
        if self.kind == "label-shift":
            return ""
        if self.kind == "near-duplicates":
            return f": {self.count} among {self.of} scenes"
        return f": {self.count} of {self.of} {'classes' if self.kind in _OF_CLASSES else 'scenes'}"


def findings(
    tallies: Sequence[SceneCounts], classes: ClassTable, overlaps: Sequence[str], alike: Sequence[Twins]
) -> tuple[Oddity, ...]:
    """All findings, the worst first."""
    found = [finding for tally in tallies for finding in _of_split(tally, classes)]
    found += _copies(tallies, overlaps, alike)
    found += _absent(tallies, classes)
    found += _shifts(tallies, classes)
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def _of_split(tally: SceneCounts, classes: ClassTable) -> Iterator[Oddity]:
    if tally.undecodable:
        whole = len(tally.undecodable) == tally.looked
        yield _scenes(
            tally, "undecodable", tally.undecodable, severity="error" if whole else "warning",
            what="images or maps that do not decode or break the world's rules",
            advice="Import the data set again; a study leaves such scenes out, or stops at them.",
        )  # fmt: skip
    whole = bool(tally.all_void) and len(tally.all_void) == tally.fine
    if tally.all_void:
        yield _scenes(
            tally, "all-void", tally.all_void, severity="error" if whole else "warning",
            what="label maps in which no pixel has a class",
            advice="Look at the label files: is their encoding the declared one, does the class table declare too much "
            "as void?",
        )  # fmt: skip
    if tally.mostly_void:
        yield _scenes(
            tally, "mostly-void", tally.mostly_void, what=f"label maps of which over {MOST_VOID:.0%} are void",
            advice="Look at some: classes may be missing from the class table, or the labels may be coarse ones.",
        )  # fmt: skip
    if encoding := other_encoding(classes, tally.pixels.tolist()):
        yield Oddity(
            severity="warning", kind="other-encoding", where=tally.name, count=tally.fine, of=tally.scenes,
            what=f"labels that look like streets if the files hold {encoding}, and do not as they were read",
            advice="Hold one label file against the class table's ids, correct the table, and import again.",
        )  # fmt: skip
    if tally.speckled:
        yield _scenes(
            tally, "speckled", tally.speckled, what="label maps with noise of single pixels",
            advice="Label files must be lossless: these were jpg, resized with interpolation, or photographs.",
        )  # fmt: skip
    if tally.drawn:
        yield _scenes(
            tally, "colours-for-images", tally.drawn, what="images that hold the classes' colours and no others",
            advice="Correct the path of the images: it leads to coloured label files.",
        )  # fmt: skip


def _scenes(
    tally: SceneCounts, kind: str, scenes: Sequence[str], *, what: str, advice: str, severity: Severity = "warning"
) -> Oddity:
    examples = tuple(f"{tally.name}:{scene}" for scene in scenes[:_SHOWN])
    return Oddity(
        severity=severity, kind=kind, what=what, where=tally.name, count=len(scenes), of=tally.looked, advice=advice,
        examples=examples,
    )  # fmt: skip


def _copies(tallies: Sequence[SceneCounts], overlaps: Sequence[str], alike: Sequence[Twins]) -> Iterator[Oddity]:
    total, drop = sum(tally.looked for tally in tallies), "Leave them out of one split: a score on them is too high."
    if overlaps:
        yield Oddity(
            severity="warning", kind="same-images", what="the same image file in more than one split", of=total,
            where=_splits_of(overlaps), count=len(overlaps), advice=drop, examples=tuple(overlaps[:_SHOWN]),
        )  # fmt: skip
    if alike:
        pairs = [f"{pair.first} ~ {pair.second}" for pair in alike]
        yield Oddity(
            severity="warning", kind="near-duplicates", what="pairs of images of two splits that show almost the same",
            where=_splits_of(pairs), count=len(pairs), of=total, examples=tuple(pairs[:_SHOWN]),
            advice="Look at them: frames of one drive, or copies in another size, belong in one split.",
        )  # fmt: skip


def _splits_of(places: Sequence[str]) -> str:
    parts = [part for place in places for part in place.replace(" ~ ", " = ").split(" = ")]
    return ", ".join(dict.fromkeys(part.partition(":")[0] for part in parts))


def _absent(tallies: Sequence[SceneCounts], classes: ClassTable) -> Iterator[Oddity]:
    seen = {(t.domain, t.split): {label for label in range(len(classes)) if t.present[label]} for t in tallies}
    every = set().union(*seen.values())
    if nowhere := [classes.names[label] for label in range(len(classes)) if label not in every]:
        yield Oddity(
            severity="note", kind="unused-classes", what=f"no scene shows {_listed(nowhere)}",
            where="all splits", count=len(nowhere), of=len(classes),
            advice="Leave them out of the class table, or see whether their ids are right.",
        )  # fmt: skip
    for (domain, split), labels in seen.items():
        trained = seen.get((domain, "train"))
        if split != "train" and trained is not None and (lacking := sorted(labels - trained)):
            names = [classes.names[label] for label in lacking]
            yield Oddity(
                severity="warning", kind="never-in-train", count=len(names), of=len(classes),
                what=f"no {_listed(names)}, which {domain}/{split} has",
                where=f"{domain}/train", advice="No budget buys them: move scenes with them into train.",
            )  # fmt: skip


def _shifts(tallies: Sequence[SceneCounts], classes: ClassTable) -> Iterator[Oddity]:
    for left, right in combinations([t for t in tallies if len(t.rows) >= _FEWEST], 2):
        apart = left.domain != right.domain
        if apart and not left.split == right.split == "train":
            continue  # a source is trained on beside the target's training images
        rows = [np.stack(t.rows)[:, :-1] for t in (left, right)]
        if not all(r.sum() for r in rows):
            continue
        found, most = shift(*rows), BETWEEN_DOMAINS if apart else BETWEEN_SPLITS
        if found.distance > max(most, found.chance):
            shares = [r.sum(0) / r.sum() for r in rows]
            names = ", ".join(f"{classes.names[k]} {shares[0][k]:.0%} / {shares[1][k]:.0%}" for k in found.classes)
            yield Oddity(
                severity="note" if apart else "warning", kind="label-shift", count=sum(len(r) for r in rows),
                of=left.scenes + right.scenes, where=f"{left.name}, {right.name}",
                what=f"class shares {found.distance:.2f} apart in total variation (over {most:g}; chance gives up to "
                f"{found.chance:.2f}): {names}",
                advice="Expect methods that adapt to gain, and class-wise thresholds to be off."
                if apart
                else "Divide anew at random by places or drives, or read the validation score with care.",
            )  # fmt: skip


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
