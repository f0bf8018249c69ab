"""The market: the only door to target truth. A method asks, the ledger is charged, the bought labels come back.

A purchase is atomic. The labels are written first, into a draft; then the charge and the reference to them are
committed in one transaction; then they are published under their name and handed out. Killed before the commit, nothing
was bought, and the draft is swept at the next start; killed after it, the same request delivers the same labels at no
charge. What was not paid for never has a name.

A market keeps account of what it delivered itself. A run that was killed and started again asks the same questions in
the same order; counted by its own account, `at_most` and what is left mean the same as the first time, whatever the
ledger holds of the run before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from segfrontier.basics.atomic import draft_folder, sweep
from segfrontier.basics.disk import room_at
from segfrontier.basics.wording import nearest
from segfrontier.errors import BadInput, BudgetExceeded, LedgerError
from segfrontier.market.acts import FOR_SALE, Acts
from segfrontier.market.annotator import Annotator
from segfrontier.market.answers import Answers
from segfrontier.market.budget import whole_seconds
from segfrontier.market.existing import act_of
from segfrontier.market.ledger import Ledger, folder_name
from segfrontier.market.lines import PurchaseOrder, Receipt, Terms, Totals
from segfrontier.market.noise import Noise
from segfrontier.market.plain import plain_text
from segfrontier.market.prices import PriceList
from segfrontier.market.requests import Request, frozen
from segfrontier.market.tiling import Tiling
from segfrontier.scenes.labels import LabelSet

if TYPE_CHECKING:
    from segfrontier.scenes.world import Truth


@dataclass(frozen=True)
class Purchase:
    """What a request delivered. `seconds`, `acts` and `units` count what was new; owned labels come again for free."""

    labels: LabelSet
    kind: str
    stage: str
    acts: int
    units: int
    seconds: int
    spent: int
    """The cell's whole bill after this purchase, in seconds."""
    remaining: int
    """What the budget still holds after this purchase, in seconds."""


class Market:
    """Sells the labels of one truth to one cell, within its budget."""

    def __init__(
        self, truth: Truth, prices: PriceList, ledger: Ledger, cell: str, budget_seconds: int,
        labels_folder: str | Path, noise: Noise | None = None, seed: int = 0,
        answers: Callable[[Truth, Noise, int], Answers] = Answers,
    ) -> None:  # fmt: skip
        self.prices, self.ledger, self.cell = prices.stating(truth.stated, world=truth.world), ledger, cell
        self.budget = whole_seconds(budget_seconds, what="a budget")
        self._truth, self._drafts = truth, Path(labels_folder).absolute()
        self._folder = self._drafts / folder_name(cell)  # of one's own: nobody finds another cell's labels by chance
        self._answers = answers(truth, noise or Noise(), seed)
        self._terms = Terms(truth=self._answers.about, annotators=self._answers.annotators, prices=self.prices)
        ledger.check_terms(cell, self._terms)
        sweep(self._drafts)
        self._account: dict[str, Totals] = {}
        self._delivered: dict[str, dict[str, NDArray[np.int64]]] = {}

    @property
    def used(self) -> int:
        """What this market has delivered, in whole seconds."""
        return self.prices.bill(self._account)

    @property
    def left(self) -> int:
        """What the budget would hold if nothing had been bought but that, in whole seconds."""
        return max(0, self.budget - self.used)

    @property
    def spent(self) -> int:
        """The cell's bill in whole seconds."""
        return self.prices.bill(self._totals())

    @property
    def remaining(self) -> int:
        """What the budget still holds, in whole seconds."""
        return max(0, self.budget - self.spent)

    def sold(self, kind: str, scenes: Sequence[str], *, tiling: Tiling | None = None) -> list[str]:
        """Those of the scenes that the data set can answer for: some may be labelled coarsely only, or not at all.

        `tiling`: the crops that tags are to be of; tags that exist are of whole images.
        """
        if kind not in FOR_SALE:
            raise BadInput(f"labels are of a known kind; found {kind!r} ({nearest(kind, FOR_SALE)})")
        crops = kind == "tag" and tiling is not None and not tiling.is_whole
        truth = self._truth
        return [s for s in map(plain_text, scenes) if (truth.is_fine(s) if crops else truth.has(s, kind))]

    def quote(self, request: Request) -> int | None:
        """What `buy` would charge, in seconds; None where only the answer itself knows (boxes, tags)."""
        request = frozen(request)
        annotator = self._annotator(request)
        owned = self._owned()
        totals = before = self._totals()
        for scene in request.scenes:
            kind = act_of(request, self._truth, scene)
            new = annotator.acts(scene).without(owned(kind).get(scene))
            if len(new) and not annotator.known:
                return None
            totals = _added(totals, kind, new)
        return self.prices.bill(totals) - self.prices.bill(before)

    def buy(self, request: Request, *, stage: str, at_most: int | None = None) -> Purchase:
        """Buy the labels of a request for the cell.

        Without `at_most` it is all or nothing: BudgetExceeded, and nothing charged, if the budget does not cover it.
        With `at_most` (seconds) whole scenes are bought in the request's order, up to the first one that does not fit.
        """
        if at_most is not None:
            at_most = whole_seconds(at_most, what="at_most")
        request = frozen(request)
        annotator = self._annotator(request)
        own = True
        while True:
            chosen = self._choose(request, annotator, at_most, own=own)
            purchase = self._sell(request, annotator, chosen, stage, None if own else at_most)
            if purchase is not None:
                self._note(request, chosen)
                return purchase
            # Another process buys from the same budget: choose again from what the ledger says is left. That cannot go
            # on for ever, for each round means that the budget has shrunk.
            own = False

    def _sell(
        self, request: Request, annotator: Annotator, chosen: Mapping[str, Acts], stage: str, at_most: int | None
    ) -> Purchase | None:
        """Write, charge, publish; None where the budget does not cover it any more."""
        with self._writable(), draft_folder(self._drafts / request.labels) as draft:
            self._folder.mkdir(parents=True, exist_ok=True)
            written = self._answers.write(request, annotator, list(chosen), draft)
            labels = self._published(written, draft)
            receipt = self._charge(request, chosen, labels, stage, at_most)
            if receipt is None:
                return None
            return Purchase(
                labels=self._publish(written, labels), kind=request.kind, stage=stage, acts=receipt.acts,
                units=receipt.units, seconds=receipt.seconds, spent=receipt.bill,
                remaining=max(0, self.budget - receipt.bill),
            )  # fmt: skip

    def _annotator(self, request: Request) -> Annotator:
        annotator = self._answers.annotator(request)
        for kind in {act_of(request, self._truth, scene) for scene in request.scenes} or {request.kind}:
            self.prices.price(kind)
        return annotator

    def _owned(self) -> Callable[[str], Mapping[str, NDArray[np.int64]]]:
        """What the ledger says of a kind of acts, asked once."""
        return cache(partial(self.ledger.owned, self.cell))

    def _note(self, request: Request, chosen: Mapping[str, Acts]) -> None:
        """Enter a delivery into this market's own account."""
        for scene, acts in chosen.items():
            kind = act_of(request, self._truth, scene)
            before = self._delivered.setdefault(kind, {})
            new = acts.without(before.get(scene))
            self._account = _added(self._account, kind, new)
            before[scene] = np.concatenate([before[scene], new.items]) if scene in before else new.items

    def _choose(
        self, request: Request, annotator: Annotator, at_most: int | None, *, own: bool
    ) -> dict[str, Acts]:  # fmt: skip
        """The scenes that fit, with the acts they take, by this market's own account or by the ledger."""
        totals = self._account if own else self._totals()
        # Read second: what another process buys in between then looks free here, and the charge will know better. The
        # other way round it would be counted twice, and a request could be refused that fits.
        owned = (lambda kind: self._delivered.get(kind, {})) if own else self._owned()
        spent = self.prices.bill(totals)
        limit = max(spent, self.budget if at_most is None else min(self.budget, spent + at_most))
        chosen: dict[str, Acts] = {}
        for scene in request.scenes:
            acts, kind = annotator.acts(scene), act_of(request, self._truth, scene)
            totals = _added(totals, kind, acts.without(owned(kind).get(scene)))
            if self.prices.bill(totals) > limit:
                if at_most is None:
                    raise self._too_dear(request, spent)
                break
            chosen[scene] = acts
        return chosen

    def _too_dear(self, request: Request, spent: int) -> BudgetExceeded:
        price = self.quote(request)  # None for unbought boxes and tags: how many there are is for sale, too
        asks = f"costs {price} s" if price is not None else "costs more than that (how much, only the answer tells)"
        left = max(0, self.budget - spent)
        return BudgetExceeded(
            f"{request.kind} labels of {len(request.scenes)} scenes must fit in what is left of the budget: {left} s "
            f"of {self.budget} s; the request {asks}. Nothing was charged. Ask for less, or give at_most to buy as "
            f"many scenes as fit."
        )

    def _published(self, labels: LabelSet, draft: Path) -> LabelSet:
        """The labels as they are called when they are paid for."""
        file = Path(labels.path)
        return replace(labels, path=str(self._folder / file.name)) if file.is_relative_to(draft) else labels

    def _publish(self, written: LabelSet, labels: LabelSet) -> LabelSet:
        Path(written.path).replace(labels.path)
        return labels

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            with room_at(self._drafts):
                yield
        except OSError as error:
            raise LedgerError(
                f"{self._drafts}: bought labels must be written before they are charged; they could not be ({error}). "
                f"Nothing was charged. Make it writable, or choose another folder for labels."
            ) from error

    def _charge(
        self, request: Request, chosen: Mapping[str, Acts], labels: LabelSet, stage: str, at_most: int | None
    ) -> Receipt | None:
        order = PurchaseOrder(
            cell=self.cell, stage=stage, kind=request.kind, acts=chosen, labels_path=labels.path,
            labels_digest=labels.digest, terms=self._terms,
            kinds={scene: act_of(request, self._truth, scene) for scene in chosen},
        )  # fmt: skip
        return self.ledger.charge(order, cost=self.prices.bill, budget=self.budget, at_most=at_most)

    def _totals(self) -> dict[str, Totals]:
        return self.ledger.totals(self.cell).get(self.cell, {})


def _added(totals: Mapping[str, Totals], kind: str, acts: Acts) -> dict[str, Totals]:
    units, asked = acts.total()
    return {**totals, kind: totals.get(kind, Totals()).plus(units=units, asked=asked)}
