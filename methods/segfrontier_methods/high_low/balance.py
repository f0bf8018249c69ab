"""Is the game balanced? Whether the discriminator tells anything apart, and whether selection selects.

A discriminator that trusts every image selects all of them, one that trusts none selects nothing: either way its score
says nothing, and self-training is plain pseudo-labelling or nothing at all.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from segfrontier.lab import Lab, Model

log = logging.getLogger(__name__)


def note_balance(lab: Lab, model: Model, *, selecting: bool) -> None:
    """Note the scores of the second half of a training, and sound the alarm where selection did not select."""
    found = balance(lab.history(model))
    for name, value in found.items():
        lab.note(f"critic/{name}", value)
    if selecting and found and (extreme := extreme_selection(found)):
        lab.note("critic/alarm", 1.0)
        log.warning(
            "the discriminator must tell good maps from bad ones for self-training to mean anything; it trusted %s of "
            "the unlabelled images in the second half of the training. Move gamma, or train it at another rate.",
            extreme,
        )


def balance(history: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over the second half of the log; `doubt` is how near to 0.5 made maps are scored, 0.5 at most."""
    lines = [line for line in history if "score_fake" in line]
    late = lines[len(lines) // 2 :]
    if not late:
        return {}
    found = {name: sum(line[name] for line in late) / len(late) for name in ("score_real", "score_fake", "selected")}
    return found | {"doubt": 0.5 - abs(found["score_fake"] - 0.5)}


def extreme_selection(found: Mapping[str, float]) -> str:
    """`all` or `none` where that is what was selected; nothing where some were."""
    return {0.0: "none", 1.0: "all"}.get(found["selected"], "")
