"""The confusion matrix of label maps, from which every semantic score is read.

Letters: C class; rows are truth, columns prediction. Void truth never counts. A void prediction on a labelled pixel is
a miss of the truth's class: it is no class's false positive but enlarges the union of the class it should have named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import class_indices
from segfrontier.maths.labels import BYTE_VOID, Labels, as_bytes, joint_table, require_known
from segfrontier.maths.tally import Summed, Tally


@dataclass(frozen=True, kw_only=True, eq=False)
class Confusion(Tally):
    """Pixels by (truth, prediction), and the pixels of each true class that the prediction left void."""

    counts_CC: Summed
    missed_C: Summed

    @classmethod
    def zero(cls, *, num_classes: int) -> Self:
        """Nothing counted yet."""
        return cls(counts_CC=np.zeros((num_classes, num_classes), np.int64), missed_C=np.zeros(num_classes, np.int64))

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.missed_C)

    @property
    def truth_C(self) -> NDArray[np.int64]:
        """Pixels of each class in the truth."""
        return self.counts_CC.sum(axis=1) + self.missed_C

    @property
    def prediction_C(self) -> NDArray[np.int64]:
        """Pixels of each class in the prediction, on labelled pixels."""
        return self.counts_CC.sum(axis=0)


def confusion_counts(truth: Labels, prediction: Labels, *, num_classes: int, void: int = 255) -> Confusion:
    """Count two label maps of one shape, whatever the shape; the fast path is uint8 with void 255.

    A value that is neither a class nor void is an error, except in predictions where the truth is void.
    """
    table = joint_table(as_bytes(truth, void=void), as_bytes(prediction, void=void))
    require_known(table.sum(axis=1), what="truth", num_classes=num_classes)
    require_known(table[:num_classes].sum(axis=0), what="prediction", num_classes=num_classes)
    return Confusion(counts_CC=table[:num_classes, :num_classes].copy(), missed_C=table[:num_classes, BYTE_VOID].copy())


def restrict(confusion: Confusion, *, classes: Sequence[int]) -> Confusion:
    """The same predictions judged on a subset of classes, in the order given.

    Truth of other classes becomes void, and predictions of other classes become misses: SYNTHIA's 16 classes are the
    19 so restricted.
    """
    kept = np.array(class_indices("classes", classes, confusion.num_classes), np.int64)
    others = np.setdiff1d(np.arange(confusion.num_classes), kept)
    missed_C = confusion.missed_C[kept] + confusion.counts_CC[np.ix_(kept, others)].sum(axis=1)
    return Confusion(counts_CC=confusion.counts_CC[np.ix_(kept, kept)], missed_C=missed_C)
