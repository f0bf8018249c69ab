"""How good labels are that a model made: against truth that no method sees, for the record alone.

It is a stage of its own, apart from the labels: what a method is given does not lead to it.
"""

from __future__ import annotations

from segfrontier.lab.passes.inference import spread
from segfrontier.lab.passes.tasks import ABSENT
from segfrontier.lab.places import Places
from segfrontier.maths import Confusion, confusion_counts, semantic_scores
from segfrontier.scenes.classes import VOID
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Pool

QUALITY = "quality.json"
SCENES = 200
"""At most so many scenes with truth, evenly spread, are looked at."""


def quality_of(labels: LabelSet, images: Pool, places: Places) -> dict[str, float]:
    """Share of pixels that have a label, and how right those are: where truth is, and fine truth, and only there.

    `scenes_judged` says in how many scenes, where some of them have no fine truth. Empty for other images.
    """
    if images.digest != places.world.pool(split="train").digest:
        return {}
    truth, classes = places.truth("train"), len(places.classes)
    total, labelled, pixels, judged = Confusion.zero(num_classes=classes), 0, 0, 0
    scenes = [scene for scene in labels.scenes() if truth.has(scene, "coarse")]
    looked_at = spread(scenes, SCENES)
    for scene in looked_at:
        made = labels.map(scene)
        labelled += int((made != VOID).sum())
        pixels += made.size
        if not truth.is_fine(scene):  # nobody can say how right it is
            continue
        judged += 1
        known = truth.semantic(scene).copy()
        known[made == VOID] = VOID
        total = total + confusion_counts(known, made, num_classes=classes)
    found = {} if judged == len(looked_at) and len(scenes) == len(labels) else {"scenes_judged": float(judged)}
    if scenes or not len(labels):
        found["coverage"] = labelled / pixels if pixels else 0.0
    if not total.truth_C.any():
        return found
    scores = semantic_scores(total, absent=ABSENT)
    return found | {k: scores[k] for k in ("pixel_accuracy", f"miou_{ABSENT}")}
