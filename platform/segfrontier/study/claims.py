"""Claims: a paper's statements as small studies. A method's package holds them in `claims.yaml`.

Every claim compares cells pair by pair, A against B on the same seed. A comparison that attributes an effect names
the controls that could explain it away: the same run without what the claim credits. `claim_cells` has a claim's cells,
`judging` what runs say of it, and docs/claims.md how a `claims.yaml` is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from segfrontier.basics.installed import folder_of, installed, packaged
from segfrontier.basics.reading import parse_yaml
from segfrontier.basics.settings import Strict
from segfrontier.basics.wording import explain, nearest
from segfrontier.errors import BadInput, BadStudy

_EXPECT = re.compile(r"a > b|a >= (0?\.\d+) b|a >= b - (0?\.\d+)")


class Side(Strict):
    """One of the two sides of a comparison: a method with its knobs at a budget."""

    method: str
    hours: float | Literal["all"] | None = None
    knobs: dict[str, Any] = Field(default_factory=dict)

    @property
    def words(self) -> str:
        """ "coarse_to_fine boundary=0.0 at 10 h"."""
        knobs = "".join(f" {k}={v}" for k, v in self.knobs.items())
        at = {None: "", "all": " with all labels"}.get(self.hours, f" at {self.hours} h")  # type: ignore[arg-type]
        return f"{self.method}{knobs}{at}"

    def without(self, knobs: Mapping[str, Any]) -> Side:
        """The same side without these knobs."""
        return self.model_copy(update={"knobs": {k: v for k, v in self.knobs.items() if k not in knobs}})


class Versus(Strict):
    """A against B, and what is expected: `a > b`, or `a >= b - 0.01` where A may be worse by so much, or by a share:
    `a >= 0.85 b`.

    `metric` is a score of the evaluator, or a number that the method noted by the way. A must also be above each of
    the `controls` (`a > control`), whatever margin it has against B.
    """

    a: Side
    b: Side
    controls: tuple[Side, ...] = ()
    expect: str = "a > b"
    metric: str = "miou_present"

    @field_validator("expect")
    @classmethod
    def _is_known(cls, expect: str) -> str:
        if not _EXPECT.fullmatch(expect):
            raise ValueError(
                f"must be 'a > b', 'a >= b - 0.01' or 'a >= 0.85 b' (any margin or share); found {expect!r}"
            )
        return expect

    @property
    def sides(self) -> Iterator[Side]:
        """A, B and the controls."""
        yield from (self.a, self.b, *self.controls)

    @property
    def margin(self) -> float:
        """How much worse A may be."""
        found = _EXPECT.fullmatch(self.expect)
        return float(found[2]) if found and found[2] else 0.0

    @property
    def share(self) -> float:
        """Which share of B's score A must have."""
        found = _EXPECT.fullmatch(self.expect)
        return float(found[1]) if found and found[1] else 1.0


class Claim(Strict):
    """One statement of a paper."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    says: str
    where: str
    paper: dict[str, Any] = Field(default_factory=dict)
    compare: Annotated[tuple[Versus, ...], Field(min_length=1)]
    worlds: str | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    seeds: tuple[int, ...] | None = None


class Claims(Strict):
    """A `claims.yaml`. `base` holds the parts of a study file that its claims share.

    `knobs` has what a method is always set to, by its name; what a side says itself goes before it.
    """

    base: dict[str, Any] = Field(default_factory=dict)
    knobs: dict[str, dict[str, Any]] = Field(default_factory=dict)
    claims: tuple[Claim, ...]

    @field_validator("claims")
    @classmethod
    def _are_distinct(cls, claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
        names = [claim.id for claim in claims]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"every claim needs an id of its own; found twice: {', '.join(twice)}")
        return claims

    @model_validator(mode="after")
    def _have_whom_knobs_are_for(self) -> Self:
        """A name that no side has would be a knob that is set nowhere."""
        methods = sorted({side.method for _, side in self.sides()})
        for name in self.knobs:
            if name not in methods:
                raise ValueError(f"knobs are for the methods of sides, {', '.join(methods)}; found {name!r}")
        return self

    def sides(self) -> Iterator[tuple[Claim, Side]]:
        """Every side of every comparison, controls included, with its claim."""
        return ((claim, side) for claim in self.claims for pair in claim.compare for side in pair.sides)


def claims_of(method: str) -> Claims | None:
    """What a method's package claims; None where it claims nothing."""
    text = packaged(method, "claims.yaml")
    return None if text is None else parse_claims(text, where=f"claims.yaml of {method}")


def parse_claims(text: str, *, where: str) -> Claims:
    """Claims from the text of their file."""
    try:
        return Claims.model_validate(parse_yaml(text, where=where, what="claims", error=BadStudy))
    except ValidationError as error:
        raise BadStudy(explain(error, Claims, where=where)) from None


def bringing(file: str, method: str | None = None) -> list[str]:
    """Methods whose package brings a file, one name a package; or the one that is asked for."""
    names = list(installed())
    if method is not None:
        if method not in names:
            raise BadInput(f"a method must be one of {', '.join(names)}; found {method!r} ({nearest(method, names)})")
        names = [method]
    found = {folder_of(name): name for name in reversed(names) if packaged(name, file) is not None}
    if not found:
        raise BadInput(f"this needs a method whose package has {file}; found none in {', '.join(names)}")
    return list(reversed(found.values()))


def known(claims: Claims, wanted: Sequence[str]) -> Claims:
    """Those claims that are asked for by id; all where none is named."""
    ids = [claim.id for claim in claims.claims]
    for name in wanted:
        if name not in ids:
            raise BadInput(f"a claim must be one of {', '.join(ids)}; found {name!r} ({nearest(name, ids)})")
    chosen = tuple(c for c in claims.claims if not wanted or c.id in wanted)
    return claims.model_copy(update={"claims": chosen})
