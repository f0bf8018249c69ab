"""Measuring as a pass: a gauge makes numbers of one scene."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from segfrontier.lab.passes.base import Pass, Picture
from segfrontier.lab.passes.gauges import Gauge, GaugeRow, packed_numbers, write_measures
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.streams import Part
from segfrontier.scenes.world import Pool


@dataclass(frozen=True, kw_only=True)
class MeasurePass(Pass[GaugeRow]):
    """Rows are the numbers as bytes."""

    done: ClassVar[str] = "measured"

    part: Part
    gauge: Gauge

    @property
    def images(self) -> Pool:
        """See `Pass.images`."""
        return self.part.images

    @property
    def task(self) -> object:
        """See `Pass.task`."""
        return self.gauge

    def names(self) -> Sequence[str]:
        """See `Pass.names`."""
        return self.part.names()

    def light(self) -> Self:
        """See `Pass.light`."""
        return replace(self, part=replace(self.part, scenes=()))

    def look(self, models: Predictors, scene: str, image: Picture) -> GaugeRow:
        """See `Pass.look`."""
        values = self.gauge.at(self.part, scene).measure(models, image, self.part.known(scene))
        return GaugeRow(scene, packed_numbers(values, self.gauge.shapes(len(self.classes))))

    def write(self, out: Path, rows: Iterator[GaugeRow], faults: Sequence[str]) -> None:
        """See `Pass.write`."""
        write_measures(out, shapes=self.gauge.shapes(len(self.classes)), rows=rows, faults=faults)
