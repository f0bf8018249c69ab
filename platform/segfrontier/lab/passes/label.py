"""Labelling as a pass: a rule makes labels for one scene."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from segfrontier.lab.passes.base import Pass, Picture
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.passes.rules import Rule
from segfrontier.lab.streams import Part
from segfrontier.scenes.labels import StoredRow, stored_row, write_labels
from segfrontier.scenes.world import Pool

ABOUT = "labels.json"


@dataclass(frozen=True, kw_only=True)
class LabelPass(Pass[StoredRow]):
    """Rows are packed where they are made."""

    done: ClassVar[str] = "labelled"

    part: Part
    rule: Rule

    @property
    def images(self) -> Pool:
        """See `Pass.images`."""
        return self.part.images

    @property
    def task(self) -> object:
        """See `Pass.task`."""
        return self.rule

    def names(self) -> Sequence[str]:
        """See `Pass.names`."""
        return self.part.names()

    def light(self) -> Self:
        """See `Pass.light`."""
        return replace(self, part=replace(self.part, scenes=()))

    def look(self, models: Predictors, scene: str, image: Picture) -> StoredRow:
        """See `Pass.look`."""
        made = self.rule.at(self.part, scene).label(models, image, self.part.known(scene))
        if made.size != image.shape[:2]:
            raise ValueError(f"labels must be of the image's size {image.shape[:2]}; the rule made {made.size}")
        return stored_row(scene, made, self.classes)

    def write(self, out: Path, rows: Iterator[StoredRow], faults: Sequence[str]) -> None:
        """See `Pass.write`."""
        made = write_labels(out, kind="pseudo", classes=self.classes, rows=rows)
        plain = {"path": Path(made.path).name, "kind": made.kind, "digest": made.digest, "count": made.count}
        (out / ABOUT).write_text(json.dumps(plain | {"faults": list(faults)}))
