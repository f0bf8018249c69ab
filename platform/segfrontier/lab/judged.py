"""What a method may return in place of a model: a model that is judged for more than its semantic map."""

from __future__ import annotations

from dataclasses import dataclass, replace

from segfrontier.errors import BadInput
from segfrontier.lab.handles import Model
from segfrontier.lab.lab import Lab
from segfrontier.lab.passes.rules import Rule
from segfrontier.lab.passes.scores import Scores
from segfrontier.lab.passes.tasks import Task


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A model, the rule by which it answers, and the tasks that its answers are judged for, such as PQ.

    The semantic map is judged as that of every other model, so the headline is the same measure everywhere.
    """

    model: Model
    rule: Rule
    tasks: tuple[Task, ...]


def judge(lab: Lab, made: Model | Judged) -> tuple[Model, Scores]:
    """The model that a method returned, and all of its scores by name; the pictures are of what it is judged for."""
    if not isinstance(made, Judged):
        return made, lab.score(made)
    semantic = lab.score(made.model)
    more = lab.score(made.model, rule=made.rule, tasks=made.tasks)
    if twice := sorted(semantic.values.keys() & more.values.keys()):
        raise BadInput(
            f"every model is judged for its semantic map; found {', '.join(twice)} once more. Leave those tasks out."
        )
    return made.model, replace(semantic, values={**semantic.values, **more.values}, folder=more.folder)
