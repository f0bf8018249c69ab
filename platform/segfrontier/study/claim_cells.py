"""The cells of claims, and their keys: what takes the methods themselves, and the libraries that train."""

from __future__ import annotations

from typing import Any

from segfrontier.errors import BadStudy
from segfrontier.lab.methods import method_class
from segfrontier.study.cells import Cell, expand
from segfrontier.study.claims import Claim, Claims, Side
from segfrontier.study.config import Executor, Study, budget_of
from segfrontier.study.judging import KeysOf
from segfrontier.study.keys import Atlas, keyed


def study_of(claims: Claims, claim: Claim, side: Side) -> Study:
    """One side of a claim as a study of its own: a cell for each seed."""
    plain: dict[str, Any] = {"name": "claims", **{k: v for k, v in claims.base.items() if k != "budgets"}}
    plain["recipe"] = dict(claims.base.get("recipe", {})) | claim.recipe
    plain["methods"] = [{"name": side.method, "knobs": claims.knobs.get(side.method, {}) | side.knobs}]
    if claim.worlds is not None:
        plain["worlds"] = claim.worlds
    if claim.seeds is not None:
        plain["seeds"] = list(claim.seeds)
    if budget_of(method_class(side.method)) == "any":
        if side.hours is None:
            raise BadStudy(f"claim {claim.id!r}: {side.method!r} spends a budget: give hours; found none")
        plain["budgets"] = [side.hours]
    return Study.of(plain, where=f"claim {claim.id!r}")


def all_cells(claims: Claims) -> tuple[Cell, ...]:
    """The cells of all claims; the same cell may stand in several of them."""
    return tuple(cell for claim, side in claims.sides() for cell in expand(study_of(claims, claim, side)))


def whole(claims: Claims, name: str, executor: Executor) -> Study:
    """The study that stands for all claims: its methods and terms; the cells are those of `all_cells`."""
    base = {k: v for k, v in claims.base.items() if k != "budgets"}
    sides = [side for _, side in claims.sides()]
    budgets: list[Any] = sorted({s.hours for s in sides if isinstance(s.hours, float)})
    methods = [{"name": method} for method in sorted({s.method for s in sides})]
    plain = {**base, "name": name, "methods": methods, "budgets": budgets or ["all"]}
    return Study.of(plain, where=name).model_copy(update={"executor": executor})


def keys_of(claims: Claims, atlas: Atlas) -> KeysOf:
    """What `judging` asks for: the keys of a side's cells, computed."""
    return lambda claim, side: keyed(expand(study_of(claims, claim, side)), atlas)
