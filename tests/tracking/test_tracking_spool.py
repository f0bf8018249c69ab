"""The spool: order, whole files only, broken ones set aside, one replayer."""

import json
import subprocess
import sys

import pytest
from trackhere import a_record, a_spool

from segfrontier.tracking import Spool, SpoolHeld, replay

PUTS = """
import sys
from pathlib import Path
from segfrontier.tracking import Spool
spool = Spool(Path(sys.argv[1]))
for i in range(40):
    spool.put("cell", f"{sys.argv[2]}-{i}", {"study": "tiny", "text": "x" * 20_000, "i": i})
"""


def test_entries_come_back_in_the_order_they_were_put(tmp_path):
    spool = Spool(tmp_path / "spool")
    for i in range(50):
        spool.put("cell", f"key/{i} ü", {"study": "tiny", "i": i})
    found = list(spool.entries())
    assert [e.content["i"] for e in found] == list(range(50))
    assert [e.key for e in found] == [f"key/{i} ü" for i in range(50)] and found[0].at < found[-1].at


def test_a_clock_that_goes_back_keeps_the_order(tmp_path, monkeypatch):
    spool = Spool(tmp_path / "spool")
    spool.put("cell", "first", {})
    monkeypatch.setattr("time.time_ns", lambda: 5)
    spool.put("cell", "second", {})
    assert [e.key for e in spool.entries()] == ["first", "second"]


def test_several_processes_put_at_once_and_nothing_is_lost_or_mixed(tmp_path):
    command = [sys.executable, "-c", PUTS, str(tmp_path / "spool")]
    processes = [subprocess.Popen([*command, name]) for name in "abc"]
    seen = set()
    while any(p.poll() is None for p in processes):
        seen |= {e.key for e in Spool(tmp_path / "spool").entries()}  # a half-written file would be set aside here
    assert [p.returncode for p in processes] == [0, 0, 0]
    spool = Spool(tmp_path / "spool")
    keys = [e.key for e in spool.entries()]
    assert len(keys) == len(set(keys)) == 120 and seen <= set(keys) and not spool.broken.exists()
    for name in "abc":
        assert [k for k in keys if k.startswith(name)] == [f"{name}-{i}" for i in range(40)]


@pytest.mark.parametrize("damage", ["", "{", '{"kind": "cell"}', "[1, 2]", "\x00\x00"])
def test_a_broken_file_is_set_aside_and_stops_nothing(tmp_path, damage):
    spool = Spool(tmp_path / "spool")
    for name in ("one", "two", "three"):
        spool.put("cell", name, {})
    victim = spool.waiting()[1]
    victim.write_text(damage)
    assert [e.key for e in spool.entries()] == ["one", "three"]
    assert (spool.broken / victim.name).read_text() == damage and len(spool.waiting()) == 2


def test_a_draft_is_no_entry(tmp_path):
    spool = Spool(tmp_path / "spool")
    spool.put("cell", "one", {})
    (spool.folder / ".00000000000000000001-1-cell-x.json").write_text('{"kind": "ce')
    assert len(spool.waiting()) == 1 and not spool.broken.exists()


def test_what_was_taken_is_kept_as_history(tmp_path):
    spool = a_spool(tmp_path, [a_record()])
    first = next(spool.entries())
    spool.done(first)
    assert [e.kind for e in spool.history()] == ["study"] and [e.kind for e in spool.entries()] == ["cell"]
    json.loads((spool.taken / first.path.name).read_text())


def test_only_one_may_replay(tmp_path):
    spool = a_spool(tmp_path)
    with spool.held(), pytest.raises(SpoolHeld, match=r"process \d+ does; wait"):
        replay(Spool(spool.folder), "sqlite:////nowhere.db", runs_file=tmp_path / "runs.json")
    with spool.held():
        pass


def test_numbers_that_json_does_not_know_pass(tmp_path):
    spool = a_spool(tmp_path, [a_record()])
    record = list(spool.entries())[1].content
    assert record["iou"]["train"] != record["iou"]["train"] and record["notes"]["odd"] == float("inf")
