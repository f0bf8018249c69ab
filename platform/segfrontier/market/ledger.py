"""The ledger: the append-only record of every act bought, in which cell and stage, and of what was used for nothing.

Acts are stored, not costs; a bill is acts x price list. The ledger knows no prices: whoever charges it brings the rule
that turns totals into seconds, and the rule is applied while the cell's account is owned, which also checks the budget.

LEDGER/CELL.jsonl         the account of a cell (see `_account`)
LEDGER/.segfrontier.json  says that it is a ledger
LEDGER.sqlite             all cells in one file, as former versions kept them: read where there is nothing newer, moved
                          into accounts by the first who writes, and kept beside them as LEDGER.sqlite.migrated

No rule crosses cells, so no cell waits for another, and what spans cells is put together by whoever reads.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segfrontier.basics.atomic import staged_folder
from segfrontier.basics.disk import disk_full, is_full
from segfrontier.basics.marks import MARK, content, kind_of, mark
from segfrontier.basics.wording import nearest
from segfrontier.errors import BadInput, LedgerError
from segfrontier.market import _account, _former
from segfrontier.market._account import Account, AccountLine, Bought, Free, Opening, Pen
from segfrontier.market._columns import Columns
from segfrontier.market.acts import Acts
from segfrontier.market.lines import FREE_KINDS, Cost, FreeLine, PurchaseLine, PurchaseOrder, Receipt, Terms, Totals
from segfrontier.market.prices import PriceList
from segfrontier.scenes.files import digest

_FORMER = ".sqlite"
_ACCOUNT = ".jsonl"


class Ledger:
    """A ledger's folder. Safe to use from many processes and threads at once; safe to pickle and to fork.

    `create`: it will be written to, so that it is made where there is none and a former version's is taken over.
    """

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        self.path, self._former = _places(Path(path).absolute())
        self._noted: set[tuple[str, str, str, str]] = set()  # zero-priced lines that are known to be written
        if create:
            self._open_for_writing()
        elif self._reads_former():
            _former.check(self._former)
        elif kind_of(self.path) != "ledger":
            raise LedgerError(f"ledger {path} must be a ledger of SegFrontier; {_found(self.path)}. Correct the path.")

    @classmethod
    def find(cls, path: Path) -> Ledger | None:
        """The ledger of a place, for those who look; None where nobody has bought yet."""
        return cls(path) if any(place.exists() for place in _places(path.absolute())) else None

    def charge(self, order: PurchaseOrder, *, cost: Cost, budget: int, at_most: int | None = None) -> Receipt | None:
        """Charge what is new in an order and record its labels, in one line of the cell's account for each kind.

        None, and nothing written, if the cell's bill would pass `budget` or grow by more than `at_most`. Killed between
        two lines, the cell owns the acts of the first, and the same order charges those of the second.
        """
        with self._writing(order.cell) as pen:
            account = pen.account
            _check_terms(account, order.cell, str(order.terms))
            totals = account.totals()
            before = bill = cost(totals)
            lines: list[tuple[Columns, str, Totals, int]] = []
            for kind, acts in order.by_kind().items():
                owned = account.owned(kind)
                new = Columns.of(_new(acts, owned))
                if len(new) or not lines:
                    totals = {**totals, kind: _with(totals.get(kind, Totals()), new, owned)}
                    lines.append((new, kind, totals[kind], cost(totals) - bill))
                    bill = cost(totals)
            limit = budget if at_most is None else min(budget, before + at_most)
            if bill != before and bill > limit:
                return None
            for new, kind, counts, seconds in lines:
                _write_purchase(pen, order, new, kind, counts, seconds)
            bought = [new for new, *_ in lines]
            units = sum(int(new.units.sum()) for new in bought)
            return Receipt(acts=sum(map(len, bought)), units=units, seconds=bill - before, bill=bill)

    def note_free(self, *, cell: str, stage: str, what: str, detail: str, count: int) -> None:
        """Record something used at no price, e.g. 24,966 source labels. The same line twice is one line."""
        if what not in FREE_KINDS:
            raise BadInput(f"a zero-priced line must be of a known kind; found {what!r} ({nearest(what, FREE_KINDS)})")
        line = (cell, stage, what, detail)
        if line in self._noted and self._file(cell).exists():  # nothing is ever removed from an account
            return
        with self._writing(cell) as pen:
            if not _is_noted(pen.account, stage, what, detail):
                free = Free(stage=stage, what=what, detail=detail, count=count)
                pen.append(AccountLine(cell=cell, time=_now(), free=free))
        self._noted.add(line)

    def check_terms(self, cell: str, terms: Terms) -> None:
        """Raise if the cell has bought under other terms."""
        _check_terms(self.account(cell), cell, str(terms))

    def account(self, cell: str) -> Account:
        """What stands in a cell's account; an empty one where it has none."""
        if self._reads_former():
            return next(_former.accounts(self._former, cell=cell), Account(self._former))
        return _of(cell, _account.read(self._file(cell)))

    def accounts(self, faults: list[str] | None = None) -> Iterator[Account]:
        """Every account, one at a time; one that cannot be read raises, or is named among the `faults`."""
        if self._reads_former():
            yield from _former.accounts(self._former)
            return
        for file in sorted(entry.name for entry in os.scandir(self.path) if entry.name.endswith(_ACCOUNT)):
            try:
                account = _account.read(self.path / file)
                if account.entries and self._file(account.cell).name != file:
                    raise LedgerError(f"account {self.path / file} must have the name of its cell; found another.")
            except LedgerError as error:
                if faults is None:
                    raise
                faults.append(str(error))
            else:
                if account.entries:
                    yield account

    def cells(self) -> list[str]:
        """Every cell that came to buy, in order of its first purchase."""
        return [cell for _, cell in sorted((a.opening[0], a.cell) for a in self.accounts() if a.opening is not None)]

    def totals(self, cell: str | None = None) -> dict[str, dict[str, Totals]]:
        """Counts by cell and kind, of one cell or of all. A million acts take well under a second."""
        if cell is not None:
            totals = self.account(cell).totals()
            return {cell: totals} if totals else {}
        found = [(a.opening[0], a.cell, a.totals()) for a in self.accounts() if a.opening is not None]
        return {name: totals for _, name, totals in sorted(found, key=lambda row: row[:2]) if totals}

    def owned(self, cell: str, kind: str) -> dict[str, NDArray[np.int64]]:
        """Items that a cell has bought, by scene."""
        return self.account(cell).owned(kind)

    def purchases(self, cell: str | None = None) -> list[PurchaseLine]:
        """Every purchase in the order of the record."""
        found = [line for a in self._some(cell) for line in a.purchases()]
        return sorted(found, key=lambda line: (line.time, line.cell))

    def free_lines(self, cell: str | None = None) -> list[FreeLine]:
        """Every zero-priced line in the order of the record."""
        found = [line for a in self._some(cell) for line in a.free_lines()]
        return sorted(found, key=lambda line: (line.time, line.cell))

    def prices_of(self, cell: str) -> PriceList:
        """The price list that a cell bought under, as it was then."""
        prices = self.account(cell).prices()
        if prices is None:
            raise LedgerError(f"ledger {self.path} has no cell {cell!r} that bought anything; see Ledger.cells()")
        return prices

    def rows(self, *, batch: int = 65536) -> Iterator[Sequence[tuple[object, ...]]]:
        """All acts with names and purchases, in batches: the columns of `export.SCHEMA`."""
        times: dict[tuple[str, str], list[str]] = {}
        for account in self.accounts():
            if account.opening is not None:
                times[account.opening[0], account.cell] = [line.time for line in account.purchases()]
        order = sorted((time, cell, n) for (_, cell), bought in times.items() for n, time in enumerate(bought))
        numbers = {(cell, n): number for number, (_, cell, n) in enumerate(order, start=1)}
        for _, cell in sorted(times):
            account = self.account(cell)
            prices = account.prices()
            assert prices is not None, "a cell that came to buy has terms"
            listed = (prices.name, prices.version, prices.digest)
            bought = ((entry, columns) for entry, columns in account.lines() if columns is not None)
            for n, (entry, columns) in enumerate(bought):
                if entry.bought is not None and (cell, n) in numbers:  # what was bought meanwhile has no number yet
                    begin = (cell, entry.bought.stage, entry.bought.kind)
                    yield from _rows(columns, batch, begin, (numbers[cell, n], entry.time, *listed))

    def check_values(self) -> None:
        """Raise if a former version's file, which may come from anywhere, holds what no ledger holds."""
        if self._reads_former():
            _former.check_values(self._former)

    def _some(self, cell: str | None) -> Iterator[Account]:
        return self.accounts() if cell is None else iter([self.account(cell)])

    def _file(self, cell: str) -> Path:
        return self.path / f"{folder_name(cell)}{_ACCOUNT}"

    def _reads_former(self) -> bool:
        return not self.path.is_dir() and self._former.exists()

    @contextmanager
    def _writing(self, cell: str) -> Iterator[Pen]:
        if self._former.exists():
            self._open_for_writing()
        with _account.writing(self._file(cell)) as pen:
            _of(cell, pen.account)
            yield pen

    def _open_for_writing(self) -> None:
        """Make the folder where there is none, with all that a former version's file holds."""
        try:
            if self._former.exists():
                with _former.frozen(self._former) as accounts:
                    if accounts is not None:  # nobody else was quicker
                        self._take_over(accounts)
            elif kind_of(self.path) != "ledger":
                if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                    raise LedgerError(f"ledger {self.path} must be a ledger of SegFrontier; {_found(self.path)}.")
                mark(self.path, "ledger")
        except LedgerError:
            if self._former.exists() or kind_of(self.path) != "ledger":  # else another one has just taken it over
                raise
        except OSError as error:
            if is_full(error):
                raise disk_full(self.path) from None
            raise LedgerError(
                f"{self.path}: a ledger must lie in a folder that can be written and knows locks; it could not be made "
                f"there ({error}). Choose another place."
            ) from error

    def _take_over(self, accounts: Iterator[tuple[str, bytes]]) -> None:
        """Have what a former version's file holds in accounts: in a new folder at once, or added to those there are."""
        if kind_of(self.path) != "ledger":
            with staged_folder(self.path) as draft:
                (draft / MARK).write_bytes(content("ledger"))
                for cell, data in accounts:
                    with (draft / self._file(cell).name).open("xb") as file:
                        file.write(data)
        else:  # killed between the folder and the next line, or a former version has bought since
            for cell, data in accounts:
                with _account.writing(self._file(cell)) as pen:
                    _add(pen, _account.parse(data, self._former))
        aside = self._former.with_name(f"{self._former.name}.migrated")
        numbers = (aside.with_name(f"{aside.name}-{n}") for n in count(2))
        self._former.rename(next(path for path in chain((aside,), numbers) if not path.exists()))


def given_ledger(path: str | Path) -> Ledger:
    """The ledger that a user named, or that of a home: whatever is wrong is BadInput. Nothing is made at the path."""
    try:
        place = Path(path).absolute()
        ledger = Ledger(place / "ledger" if _is_home(place) else place)
        ledger.check_values()
        return ledger
    except (LedgerError, OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadInput(str(error)) from None


def _is_home(place: Path) -> bool:
    """Former versions did not mark a home; what has a ledger in it is one, too."""
    found = kind_of(place)
    return found == "home" or (found is None and any(path.exists() for path in _places(place / "ledger")))


def folder_name(cell: str) -> str:
    """A cell's name where it can be a file's or folder's, else its digest."""
    return cell if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", cell) else digest(cell.encode())


def _places(path: Path) -> tuple[Path, Path]:
    """The folder, and where a former version kept its file. Whoever names the file means what took its place, too."""
    if path.name.endswith(_FORMER):
        return path.with_name(path.name.removesuffix(_FORMER)), path
    if path.is_file():  # a copy of a former one, to be read
        return path, path
    return path, path.with_name(path.name + _FORMER)


def _found(path: Path) -> str:
    if not path.is_dir():
        return "it is no folder" if path.exists() else "there is nothing"
    return f"it is a folder without a {MARK} that says so"


def _of(cell: str, account: Account) -> Account:
    if account.entries and account.cell != cell:
        raise LedgerError(f"account {account.path} must be of the cell {cell!r}; it is of {account.cell!r}.")
    return account


def _check_terms(account: Account, cell: str, terms: str) -> None:
    if account.opening is not None and (before := account.opening[1].text) != terms:
        raise LedgerError(
            f"cell {cell!r} must go on buying under the terms of its first purchase ({before}); found {terms}. Use the "
            f"same world, annotators and prices, or another cell. (To see a bill at other prices, nothing is bought.)"
        )


def _new(acts: Mapping[str, Acts], owned: Mapping[str, NDArray[np.int64]]) -> dict[str, Acts]:
    """The acts that the cell does not own, each once."""
    found = {scene: _distinct(a.without(owned.get(scene))) for scene, a in acts.items()}
    return {scene: a for scene, a in found.items() if len(a)}


def _distinct(acts: Acts) -> Acts:
    if len(acts) < 2 or len(first := np.unique(acts.items, return_index=True)[1]) == len(acts):
        return acts
    keep = np.sort(first)
    return Acts(acts.items[keep], acts.units[keep], acts.asked[keep])


def _with(before: Totals, new: Columns, owned: Mapping[str, NDArray[np.int64]]) -> Totals:
    """The totals of a kind with what is new."""
    return Totals(
        scenes=before.scenes + sum(scene not in owned for scene in new.scenes), acts=before.acts + len(new),
        units=before.units + int(new.units.sum()), asked=before.asked + int(new.asked.sum()),
    )  # fmt: skip


def _write_purchase(pen: Pen, order: PurchaseOrder, new: Columns, kind: str, totals: Totals, seconds: int) -> None:
    """Terms if they are the first, charge and reference, in one line."""
    terms = None
    if pen.account.opening is None:
        terms = Opening(text=str(order.terms), prices=json.loads(order.terms.prices.model_dump_json()))
    if len(new):
        bought = Bought(
            stage=order.stage, kind=kind, seconds=seconds, labels_path=order.labels_path,
            labels_digest=order.labels_digest, totals=astuple(totals),
        )  # fmt: skip
        pen.append(AccountLine(cell=order.cell, time=_now(), terms=terms, bought=bought), new)
    elif terms is not None:
        pen.append(AccountLine(cell=order.cell, time=_now(), terms=terms))


def _add(pen: Pen, other: Account) -> None:
    """Add to an account what another one of the same cell has more."""
    for entry, columns in other.lines():
        mine, terms = pen.account, entry.terms
        if terms is not None:
            _check_terms(mine, entry.cell, terms.text)
            terms = terms if mine.opening is None else None
        if (free := entry.free) is not None and _is_noted(mine, free.stage, free.what, free.detail):
            continue
        bought = entry.bought
        if bought is not None and columns is not None:
            owned = mine.owned(bought.kind)
            columns = Columns.of(_new(columns.by_scene(), owned))
            totals = _with(mine.totals().get(bought.kind, Totals()), columns, owned)
            bought = bought.model_copy(update={"totals": astuple(totals)}) if len(columns) else None
        if terms or free or bought:
            update = {"terms": terms, "bought": bought}
            pen.append(entry.model_copy(update=update), columns if bought else None)


def _is_noted(account: Account, stage: str, what: str, detail: str) -> bool:
    return any((line.stage, line.what, line.detail) == (stage, what, detail) for line in account.free_lines())


def _rows(
    columns: Columns, batch: int, begin: tuple[object, ...], end: tuple[object, ...]
) -> Iterator[list[tuple[object, ...]]]:
    """A purchase's acts as rows, so many at a time."""
    scenes = np.repeat(np.array(columns.scenes, object), columns.counts)
    for at in range(0, len(columns), batch):
        part = (column[at : at + batch].tolist() for column in (scenes, columns.items, columns.units, columns.asked))
        yield [(*begin, *row, *end) for row in zip(*part, strict=True)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
