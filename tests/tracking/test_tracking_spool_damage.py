"""The spool under a clock that jumps, and with things in it that are no entries."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segfrontier.tracking import Spool
from segfrontier.tracking import spool as spool_module
from segfrontier.tracking.replaying import Replayer

OTHER = """
import sys, time
from pathlib import Path
from segfrontier.tracking import Spool
time.time_ns = lambda: 5  # a clock that was set back
Spool(Path(sys.argv[1])).put("cell", "later", {})
"""


def test_a_clock_set_back_between_two_runs_keeps_the_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put("cell", "first", {})
    subprocess.run([sys.executable, "-c", OTHER, str(spool.folder)], check=True)
    assert [e.key for e in spool.entries()] == ["first", "later"]


def test_it_counts_from_what_was_taken_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put("cell", "first", {})
    spool.done(next(spool.entries()))
    monkeypatch.setattr(spool_module, "_last", 0)
    monkeypatch.setattr("time.time_ns", lambda: 5)
    again = Spool(spool.folder)
    again.put("cell", "later", {})
    assert next(again.history()).path.name < next(again.entries()).path.name


THINGS = {
    "deep JSON": lambda p: p.write_text("[" * 100_000),
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a link to nowhere": lambda p: p.symlink_to("nowhere"),
    "much": lambda p: (p.touch(), os.truncate(p, 2**33)),
    "a time of many digits": lambda p: p.write_text('{"kind":"cell","key":"k","at":1' + "0" * 400 + ',"content":{}}'),
}


@pytest.mark.parametrize("name", THINGS)
def test_what_is_no_entry_is_set_aside_and_stops_nothing(tmp_path: Path, name: str) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put("cell", "one", {})
    odd = spool.folder / f"{1:020d}-1-cell-odd.json"
    THINGS[name](odd)
    assert [e.key for e in spool.entries()] == ["one"]
    assert not os.path.lexists(odd) and os.path.lexists(spool.broken / odd.name)


def test_no_draft_stays_in_a_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put("cell", "k" * 300, {"x": "ü"})
    assert [p.suffix for p in spool.folder.iterdir()] == [".json"]


@pytest.mark.parametrize("before", [None, "", "[1]", "[" * 100_000, '{"other": "r0"}'])
def test_run_ids_are_kept_whatever_the_file_held(tmp_path: Path, before: str | None) -> None:
    from segfrontier.basics.reading import read_json

    file = tmp_path / "runs.json"
    if before is not None:
        file.write_text(before)
    replayer = Replayer(Spool(tmp_path / "spool"), "", file)
    replayer._keep_run("k1", "r1")
    stamp = file.stat().st_mtime_ns
    time.sleep(0.01)
    replayer._keep_run("k1", "r1")
    assert read_json(file)["k1"] == "r1" and file.stat().st_mtime_ns == stamp
    assert ("other" in read_json(file)) == (before is not None and "other" in before)
    assert [p.name for p in tmp_path.iterdir()] == ["runs.json"]
