"""Price lists and ledgers that come from anywhere: validated when they are read, refused in a sentence, never made."""

import errno
import os
import sqlite3
import sys
import time
from contextlib import closing

import pytest
from former_ledger import write_former
from market_fakes import open_market

from segfrontier.errors import BadInput, BadPrices, DiskFull, LedgerError
from segfrontier.market import (
    Coarse,
    Ledger,
    Points,
    _account,
    default_prices,
    export_acts,
    given_ledger,
    ledger_table,
    load_prices,
    prices_for,
    read_prices,
)
from segfrontier.market.prices import parse_prices

LIST = """\
format: 1
name: mine
version: 1
acts:
  fine: {seconds: 0.001, per: image, source: me}
"""


def test_the_name_of_a_world_is_never_a_path(tmp_path, monkeypatch):
    (tmp_path / "cheap.yaml").write_text(LIST)
    monkeypatch.chdir(tmp_path)
    assert load_prices("cheap.yaml").name == read_prices("cheap.yaml").name == "mine", "what the user names is a path"
    for name in ("cheap.yaml", str(tmp_path / "cheap.yaml"), "../x.yaml", "./street", "street.yaml", "", "x\0.yaml"):
        with pytest.raises(BadPrices, match="there must be a price list for"):
            default_prices(name)
        with pytest.raises(BadPrices):
            prices_for(name, None)
    assert prices_for("nowhere", "cheap.yaml").name == "mine" and prices_for("street").name == "street"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("name: mine", "name: '[red]free[/x]'", "name"),
        ("name: mine", 'name: "a\\e[2Jb"', "without brackets.*control characters; it holds .*x1b"),
        ("name: mine", 'name: "a\\nb"', "without brackets"),
        ("name: mine", "name: " + "x" * 101, "name"),
        ("source: me", 'source: "a\\e]0;x\\a"', "can be printed"),
        ("version: 1", "version: 99999999999999999999999", "less than or equal to"),
        ("version: 1", "version: " + "9" * 5000, "digits"),
        ("0.001", "1e300", "seconds"),
        ("0.001", "9" * 3000, "digits"),
        ("0.001", "0.0000001", "decimal places"),
        ("acts:", "money: {per_hour: 1, currency: '[/x]'}\nacts:", "currency"),
        ("  fine:", "".join(f"  a{i}: {{seconds: 1, per: image, source: me}}\n" for i in range(20_000)) + "  fine:",
         "prices the acts|may hold"),
        ("  fine:", "".join(f"  a{i}: {{seconds: 1, per: image, source: me}}\n" for i in range(2_000)) + "  fine:",
         "prices the acts .*found 2001 acts"),
        ("acts:", "".join(f"k{i}: 1\n" for i in range(3000)) + "acts:", "k9: there is no such key"),
    ],
)  # fmt: skip
def test_strange_lists_are_refused_at_once(old, new, says):
    text = LIST.replace(old, new, 1)
    began = time.perf_counter()
    with pytest.raises(BadPrices, match=says) as caught:
        parse_prices(text, where="x.yaml")
    assert time.perf_counter() - began < 5, "a limit that takes long to apply is none"
    assert len(str(caught.value)) < 5000


def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def words(path):
    path.write_text("not a ledger, but long enough to look like something " * 50)


def a_newer_one(path):
    write_former(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def another_database(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE x (y)")


def one_without_tables(path):
    another_database(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {0x53464C47}")
        db.execute(f"PRAGMA user_version = {1}")


def one_with_words_for_numbers(path):
    write_former(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER acts_no_update")
        db.execute("UPDATE acts SET units = 'many'")
        db.commit()


def half_a_one(path):
    write_former(path)
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    "make",
    [lambda path: None, a_folder, a_pipe, words, a_newer_one, another_database, one_without_tables,
     one_with_words_for_numbers, half_a_one, lambda path: path.touch()],
)  # fmt: skip
def test_a_file_that_is_no_ledger_is_bad_input_and_stays_as_it_is(tmp_path, make):
    path = tmp_path / "given" / "x.sqlite"
    path.parent.mkdir()
    make(path)
    before = sorted(p.name for p in path.parent.iterdir())
    with pytest.raises(BadInput, match=r"ledger .*x\.sqlite"):
        given_ledger(path)
    assert sorted(p.name for p in path.parent.iterdir()) == before


def test_the_command_says_so_with_the_code_of_bad_input(tmp_path, monkeypatch, capsys):
    from segfrontier.cli import main

    for path in (tmp_path / "none.sqlite", tmp_path):
        monkeypatch.setattr(sys, "argv", ["segfrontier", "ledger", str(path)])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 3 and "must be a ledger" in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.iterdir()) == []


def test_names_in_a_ledger_are_shown_as_they_are(tmp_path, monkeypatch, capsys):
    from segfrontier.cli import main

    shop = open_market(tmp_path, cell="[/x]\x1b[2J[bold]c")
    shop.buy(Coarse(["s0"]), stage="t")
    shop.ledger.note_free(cell="[/y]", stage="t", what="class_list", detail="[/z]", count=1)
    monkeypatch.setattr(sys, "argv", ["segfrontier", "ledger", str(tmp_path / "ledger.db")])
    with pytest.raises(SystemExit) as left:
        main()
    out = capsys.readouterr().out
    assert left.value.code in (0, None) and "\x1b[2J" not in out
    assert "[/x]" in out and "[bold]c" in out and "[/y]" in out


def test_a_disk_that_fills_up_is_named_and_nothing_is_half_charged(tmp_path, monkeypatch):
    shop = open_market(tmp_path)
    shop.buy(Coarse(["s0"]), stage="t")
    account = tmp_path / "ledger.db" / "c.jsonl"
    before, sync = account.read_bytes(), os.fsync

    def full(fd):
        if os.path.samestat(os.fstat(fd), account.stat()):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(fd)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match="must be room on the disk"):
        shop.buy(Coarse(["s1"]), stage="t")
    monkeypatch.undo()
    assert account.read_bytes() == before and shop.spent == 420
    assert len(list((tmp_path / "labels").rglob("*.arrow"))) == 1


def a_pipe_in_its_place(account):
    account.unlink()
    os.mkfifo(account)


def a_folder_in_its_place(account):
    account.unlink()
    account.mkdir()


def a_hole_of_a_terabyte(account):
    os.truncate(account, 2**40)


def words_for_counts(account):
    resign(account, lambda line: line.replace('"totals": [1,', '"totals": ["many",'))


def an_endless_nest(account):
    resign(account, lambda line: line.replace('"time": ', '"x": ' + "[" * 100_000 + ', "time": '))


def a_number_without_end(account):
    resign(account, lambda line: line.replace('"seconds": ', '"seconds": ' + "9" * 5000))


def something_more(account):
    resign(account, lambda line: line.replace('"cell": ', '"more": 1, "cell": '))


def two_cells_in_one(account):
    resign(account, lambda line: line.replace('"cell": "b"', '"cell": "z"'))


def a_changed_number(account):
    account.write_bytes(account.read_bytes().replace(b'"seconds": 420', b'"seconds": 421', 1))


def a_line_less(account):
    account.write_bytes(b"".join(account.read_bytes().splitlines(keepends=True)[1:]))


def lines_the_other_way_round(account):
    account.write_bytes(b"".join(reversed(account.read_bytes().splitlines(keepends=True))))


def resign(account, change):
    """Change the first line and make all sums right again, as only somebody who means it does."""
    lines, before = account.read_bytes().splitlines(keepends=True), ""
    for i, line in enumerate(lines):
        rest = (change(line.decode()) if i == 0 else line.decode())[28:-1].encode()
        lines[i] = _account._signed(before, rest) + rest + b"\n"
        before = _account.sum_of(lines[i])
    account.write_bytes(b"".join(lines))


@pytest.mark.parametrize(
    "damage",
    [a_pipe_in_its_place, a_folder_in_its_place, a_hole_of_a_terabyte, words_for_counts, an_endless_nest,
     a_number_without_end, something_more, two_cells_in_one, a_changed_number, a_line_less, lines_the_other_way_round],
)  # fmt: skip
def test_a_damaged_account_is_named_and_costs_the_others_nothing(tmp_path, damage, monkeypatch, capsys):
    from segfrontier.cli import main

    for cell in "abc":
        for scene in ("s0", "s1"):
            open_market(tmp_path, cell=cell).buy(Coarse([scene]), stage="t")
    damage(tmp_path / "ledger.db" / "b.jsonl")
    began = time.perf_counter()
    table = ledger_table(given_ledger(tmp_path / "ledger.db"))
    assert [c.cell for c in table.cells] == ["a", "c"] and table.seconds == 2 * 840
    (fault,) = table.faults
    assert "b.jsonl must" in fault and fault.isprintable() and len(fault) < 1000
    with pytest.raises(LedgerError, match=r"b\.jsonl"):
        open_market(tmp_path, cell="b")
    assert open_market(tmp_path, cell="a").buy(Coarse(["s2"]), stage="t").spent == 1260
    assert time.perf_counter() - began < 5
    monkeypatch.setattr(sys, "argv", ["segfrontier", "ledger", str(tmp_path / "ledger.db")])
    with pytest.raises(SystemExit) as left:
        main()
    out = " ".join(capsys.readouterr().out.split())
    assert left.value.code in (0, None) and "note" in out and "all cells: 0.58 h (2100 s)" in out


def acts_that_do_not_add_up(text):
    return text.replace('"counts":2', '"counts":9')


def acts_of_a_trillion(text):
    return text.replace('"counts":2', '"counts":1000000000000').replace('"items":[31,62]', '"items":0')


def acts_below_zero(text):
    return text.replace('"items":[31,62]', '"items":[-31,62]')


def acts_of_fractions(text):
    return text.replace('"items":[31,62]', '"items":[31,6.5]')


def acts_of_nothing(text):
    return text.replace('"items":[31,62]', '"items":null')


@pytest.mark.parametrize(
    "change", [acts_that_do_not_add_up, acts_of_a_trillion, acts_below_zero, acts_of_fractions, acts_of_nothing]
)
def test_acts_that_no_purchase_has_are_refused_when_they_are_read(tmp_path, change):
    open_market(tmp_path).buy(Points(["s0"], [[[1, 1], [2, 2]]]), stage="t")
    account = tmp_path / "ledger.db" / "c.jsonl"
    before = account.read_bytes()
    resign(account, change)
    assert account.read_bytes() != before
    for ask in (lambda: open_market(tmp_path).buy(Points(["s0"], [[[3, 3]]]), stage="t"),
                lambda: export_acts(Ledger(tmp_path / "ledger.db"), tmp_path / "acts.parquet")):  # fmt: skip
        with pytest.raises(LedgerError, match=r"c\.jsonl must be whole"):
            ask()
    assert not (tmp_path / "acts.parquet").exists()
