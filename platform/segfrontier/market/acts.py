"""Acts: the things an annotator is paid for, and how each is counted.

`units` counts answers (images drawn, points clicked, instances boxed, classes named in a crop) and `asked` counts
questions (classes asked about in a crop). Which of the two is paid for is the price list's decision (`per`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counter = Literal["units", "asked"]

KINDS: Mapping[str, Mapping[str, Counter]] = {
    "fine": {"image": "units"},
    "coarse": {"image": "units"},
    "point": {"point": "units"},
    "box": {"instance": "units"},
    "tag": {"present class and crop": "units", "class and crop": "asked"},
    "existing_box": {"instance": "units"},
    "existing_tag": {"present class": "units"},
}
"""Kind of act -> what it may be priced per -> the counter that such a price multiplies."""
EXISTING: Mapping[str, str] = {"box": "existing_box", "tag": "existing_tag"}
"""What is asked for -> the act that stands in the ledger where the label exists already: it was paid for elsewhere."""
FOR_SALE = {kind: per for kind, per in KINDS.items() if kind not in EXISTING.values()}
"""What can be asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Acts:
    """The acts that answering one scene takes. `items` tells apart the acts of one kind within the scene."""

    items: NDArray[np.int64]
    units: NDArray[np.int64]
    asked: NDArray[np.int64]

    @classmethod
    def of(cls, items: ArrayLike, units: ArrayLike, asked: ArrayLike) -> Acts:
        """Acts from three equally long columns."""
        columns = [np.asarray(c, np.int64).reshape(-1) for c in (items, units, asked)]
        assert len({len(c) for c in columns}) == 1, "an act has one item, one count of units and one of questions"
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.items)

    def total(self) -> tuple[int, int]:
        """All units, and all questions."""
        if len(self) == 1:  # a mask's: NumPy takes twenty times as long to sum them
            return self.units.item(), self.asked.item()
        return int(self.units.sum()), int(self.asked.sum())

    def without(self, items: NDArray[np.int64] | None) -> Acts:
        """The acts whose item is not among `items`."""
        if items is None:
            return self
        new = self.items != items[0] if len(items) == 1 else ~np.isin(self.items, items)  # masks have a single one
        return Acts(self.items[new], self.units[new], self.asked[new])
