"""The heuristics of Table 5: silence classes that a map shows too little of.

The paper searches the best thresholds on its validation set. Here they are chosen on the masks that were bought, which
the segmenter has learned from: its maps of them are cleaner than others, so the thresholds come out rather low.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from segfrontier.lab import Gauge, Known, Lab, Model, Part, Predictors, known_map
from segfrontier.maths import (
    AllMasked,
    Confusion,
    confusion_counts,
    iou_per_class,
    large_classes,
    mask_classes,
    mean_iou,
)


@dataclass(frozen=True, kw_only=True)
class Silenced(Gauge):
    """The confusion of a segmenter's map of an image with its mask, for each threshold; the first is without any."""

    thresholds: tuple[float, ...]
    num_classes: int
    all_masked: AllMasked

    def shapes(self, classes: int) -> Mapping[str, tuple[int, ...]]:
        """See `Gauge.shapes`."""
        return {"confusion": (1 + len(self.thresholds), classes, classes)}

    def measure(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> Mapping[str, NDArray[np.float32]]:
        """See `Gauge.measure`."""
        logits, truth, found = models.look(image).scores_NKHW.cpu(), known_map(known), []
        assert truth is not None, "the part holds the masks that were bought"
        for least in (0.0, *self.thresholds):
            least_K = torch.full((self.num_classes,), least, dtype=torch.float64)
            kept = large_classes(logits.argmax(1), least_K, all_masked=self.all_masked)
            labels = mask_classes(logits, kept).argmax(1)[0].to(torch.uint8).numpy()
            found.append(confusion_counts(truth, labels, num_classes=self.num_classes).counts_CC)
        return {"confusion": np.stack(found).astype(np.float32)}


def chosen(
    lab: Lab, model: Model, masked: Part, *, thresholds: tuple[float, ...], each: bool, all_masked: AllMasked
) -> tuple[float, ...]:
    """The least share of each class: the one under which the mean IoU is best, or, of `each`, that class's own IoU.

    0, which silences nothing, is among the candidates; of equals, the lowest.
    """
    gauge = Silenced(thresholds=thresholds, num_classes=len(lab.classes), all_masked=all_masked)
    totals = np.asarray(lab.measure(model, masked, gauge).column("confusion"), np.float64).sum(0)
    none = np.zeros(len(lab.classes), np.int64)  # no map leaves a pixel void
    sums = [Confusion(counts_CC=np.rint(total).astype(np.int64), missed_C=none) for total in totals]
    candidates = (0.0, *thresholds)
    if not each:
        best = int(np.argmax([mean_iou(one, absent="present") for one in sums]))
        return (candidates[best],) * len(lab.classes)
    iou_TK = np.stack([np.nan_to_num(iou_per_class(one), nan=0.0) for one in sums])
    return tuple(candidates[int(t)] for t in iou_TK.argmax(0))
