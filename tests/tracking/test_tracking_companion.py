"""The process beside a driver: it syncs while the driver works, waits out an outage, and never outlives its parent."""

import signal
import subprocess
import sys
import threading
import time

import pytest
from trackhere import a_home, a_port, a_record, everything, put_cells, put_state, running
from waiting import alive, until

from segfrontier.home.layout import open_home
from segfrontier.tracking import Companion
from segfrontier.tracking.server import Server, answers, free_port
from segfrontier.tracking.sync import Synced, sole, sync

DRIVER = """
import sys, time
from pathlib import Path
from segfrontier.home.layout import Home
from segfrontier.tracking import Companion
with Companion(Home(Path(sys.argv[1])).study("tiny"), sys.argv[2]) as companion:
    print(companion._process.pid, flush=True)
    time.sleep(600)
"""


def test_a_port_that_is_taken_is_passed_by():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port and free_port(0) not in (0, port)


def said(companion, words):
    return companion.log.exists() and words in companion.log.read_text()


def test_starting_it_costs_the_driver_little_and_nothing_to_show_is_fine(tmp_path):
    place = open_home(tmp_path / "runs").study("tiny")
    began = time.perf_counter()
    with Companion(place, f"sqlite:///{tmp_path}/mlflow.db") as companion:
        assert time.perf_counter() - began < 1.0 and "mlflow" not in vars(companion)
    assert companion.close() == 0 and not (tmp_path / "mlflow.db").exists()
    assert "0 left" in companion.log.read_text()


@pytest.mark.slow
def test_what_ends_while_the_driver_works_is_in_mlflow_when_it_closes(tmp_path, uri):
    with Companion(place := a_home(tmp_path / "runs"), uri) as companion:
        for seed in range(4):
            put_cells(place, [a_record(seed=seed)])
            time.sleep(0.4)
    assert companion.close() == 0 and len(everything(uri)[1]) == 4


@pytest.mark.slow
def test_a_database_that_has_to_be_made_first_keeps_no_cell_waiting(tmp_path):
    place = a_home(tmp_path / "runs", state="")
    with running(place), Companion(place, f"sqlite:///{tmp_path}/new.db"):
        assert until(lambda: "tiny" in place.runs(), 120)  # making it takes many seconds
        put_cells(place, [a_record()])
        assert until(lambda: len(place.runs()) == 2, 20)


@pytest.mark.parametrize("ended", [False, True], ids=["while it works", "as it ends"])
def test_an_answer_after_an_outage_is_told_once_whenever_it_comes(tmp_path, monkeypatch, ended):
    from segfrontier.tracking import process

    place, end, given, lines = open_home(tmp_path / "runs").study("tiny"), threading.Event(), [], []

    class Scripted:
        def __init__(self, study, uri):
            pass

        def run(self, *, going):
            given.append(Synced(0, 1, "no answer") if len(given) < 2 else Synced(1, 0))
            if len(given) == (3 if ended else 4):
                end.set()
            return given[-1]

    monkeypatch.setattr(process, "Sync", Scripted)
    monkeypatch.setattr(process, "_POLL", 0.01)
    monkeypatch.setattr(process._log, "info", lambda text, *values: lines.append(text % values))
    place.path.mkdir(parents=True)
    assert process._serve(place, "http://somewhere", 1.0, end) == 0
    assert lines == [
        "http://somewhere: no answer", "http://somewhere: answers again; nothing was lost", "ended; 0 left",
    ]  # fmt: skip


@pytest.mark.slow
def test_an_outage_costs_nothing(tmp_path, uri):
    port = a_port()
    server = Server(uri, port=port, log=tmp_path / "server.log")
    records = [a_record(seed=s, hours=h) for s in (0, 1) for h in (1, 2, 3)]
    place = a_home(tmp_path / "runs", records[:2], state="")
    with running(place), server, Companion(place, server.address) as companion:
        assert until(lambda: len(place.runs()) == 3)
        server.stop()
        assert not answers(server.address)
        put_cells(place, records[2:])
        assert until(lambda: said(companion, "MlflowException"))
        with server:
            assert until(lambda: len(place.runs()) == 7)
            put_state(place, "done")
            assert companion.close() == 0
            parent, children = everything(server.address)
    lines = [line for line in companion.log.read_text().splitlines() if server.address in line]
    assert len(lines) == 2 and "nothing was lost" in lines[1], "one line when it goes, one when it is back"
    assert set(children) == {r["key"] for r in records} and parent[0][0] == "FINISHED"
    assert [step for step, _, _ in parent[4]["miou_present/fine"]] == [60, 120, 180]
    assert all(child[6] == ["cell.yaml", "log.txt"] for child in children.values())
    place.report.mkdir()
    (place.report / "more.txt").write_text("written to the file that the server kept")
    done = sync(place, uri)
    assert done is not None and done.error == ""
    with server:
        assert "more.txt" in everything(server.address)[0][6]


@pytest.mark.slow
def test_a_server_that_stays_away_leaves_all_for_the_next_time(tmp_path, uri):
    place = a_home(tmp_path / "runs", [a_record(), a_record(seed=1)])
    nowhere = f"http://127.0.0.1:{a_port()}"
    with Companion(place, nowhere, drain=3) as companion:
        assert until(lambda: said(companion, "MlflowException"))
    assert companion.close() == 2 and "2 left" in companion.log.read_text()
    with Companion(place, uri) as companion:
        pass
    assert companion.close() == 0 and len(everything(uri)[1]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_driver(tmp_path, uri, how):
    place = a_home(tmp_path / "runs", [a_record()])
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "runs"), uri]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    with driver.stdout as out:
        companion = int(out.readline())
    driver.send_signal(how)
    driver.wait()
    assert until(lambda: not alive(companion), 40)
    assert len(place.runs()) == 2 and len(everything(uri)[1]) == 1


@pytest.mark.slow
def test_a_second_one_waits_for_its_turn(tmp_path, uri):
    place = a_home(tmp_path / "runs", [a_record()])
    with sole(place):
        with Companion(place, uri, drain=1) as second:
            time.sleep(2.5)
            assert not place.runs()
        assert second.close() == 1
    with Companion(place, uri):
        assert until(lambda: len(place.runs()) == 2)
