"""The account of one cell: a file that only ever grows, a line of JSON for each thing that happened.

`{"sum": "…", "entry": {…}}`, and `"acts": {…}` behind it where acts were bought. A line is the unit of what is written:
terms, charge and the reference to the labels stand in one, which is written and synced before anyone hears of it. Its
sum covers its own text and the line before it, so that a change anywhere is noticed. Entries carry the running totals;
who wants a bill reads them alone, and acts stay unread text.

Whoever writes owns the file by the kernel's lock and waits for nobody but writers of the same cell. Readers take no
lock: they see whole lines. A last line that is not whole is what a killed writer left, or one that is writing just now:
it counts as not written, and the next writer cuts it off. Locks are the file system's: local disks, NFS 4, Lustre
(flock) and CephFS have them; synchronised folders and object stores do not and must not hold a ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segfrontier.basics.disk import room_at
from segfrontier.basics.locks import hold_file
from segfrontier.basics.reading import NotPlain, open_plain, parse_json
from segfrontier.basics.wording import explain
from segfrontier.errors import BadInput, BadPrices, LedgerError
from segfrontier.market._columns import Columns
from segfrontier.market.lines import FreeLine, PurchaseLine, Totals
from segfrontier.market.prices import PriceList, parse_prices

BUSY_SECONDS = 300.0
LARGEST = 2**30
"""Bytes of an account: a hundred million acts."""

_Whole = Annotated[int, Field(strict=True, ge=0, lt=2**63)]


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Opening(_Line):
    """Terms as they stand in the account of a cell that came to buy."""

    text: str
    prices: dict[str, Any]


class Bought(_Line):
    """A purchase. `totals`: scenes, acts, units and questions of its kind in the cell, it included."""

    stage: str
    kind: str
    seconds: _Whole
    labels_path: str
    labels_digest: str
    totals: tuple[_Whole, _Whole, _Whole, _Whole]


class Free(_Line):
    """Something used at no price."""

    stage: str
    what: str
    detail: str
    count: _Whole


class AccountLine(_Line):
    """One line of an account, without its acts. Terms stand beside the first purchase, or alone if that was empty."""

    cell: str
    time: str
    terms: Opening | None = None
    bought: Bought | None = None
    free: Free | None = None


@dataclass
class Account:
    """What an account's whole lines say, and where the next one goes."""

    path: Path
    entries: list[tuple[AccountLine, bytes]] = field(default_factory=list)
    """Each with the text of its acts."""
    end: int = 0
    sum: str = ""
    torn: bool = False

    @property
    def cell(self) -> str:
        """Whose it is; empty where nothing is written yet."""
        return self.entries[0][0].cell if self.entries else ""

    @property
    def opening(self) -> tuple[str, Opening] | None:
        """When the cell came to buy, and on which terms."""
        return next(((e.time, e.terms) for e, _ in self.entries if e.terms is not None), None)

    def prices(self) -> PriceList | None:
        """The price list that the cell bought under, as it was then."""
        if (opening := self.opening) is None:
            return None
        text = json.dumps(opening[1].prices)
        try:
            return _parsed(text)
        except BadPrices:
            return parse_prices(text, where=f"{self.path}, cell {self.cell!r}")

    def totals(self) -> dict[str, Totals]:
        """Counts by kind."""
        last = {e.bought.kind: Totals(*e.bought.totals) for e, _ in self.entries if e.bought is not None}
        return dict(sorted(last.items()))

    def purchases(self) -> list[PurchaseLine]:
        """Every purchase, in order."""
        return [
            PurchaseLine(e.cell, b.stage, b.kind, b.seconds, b.labels_path, b.labels_digest, e.time)
            for e, _ in self.entries
            if (b := e.bought) is not None
        ]

    def free_lines(self) -> list[FreeLine]:
        """Every zero-priced line, in order."""
        return [
            FreeLine(e.cell, f.stage, f.what, f.detail, f.count, e.time)
            for e, _ in self.entries
            if (f := e.free) is not None
        ]

    def lines(self, kind: str | None = None) -> Iterator[tuple[AccountLine, Columns | None]]:
        """Each entry with its acts, if it is a purchase; of one kind of acts, only its purchases."""
        for number, (entry, text) in enumerate(self.entries, start=1):
            if kind is not None and (entry.bought is None or entry.bought.kind != kind):
                continue
            try:
                plain = None if entry.bought is None else parse_json(text, where=str(self.path), what="acts")
                columns = None if entry.bought is None else Columns.parse(plain)
            except (ValueError, OverflowError, BadInput) as error:
                raise _damaged(self.path, f"line {number}: {error}") from None
            yield entry, columns

    def owned(self, kind: str) -> dict[str, NDArray[np.int64]]:
        """Items that the cell has bought, by scene."""
        items: dict[str, NDArray[np.int64]] = {}
        for entry, columns in self.lines(kind):
            if columns is not None and entry.bought is not None:
                for scene, acts in columns.by_scene().items():
                    items[scene] = np.concatenate([items[scene], acts.items]) if scene in items else acts.items
        counted, found = self.totals().get(kind, Totals()), sum(len(i) for i in items.values())
        if (counted.scenes, counted.acts) != (len(items), found):
            raise _damaged(self.path, f"{kind} acts: {found}, by its own count {counted.acts}")
        return items


def parse(data: bytes, path: Path) -> Account:
    """The account in the bytes of a file; LedgerError where more than its end is not whole."""
    account = Account(path)
    while account.end < len(data):
        stop = data.find(b"\n", account.end)
        line = data[account.end : stop] if stop >= 0 else b""
        if not line.startswith(_signed(account.sum, line[_HEAD:])):
            rest = data[account.end :]
            # After a power cut the line's blocks may lack its beginning: a file system gives zeros for what it lacks.
            if stop < 0 or (stop == len(data) - 1 and b"\0" in rest):
                account.torn = True
                return account
            raise _damaged(path, f"line {len(account.entries) + 1} does not agree with its sum")
        account.entries.append(_entry(line, account))
        account.sum, account.end = sum_of(line), stop + 1
    return account


def read(path: Path) -> Account:
    """The account in a file; an empty one where there is none."""
    try:
        with open_plain(path) as file:
            return parse(_bounded(file.fileno(), path), path)
    except FileNotFoundError:
        return Account(path)
    except NotPlain as error:
        raise _damaged(path, str(error)) from None
    except OSError as error:
        raise LedgerError(f"account {path} must be a file that can be read; it is not ({error.strerror}).") from None


@contextmanager
def writing(path: Path) -> Iterator[Pen]:
    """The account in a file, owned until the block ends; the file is made where there is none."""
    with explained(path):
        hold = hold_file(path, patience=BUSY_SECONDS)
        if hold is None:
            raise LedgerError(
                f"account {path} must be free within {BUSY_SECONDS:g} s; another process held it that long. Nothing "
                f"was charged; look for a stopped process that has the file open."
            )
        try:
            yield Pen(hold.fd, parse(_bounded(hold.fd, path), path))
        finally:
            hold.release()


class Pen:
    """Adds lines to an account that is owned."""

    def __init__(self, fd: int, account: Account) -> None:
        self._fd, self.account = fd, account

    def append(self, entry: AccountLine, acts: Columns | None = None) -> None:
        """Write one line whole and have it on the disk, or leave the file as it was."""
        account = self.account
        text = line(entry, acts, after=account.sum)
        if account.end + len(text) > LARGEST:
            raise LedgerError(
                f"account {account.path} may grow to {LARGEST} bytes; it has {account.end}, and {len(text)} more are "
                f"to be written. Nothing was charged; buy from another cell."
            )
        try:
            if account.torn:
                os.ftruncate(self._fd, account.end)
            written = 0
            while written < len(text):
                written += os.pwrite(self._fd, text[written:], account.end + written)
            os.fsync(self._fd)
            if account.end == 0:
                sync_folder(account.path.parent)
        except BaseException:
            account.torn = True  # whether or not this helps, what is left of the line does not count
            with suppress(OSError):
                os.ftruncate(self._fd, account.end)
            raise
        account.entries.append(_entry(text[:-1], account))
        account.end, account.sum, account.torn = account.end + len(text), sum_of(text), False


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """What the file system says against writing, in house words."""
    try:
        with room_at(path):
            yield
    except (PermissionError, IsADirectoryError, FileNotFoundError, NotADirectoryError) as error:
        raise LedgerError(
            f"account {path} must be writable; it is not ({error.strerror}). Nothing was charged; change its "
            f"permissions or the ledger's place."
        ) from None
    except OSError as error:
        raise LedgerError(
            f"account {path} must be writable; its disk fails, has no room or no locks ({error.strerror or error}). "
            f"Nothing was charged; see to it and go on."
        ) from None


def line(entry: AccountLine, acts: Columns | None, *, after: str) -> bytes:
    """The line that follows the one of a sum."""
    plain = entry.model_dump(mode="json", exclude_none=True)
    text = f"{_FIRST}{json.dumps(plain)}"
    if acts is not None:
        text += f"{_ACTS.decode()}{json.dumps(acts.plain(), separators=(',', ':'))}"
    rest = f"{text}}}".encode()
    return _signed(after, rest) + rest + b"\n"


def sum_of(line: bytes) -> str:
    """The sum that stands in a line."""
    return line[_SUM].decode()


def sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk; not every file system syncs folders."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)


_SUM = slice(9, 25)
_HEAD = 28
"""Where in a line its sum stands, and what the sum covers begins."""
_ACTS = b', "acts": '
_FIRST = '"entry": '
_DECODER = json.JSONDecoder()


def _signed(before: str, rest: bytes) -> bytes:
    digest = hashlib.blake2b(before.encode(), digest_size=8)
    digest.update(rest)
    return f'{{"sum": "{digest.hexdigest()}", '.encode()


def _entry(line: bytes, account: Account) -> tuple[AccountLine, bytes]:
    """A line's entry, and the text of its acts."""
    number = len(account.entries) + 1
    try:
        text = line[_HEAD:].decode("ascii")
        if not text.startswith(_FIRST):
            raise ValueError("it has no entry")
        plain, stop = _DECODER.raw_decode(text, len(_FIRST))
        entry = AccountLine.model_validate(plain)
        acts = text[stop:-1].encode()
        if not acts.startswith(_ACTS) if entry.bought is not None else acts:
            raise ValueError("acts stand beside a purchase")
    except ValidationError as error:
        raise _damaged(account.path, f"line {number}: {explain(error, AccountLine)}") from None
    except (ValueError, RecursionError) as error:
        raise _damaged(account.path, f"line {number}: {error}") from None
    if account.entries and entry.cell != account.cell:
        raise _damaged(account.path, f"line {number} is of another cell")
    return entry, acts[len(_ACTS) :]


def _bounded(fd: int, path: Path) -> bytes:
    size = os.fstat(fd).st_size
    if size > LARGEST:
        raise _damaged(path, f"{size} bytes, more than the {LARGEST} of the largest")
    parts, at = [], 0
    while at < size and (part := os.pread(fd, size - at, at)):
        parts.append(part)
        at += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _damaged(path: Path, found: str) -> LedgerError:
    plain = re.sub(r"[^\x20-\x7e]", "?", found)[:200]
    return LedgerError(
        f"account {path} must be whole, as it was written; found {plain}. Put a backup in its place, or move it away "
        f"to have its cell buy anew."
    )


@lru_cache(maxsize=64)
def _parsed(text: str) -> PriceList:
    return parse_prices(text, where="an account")
