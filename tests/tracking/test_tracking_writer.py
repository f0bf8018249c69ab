"""The writer beside a driver: it tells while the driver works, waits out an outage, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import time

import pytest
from trackhere import STUDY, a_record, a_spool, everything, put_cells

from segfrontier.tracking import Spool, Writer, replay
from segfrontier.tracking.server import Server, answers, free_port

DRIVER = """
import sys, time
from pathlib import Path
from segfrontier.tracking import Spool, Writer, replay
writer = Writer(Spool(Path(sys.argv[1]) / "spool"), sys.argv[2], Path(sys.argv[1]) / "runs.json")
with writer:
    print(writer._process.pid, flush=True)
    time.sleep(600)
"""


def until(what, seconds=60.0):
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_port_that_is_taken_is_passed_by():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port and free_port(0) not in (0, port)


def test_starting_a_writer_costs_the_driver_little_and_nothing_to_tell_is_fine(tmp_path):
    began = time.perf_counter()
    with Writer(Spool(tmp_path / "spool"), f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "runs.json") as writer:
        assert time.perf_counter() - began < 1.0 and "mlflow" not in vars(writer)
    assert writer.close() == 0 and not (tmp_path / "mlflow.db").exists()
    assert "0 left" in writer.log.read_text()


@pytest.mark.slow
def test_what_is_put_while_the_driver_works_is_in_mlflow_when_it_closes(tmp_path, uri):
    with Writer(spool := a_spool(tmp_path), uri, tmp_path / "runs.json") as writer:
        for seed in range(4):
            put_cells(spool, [a_record(seed=seed)])
            time.sleep(0.4)
    assert writer.close() == 0 and len(everything(uri)[1]) == 4


@pytest.mark.slow
def test_an_outage_costs_nothing(tmp_path, uri):
    port = free_port(0)
    server = Server(uri, port=port, log=tmp_path / "server.log")
    records = [a_record(seed=s, hours=h) for s in (0, 1) for h in (1, 2, 3)]
    with server, Writer(spool := a_spool(tmp_path, records[:2]), server.address, tmp_path / "runs.json") as writer:
        until(lambda: not spool.waiting())
        server.stop()
        assert not answers(server.address)
        put_cells(spool, records[2:])
        until(lambda: "MlflowException" in writer.log.read_text())
        assert len(spool.waiting()) == 4
        with server:
            until(lambda: not spool.waiting())
            parent, children = everything(server.address)
        assert writer.close() == 0
    lines = [line for line in writer.log.read_text().splitlines() if server.address in line]
    assert len(lines) == 2 and "nothing was lost" in lines[1], "one line when it goes, one when it is back"
    assert set(children) == {r["key"] for r in records} and not spool.broken.exists()
    assert [step for step, _, _ in parent[4]["miou/fine"]] == [60, 120, 180]
    assert all(child[6] == ["cell.yaml"] for child in children.values())
    (tmp_path / "more.txt").write_text("told to the file that the server kept")
    spool.put("artefacts", "tiny", {"study": "tiny", "files": [str(tmp_path / "more.txt")]})
    assert replay(spool, uri, runs_file=tmp_path / "runs.json").sent == 1
    with server:
        assert "more.txt" in everything(server.address)[0][6]


@pytest.mark.slow
def test_a_server_that_stays_away_leaves_all_for_the_next_time(tmp_path, uri):
    spool = a_spool(tmp_path, [a_record()])
    nowhere = f"http://127.0.0.1:{free_port(0)}"
    with Writer(spool, nowhere, tmp_path / "runs.json", drain=3) as writer:
        until(lambda: "MlflowException" in writer.log.read_text())
    assert writer.close() == 2 and "2 left" in writer.log.read_text()
    with Writer(spool, uri, tmp_path / "runs.json") as writer:
        pass
    assert writer.close() == 0 and len(everything(uri)[1]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_writer_ends_with_its_driver(tmp_path, uri, how):
    spool = a_spool(tmp_path, [a_record()])
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path), uri], stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    with driver.stdout as out:
        writer = int(out.readline())
    driver.send_signal(how)
    driver.wait()
    until(lambda: not alive(writer), 40)
    assert not spool.waiting() and len(everything(uri)[1]) == 1


@pytest.mark.slow
def test_a_second_writer_waits_for_its_turn(tmp_path, uri):
    spool = a_spool(tmp_path)
    with spool.held():
        with Writer(spool, uri, tmp_path / "runs.json", drain=1) as second:
            time.sleep(2.5)
            assert len(spool.waiting()) == 1
        assert second.close() == 1
    spool.put("study", "tiny", STUDY)
    with Writer(spool, uri, tmp_path / "runs.json"):
        until(lambda: not spool.waiting())
