"""Labels that exist: boxes and tags that were made and paid for elsewhere, as the world holds them.

They come as they are, without the noise of annotators, and their acts stand in the ledger under kinds of their own, so
that a bill tells them apart. A box that exists is never drawn again; a tag that exists is of the whole image, so that
crops are asked about as ever where there is truth to answer from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segfrontier.market.acts import EXISTING, Acts
from segfrontier.market.annotator import Annotator
from segfrontier.market.requests import Boxes, Request, Tags
from segfrontier.scenes.labels import LabelRow

if TYPE_CHECKING:
    from segfrontier.scenes.world import Truth


def existing(request: Request, truth: Truth, scene: str) -> NDArray[np.int32] | None:
    """The rows that answer a request for a scene, where they exist already."""
    if request.kind not in truth.stated:
        return None
    if isinstance(request, Boxes) or (isinstance(request, Tags) and request.tiling.is_whole):
        return truth.existing(scene, request.kind)
    return None


def act_of(request: Request, truth: Truth, scene: str) -> str:
    """The kind of act that a scene's answer is billed as."""
    return request.kind if existing(request, truth, scene) is None else EXISTING[request.kind]


class Existing:
    """Hands out what exists, and lets an annotator answer for the other scenes."""

    known = False

    def __init__(self, request: Request, truth: Truth, other: Annotator) -> None:
        self._request, self._truth, self._other = request, truth, other

    def acts(self, scene: str, /) -> Acts:
        """One act for the boxes of a scene, and one for its tags of uncountable and of countable classes each."""
        rows = existing(self._request, self._truth, scene)
        if rows is None:
            return self._other.acts(scene)
        if isinstance(self._request, Boxes):
            return Acts.of([0], [int((rows[:, 5] == 0).sum())], [1])
        classes = self._truth.classes
        halves = [classes.stuff, classes.things] if self._asks_things else [classes.stuff]
        units = [int(np.isin(rows[:, 1], half).sum()) for half in halves]
        return Acts.of(np.arange(len(halves)), units, [len(half) for half in halves])

    def row(self, scene: str, /) -> LabelRow:
        """What the file says of a scene, as far as it was asked for."""
        rows = existing(self._request, self._truth, scene)
        if rows is None:
            return self._other.row(scene)
        if not isinstance(self._request, Boxes) and not self._asks_things:
            rows = rows[np.isin(rows[:, 1], self._truth.classes.stuff)]
        height, width = self._truth.size(scene)
        return LabelRow(scene=scene, height=height, width=width, values=rows)

    @property
    def _asks_things(self) -> bool:
        return isinstance(self._request, Tags) and self._request.things
