"""Model-based sampling (paper 000, section 3.3): which images to label, so that classes are seen in about as many each.

All of a comparison may choose like this: the paper's own method, and the yardsticks of its Fig. 3.

Letters: N image, K class, P pattern of classes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from segfrontier.lab import Gauge, Known, Lab, Model, Part, Predictors

Kind = Literal["fine", "coarse"]


@dataclass(frozen=True, kw_only=True)
class PredictedContent(Gauge):
    """Each class's share of an image's pixels, as the model sees it."""

    def shapes(self, classes: int) -> Mapping[str, tuple[int, ...]]:
        """One number a class."""
        return {"share": (classes,)}

    def measure(
        self,
        models: Predictors,
        image: NDArray[np.uint8],
        known: Known,  # noqa: ARG002
    ) -> Mapping[str, NDArray[np.float32]]:
        """See `Gauge.measure`."""
        labels = models.look(image).scores_NKHW.argmax(1).flatten().cpu().numpy()
        return {"share": (np.bincount(labels, minlength=len(models.classes)) / labels.size).astype(np.float32)}


def random_order(lab: Lab, kind: Kind) -> list[str]:
    """All scenes of which such masks can be bought, in the order that the seed decides."""
    sold = set(lab.sold(kind))
    return [scene for scene in lab.shuffled() if scene in sold]


def sampled_order(
    lab: Lab, kind: Kind, train: Callable[[Part], Model], *, first: int, present_above: float
) -> tuple[list[str], Model | None]:
    """An order to buy masks of a kind in with all of the budget, and the model that made it.

    It buys the masks of `first` random images, which the model learns from. Where the budget pays for no more than
    these, or for all there are, there is nothing to choose: the random order, and no model.
    """
    order, price = random_order(lab, kind), lab.price(kind)
    if not price * first + price <= lab.budget < price * len(order):
        return order, None
    labels = lab.buy_masks(kind, spend=lab.budget, scenes=order[:first])
    model = train(Part(images=lab.pool, labels=labels))
    wanted = int(lab.budget / price) + 1  # the last one is not paid for any more
    return order_by_content(lab, model, order, first=first, present_above=present_above, wanted=wanted), model


def order_by_content(
    lab: Lab, model: Model, order: list[str], *, first: int, present_above: float, wanted: int | None = None
) -> list[str]:
    """The first images of an order, then the others as `near_equal_order` wants them, by what the model sees in them.

    Only so many are put in order as are `wanted`: of a million images few can be paid for. No budget enters otherwise,
    so the sets that growing budgets buy are nested. Images that cannot be read come last.
    """
    measures = lab.measure(model, Part(images=lab.pool), PredictedContent())
    row = {scene: i for i, scene in enumerate(measures.scenes())}
    seen = [scene for scene in order if scene in row]
    present_NK = measures.column("share")[[row[scene] for scene in seen]] > present_above
    begun = set(order[:first])
    start = [i for i, scene in enumerate(seen) if scene in begun]
    chosen = [seen[i] for i in islice(near_equal_order(present_NK, start), wanted)]
    if wanted is not None and len(chosen) == wanted:
        return [*order[:first], *chosen]
    return [*order[:first], *chosen, *(scene for scene in order[first:] if scene not in row)]


def near_equal_order(present_NK: NDArray[np.bool_], start: Sequence[int]) -> Iterator[int]:
    """All images but those of `start`, one after another: always one that shows the class seen in the fewest so far.

    Of the images that show it, the one whose classes, taken together, are furthest behind the average class; of equals
    the first. Images that show the same classes stand in one queue: there are far fewer such patterns than images.
    """
    packed_NB = np.packbits(present_NK, axis=1)  # bytes sort as the rows of bits do, and fourteen times as fast
    _, first_P, pattern_N = np.unique(
        packed_NB.view(f"V{packed_NB.shape[1]}").ravel(), return_index=True, return_inverse=True
    )
    pattern_PK = present_NK[first_P]
    started = set(start)
    queues = [deque[int]() for _ in pattern_PK]
    for image, pattern in enumerate(pattern_N.ravel().tolist()):
        if image not in started:
            queues[pattern].append(image)
    next_P = np.array([queue[0] if queue else len(present_NK) for queue in queues])
    left_P, shown_PK = (
        next_P < len(present_NK),
        pattern_PK.astype(np.float64),
    )  # whole numbers, which floats multiply fast
    seen_K, waiting_K = present_NK[list(start)].sum(axis=0), pattern_PK[left_P].sum(axis=0)
    while left_P.any():
        candidates_P = left_P
        if waiting_K.any():
            rarest = int(np.argmin(np.where(waiting_K > 0, seen_K, np.iinfo(np.int64).max)))
            candidates_P = left_P & pattern_PK[:, rarest]
        lag_P = np.where(candidates_P, shown_PK @ (seen_K.sum() - len(seen_K) * seen_K), -np.inf)
        furthest = np.flatnonzero(lag_P == lag_P.max())
        chosen = int(furthest[np.argmin(next_P[furthest])])
        yield queues[chosen].popleft()
        if queues[chosen]:
            next_P[chosen] = queues[chosen][0]
        else:
            left_P[chosen], waiting_K = False, waiting_K - pattern_PK[chosen]
        seen_K = seen_K + pattern_PK[chosen]
