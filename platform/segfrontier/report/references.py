"""Reference points: numbers that papers print, drawn as stars beside a study's own points and never joined to them.

A file lists them under `references`, each with what it is, where it stands, what it cost and what it scored:
`{name: fully supervised, paper: "Chen et al. 2018", where: Table 4, hours: 4462.5, score: 0.788, world: cityscapes}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from segfrontier.basics import bounds
from segfrontier.basics.reading import load_yaml
from segfrontier.basics.settings import Strict
from segfrontier.basics.wording import explain, shown
from segfrontier.errors import BadStudy
from segfrontier.home.records import HEADLINE
from segfrontier.report.frontier import Facet, Point

_Text = Annotated[str, Field(min_length=1, max_length=bounds.TEXT)]
_Cost = Annotated[FiniteFloat, Field(ge=0, le=3600 * bounds.HOURS)]


class Reference(Strict):
    """One printed number. `world` and `facet` are words that a panel must contain for the star to be drawn in it."""

    name: _Text
    paper: _Text
    where: _Text
    score: Annotated[FiniteFloat, Field(ge=0, le=1)]
    hours: _Cost | None = None
    seconds: _Cost | None = None
    world: str = ""
    facet: str = ""
    metric: _Text = HEADLINE  # that the score is in: a star is drawn among points of the same alone

    @model_validator(mode="after")
    def _has_one_cost(self) -> Self:
        if (self.hours is None) == (self.seconds is None):
            found = "neither" if self.hours is None else "both"
            raise ValueError(f"must give either hours or seconds; found {found}")
        return self

    @property
    def cost(self) -> float:
        """Annotation seconds."""
        return self.seconds if self.seconds is not None else 3600 * (self.hours or 0.0)

    def star(self, facet: Facet) -> Point:
        """The reference as a point of a facet."""
        label = f"{self.paper}, {self.where}"
        return Point(
            method=self.name, label=label, seconds=self.cost, facet=facet, scores={0: self.score}, star=True
        )  # fmt: skip

    def belongs(self, words: str) -> bool:
        """Whether a facet with these words is one it may be shown beside."""
        return self.world.casefold() in words.partition(" ")[0].casefold() and self.facet.casefold() in words.casefold()


def load_references(file: str | Path) -> tuple[Reference, ...]:
    """The references of a YAML file; all its mistakes are told at once."""
    plain = load_yaml(file, what="references", error=BadStudy)
    if not isinstance(plain, Mapping) or list(plain) != ["references"] or not isinstance(plain["references"], list):
        raise BadStudy(f"{file}: references must be a list under the one key 'references'; found {shown(plain)}")
    try:
        return _ADAPTER.validate_python(plain["references"])
    except ValidationError as error:
        raise BadStudy(explain(error, tuple[Reference, ...], where=str(file), at=("references",))) from None


def stars(references: Iterable[Reference], facets: Mapping[Facet, str], *, metric: str = HEADLINE) -> tuple[Point, ...]:
    """Each reference in a metric as a star of every facet that it belongs to. `facets`: facet -> its words."""
    own = [r for r in references if r.metric == metric]
    return tuple(r.star(facet) for r in own for facet, words in facets.items() if r.belongs(words))


_ADAPTER: TypeAdapter[tuple[Reference, ...]] = TypeAdapter(tuple[Reference, ...])
