"""What a lab's verbs take: exact types in place of look-alikes, bounded numbers, no look at truth that is for sale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segfrontier.errors import BadInput
from segfrontier.lab.handles import Model
from segfrontier.lab.looking import Looking
from segfrontier.lab.measures import Measures
from segfrontier.lab.passes.tasks import Task
from segfrontier.lab.places import FOR_SALE
from segfrontier.lab.streams import Part, Stream
from segfrontier.market.plain import plain_text, plain_whole
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Pool

MOST_PICTURES = 16
"""Scenes whose truth a score may show beside the prediction."""
_LONGEST_NAME = 200


def require_evaluation(split: object, pictures: object) -> tuple[str, int]:
    """The split and the number of pictures as plain values, where a score may have them."""
    if not issubclass(type(split), str) or (name := plain_text(split)) == FOR_SALE:  # type: ignore[arg-type]
        raise BadInput(
            f"a model is scored on a split for evaluation, such as val; {FOR_SALE!r} holds the scenes whose labels are "
            f"for sale, found {split!r}. Buy labels there and compare with those."
        )
    try:
        count = plain_whole(pictures)
    except TypeError:
        count = -1
    if not 0 <= count <= MOST_PICTURES:
        raise BadInput(f"a score shows pictures of 0 to {MOST_PICTURES} scenes; found {pictures!r}. Ask for fewer.")
    return name, count


def require_kinds(**given: tuple[object, type]) -> None:
    """BadInput unless each object is of its very type: a subclass could say one thing here and another later."""
    for name, (thing, kind) in given.items():
        if type(thing) is not kind:
            raise BadInput(
                f"{name} must be a {kind.__name__} of segfrontier.lab itself; found a {type(thing).__name__}. Pass "
                f"what the lab handed out, or build a {kind.__name__}."
            )


Models = Model | Mapping[str, Model] | None
"""Who takes part in a pass: a model, several by name, or none."""


def require_models(models: object) -> dict[str, Model]:
    """The models of a pass by name; one alone is called `model`."""
    given: dict[str, Any] = dict(models) if type(models) is dict else {} if models is None else {"model": models}
    for name, model in given.items():
        require_name(name, what="a model")
        require_kinds(model=(model, Model))
        require_kinds(looking=(model.looking, Looking))
    return given


def require_tasks(tasks: Sequence[Task]) -> None:
    """BadInput unless there are tasks, and no two of one name: their sums could not be told apart."""
    names = [task.name for task in tasks]
    if not names or len(set(names)) < len(names):
        raise BadInput(f"a score has one or more tasks of different names; found {names}. Score the others apart.")


def require_part(part: Part, pool: Pool) -> None:
    """BadInput unless a part is made of the lab's own types: stages get their keys from what these say they are."""
    require_kinds(part=(part, Part))
    if type(part.images) not in (Pool, type(pool)):
        require_kinds(images=(part.images, Pool))
    if part.measures is not None:
        require_kinds(measures=(part.measures, Measures))
    if part.labels is None:
        return
    if type(part.labels) is not dict:
        require_kinds(labels=(part.labels, LabelSet))
    elif not part.labels:
        raise BadInput(
            "a part's label sets need one by name at least; found none. Leave `labels` out for images alone."
        )
    for name, labels in part.sets().items():
        require_name(name or "labels", what="a label set")
        require_kinds(labels=(labels, LabelSet))


def require_stream(stream: Stream, pool: Pool) -> None:
    """BadInput unless a stream and its parts are of the lab's own types."""
    require_kinds(stream=(stream, Stream))
    for part in stream.parts:
        require_part(part, pool)


def require_name(name: object, *, what: str = "a note") -> str:
    """The plain name of a number that a method tells, or of one of several things that it passes."""
    if not issubclass(type(name), str):
        raise BadInput(f"{what} has a name in text; found a {type(name).__name__}. Give it one.")
    text = plain_text(name)  # type: ignore[arg-type]
    if not (1 <= len(text) <= _LONGEST_NAME and text.isprintable()):
        raise BadInput(
            f"{what}'s name must be 1 to {_LONGEST_NAME} printable characters; found {text[:80]!r}. Choose another."
        )
    return text
