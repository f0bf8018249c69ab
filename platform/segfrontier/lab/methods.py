"""Finding methods: the entry-point group `segfrontier.methods`, so that anyone's package can add one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from pydantic import ValidationError

from segfrontier.basics.installed import entries, installed
from segfrontier.basics.settings import adapter
from segfrontier.basics.wording import explain
from segfrontier.errors import BadInput
from segfrontier.lab.handles import Model
from segfrontier.lab.judged import Judged
from segfrontier.lab.lab import Lab
from segfrontier.lab.recipe import Recipe


@runtime_checkable
class Method(Protocol):
    """One published recipe for spending a labelling budget: a frozen dataclass whose fields are its knobs."""

    def run(self, lab: Lab, recipe: Recipe) -> Model | Judged:
        """Buy labels, train, label, train again ...; return the model to be scored, and what else it is judged for."""
        ...


def packages() -> frozenset[str]:
    """The packages whose code a stored model may be built from: ours, and those that bring methods."""
    return frozenset(place.partition(".")[0].partition(":")[0] for place in installed().values()) | {"segfrontier"}


def method_class(name: str) -> type[Any]:
    """The class behind a method's name."""
    found = [e for e in entries() if e.name == name]
    if not found:
        known = installed()
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "install the package that brings it"
        raise BadInput(f"no method {name!r} is installed; there are: {', '.join(known) or 'none'}; {hint}")
    cls: type[Any] = found[0].load()
    if not (dataclasses.is_dataclass(cls) and callable(getattr(cls, "run", None))):
        raise BadInput(f"method {name!r} ({found[0].value}) must be a dataclass with run(lab, recipe); it is not")
    return cls


def demo_methods() -> list[dict[str, Any]]:
    """What the demo runs: every installed method, with the knobs that its class declares as `demo: ClassVar`.

    They show the method within seconds. One that declares None stays out: it is the rival of another that is shown, or
    has nothing to show in so few steps.
    """
    declared = {name: getattr(method_class(name), "demo", {}) for name in installed()}
    return [{"name": name, "knobs": dict(knobs)} for name, knobs in declared.items() if knobs is not None]


def make_method(name: str, knobs: Mapping[str, Any] | None = None) -> Method:
    """A method with its knobs; a wrong knob names the nearest right one."""
    cls, knobs = method_class(name), dict(knobs or {})
    known = {f.name for f in dataclasses.fields(cls)}
    for knob in knobs.keys() - known:
        near = get_close_matches(knob, known, n=1, cutoff=0.0)
        hint = f"did you mean {near[0]!r}?" if near else "it has none"
        raise BadInput(f"method {name!r} has the knobs {', '.join(sorted(known)) or '(none)'}; found {knob!r}: {hint}")
    try:
        method: Method = adapter(cls).validate_python(knobs)
    except ValidationError as error:
        raise BadInput(explain(error, cls, where=f"method {name!r}")) from None
    return method
