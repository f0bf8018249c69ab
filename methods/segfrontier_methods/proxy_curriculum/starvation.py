"""The alarm of self-training: a class that its own labels no longer show, which nothing will teach again.

A step logs for every class whether its batch's proxy labels lack it. The mean of that over a line of the log is 1 where
no batch showed the class; the class has vanished where an earlier line was below 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

_NAME = "warning/{} has vanished from the proxy labels"


def alarms(classes: Sequence[str], counts_K: Tensor) -> dict[str, Tensor]:
    """What a step logs: 1 for a class of which its proxy labels show no pixel, else 0."""
    return {_NAME.format(name): count for name, count in zip(classes, (counts_K == 0).float(), strict=True)}


def vanished(classes: Sequence[str], history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The alarms that ring at the end of a training, with the step by which each began to.

    A class that was never shown has not vanished, and one that came back is there.
    """
    found = {}
    for name in (_NAME.format(each) for each in classes):
        lines = [(line["step"], line[name]) for line in history if name in line]
        shown = [i for i, (_, lacking) in enumerate(lines) if lacking < 1]
        if shown and shown[-1] < len(lines) - 1:
            found[name] = lines[shown[-1] + 1][0]
    return found
