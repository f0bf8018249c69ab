"""Whom a market asks, and who writes down what they say. A plan brings answers of its own, which are remembered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segfrontier.market.annotator import Annotator
from segfrontier.market.annotators import annotator_for
from segfrontier.market.noise import Noise
from segfrontier.market.requests import Request
from segfrontier.scenes.labels import LabelSet, write_labels

if TYPE_CHECKING:
    from segfrontier.scenes.world import Truth


@dataclass(frozen=True)
class Answers:
    """The annotators of one truth, who make mistakes as `noise` says, drawn by `seed`."""

    truth: Truth
    noise: Noise
    seed: int

    @property
    def about(self) -> str:
        """Which truth is asked about, for the ledger."""
        return f"{self.truth.world} {self.truth.domain}/{self.truth.split} {self.truth.digest}"

    @property
    def annotators(self) -> str:
        """Who answers, for the ledger."""
        return json.dumps({**asdict(self.noise), "seed": self.seed})

    def annotator(self, request: Request) -> Annotator:
        """The annotator that answers a request; raises on scenes and pixels that the truth does not have."""
        return annotator_for(request, self.truth, noise=self.noise, seed=self.seed)

    def write(self, request: Request, annotator: Annotator, scenes: Sequence[str], folder: Path) -> LabelSet:
        """The labels of some scenes, in a folder that is gone when nobody pays; what lies elsewhere stays there."""
        rows = (annotator.row(scene) for scene in scenes)
        return write_labels(folder, kind=request.labels, classes=self.truth.classes, rows=rows)
