"""Price lists and ledgers that come from anywhere: validated when they are read, refused in a sentence, never made."""

import os
import sqlite3
import sys
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from market_fakes import open_market

from segfrontier.errors import BadInput, BadPrices, DiskFull, LedgerError
from segfrontier.market import Coarse, Ledger, _sql, default_prices, given_ledger, load_prices, prices_for, read_prices
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
    Ledger(path, create=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


def another_database(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE x (y)")


def one_without_tables(path):
    another_database(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {_sql.APPLICATION}")
        db.execute(f"PRAGMA user_version = {_sql.VERSION}")


def one_with_words_for_numbers(path):
    open_market(path.parent).buy(Coarse(["s0"]), stage="t")
    (path.parent / "ledger.db").replace(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER acts_no_update")
        db.execute("UPDATE acts SET units = 'many'")
        db.commit()


def half_a_one(path):
    open_market(path.parent).buy(Coarse(["s0"]), stage="t")
    path.write_bytes((path.parent / "ledger.db").read_bytes()[:5000])


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
        assert left.value.code == 3 and "must be a file" in " ".join(capsys.readouterr().err.split())
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
    before = (tmp_path / "ledger.db").read_bytes()

    class Full(sqlite3.Connection):
        def execute(self, sql, *values):
            if sql == "COMMIT":
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
                raise error
            return super().execute(sql, *values)

    connect = sqlite3.connect
    monkeypatch.setattr(_sql.sqlite3, "connect", lambda *a, **more: connect(*a, **more, factory=Full))
    with pytest.raises(LedgerError, match="fails or has no room"):
        shop.buy(Coarse(["s1"]), stage="t")
    monkeypatch.setattr(_sql.shutil, "disk_usage", lambda folder: SimpleNamespace(free=0))
    with pytest.raises(DiskFull, match="must be room on the disk"):
        shop.buy(Coarse(["s1"]), stage="t")
    monkeypatch.undo()
    assert (tmp_path / "ledger.db").read_bytes() == before and shop.spent == 420
    assert len(list((tmp_path / "labels").rglob("*.arrow"))) == 1
