"""One run a study at a time: many at once, after a kill, with a pid that exists again, and from another machine."""

import os
import signal
import subprocess
import sys
import time

import pytest

from segfrontier.basics.atomic import write_json
from segfrontier.basics.locks import FileLock, is_held
from segfrontier.errors import BadStudy
from segfrontier.home import claiming
from segfrontier.home.claiming import LOCK, RUN, STOP, Run, claimed, is_running
from segfrontier.home.layout import Home
from segfrontier.home.status import Board

CLAIM = """
import sys, time
from pathlib import Path
from segfrontier.errors import BadStudy
from segfrontier.home import claiming
folder, tune = Path(sys.argv[1]), Path(sys.argv[1]) / "tune"
if sys.argv[2] == "own-locks":  # as on machines that share no file locks
    claiming.LOCK = f"lock-{sys.argv[3]}"
    claiming._kernel = lambda: sys.argv[3]
print("ready", flush=True)
sys.stdin.readline()
try:
    with claiming.claimed(folder, "toy", lambda why: None):
        tune.mkdir()  # fails where another one went on as well
        print("went on", flush=True)
        sys.stdin.readline()
        tune.rmdir()
except BadStudy as error:
    print(error, flush=True)
"""


def quiet(_):
    """Nobody hears what is waited for."""


def rivals(folder, count, locks):
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, str(folder), locks, str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    for one in started:
        assert one.stdout.readline() == "ready\n"
    return started


def say(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.slow
@pytest.mark.parametrize("locks", ["shared-locks", "own-locks"])
def test_of_many_at_the_same_instant_exactly_one_goes_on(tmp_path, locks):
    for again in range(3):
        started = rivals(tmp_path, 8, locks)
        if locks == "own-locks" and again:  # the one before has died as the newest lease tells
            newest = claiming._newest(tmp_path)
            os.utime(tmp_path / f"lease.{newest}", (0, 0))
        for one in started:
            say(one)
        told = [one.stdout.readline() for one in started]
        assert sum(line == "went on\n" for line in told) == 1, told
        assert sum("must be run by one process at a time" in line for line in told) == 7, told
        for one in started:
            one.kill()
            one.communicate()
        (tmp_path / "tune").rmdir()


def test_a_refused_one_touches_nothing(tmp_path):
    with claimed(tmp_path, "toy", quiet):
        (tmp_path / STOP).touch()
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        with (
            pytest.raises(BadStudy, match=f"process {os.getpid()} on .* is at it.*segfrontier stop toy"),
            claimed(tmp_path, "toy", quiet),
        ):
            pytest.fail("it went on")
        assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before and is_running(tmp_path)
    assert not is_running(tmp_path) and not (tmp_path / LOCK).exists()


@pytest.mark.parametrize("pid", [1, os.getpid()], ids=["init", "own"])
def test_a_pid_that_exists_again_says_nothing(tmp_path, pid):
    """A pod that was restarted is process 1 again; a zombie or a stranger may have the number."""
    with claimed(tmp_path, "toy", quiet):
        write_json(tmp_path / RUN, claiming._plain(Run.read(tmp_path)) | {"pid": pid})
        left = (tmp_path / RUN).read_bytes(), (tmp_path / "lease.1").stat().st_mtime
    (tmp_path / RUN).write_bytes(left[0])  # as after SIGKILL
    assert not is_running(tmp_path) and not Board(Home(tmp_path).study("toy")).alive()
    began = time.monotonic()
    with claimed(tmp_path, "toy", lambda why: pytest.fail(why)):
        assert is_running(tmp_path)
    assert time.monotonic() - began < 5


@pytest.mark.slow
def test_a_killed_run_frees_the_study_at_once_also_as_a_zombie(tmp_path):
    (one,) = rivals(tmp_path, 1, "shared-locks")
    say(one)
    assert one.stdout.readline() == "went on\n" and is_running(tmp_path)
    one.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now: nobody has asked for its end
    assert not is_running(tmp_path)
    with claimed(tmp_path, "toy", lambda why: pytest.fail(why)):
        pass
    one.communicate()


def foreign(folder, number=3):
    """A run of a machine that shares no file locks."""
    (lease := folder / f"lease.{number}").touch()
    write_json(folder / RUN, {"pid": 1, "host": "node9", "kernel": "another", "lease": number, "ended": False})
    return lease


def test_a_run_of_another_machine_is_waited_for_and_then_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(claiming, "LEASE_SECONDS", 0.4)
    monkeypatch.setattr(claiming, "BEAT_SECONDS", 0.1)
    lease, told = foreign(tmp_path), []
    assert is_running(tmp_path)
    with claimed(tmp_path, "toy", told.append) as leave:
        assert told and "process 1 on node9" in told[0] and "waiting up to" in told[0]
        assert not leave() and not lease.exists(), "at that its trials leave, should it live after all"


def test_a_run_of_another_machine_that_shows_a_sign_of_life_is_left_alone(tmp_path, monkeypatch):
    lease = foreign(tmp_path)

    def beats(_):
        os.utime(lease, (time.time() + 1, time.time() + 1))

    monkeypatch.setattr(claiming, "BEAT_SECONDS", 0.1)
    with pytest.raises(BadStudy, match="process 1 on node9 is at it"), claimed(tmp_path, "toy", beats):
        pytest.fail("it went on")
    assert lease.exists() and not is_held(tmp_path / LOCK)


def test_an_old_or_ended_lease_of_another_machine_is_not_waited_for(tmp_path):
    os.utime(foreign(tmp_path), (1e9, 1e9))
    with claimed(tmp_path, "toy", lambda why: pytest.fail(why)):
        pass
    foreign(tmp_path, 9)
    write_json(tmp_path / RUN, {"pid": 1, "host": "node9", "kernel": "another", "lease": 9, "ended": True})
    with claimed(tmp_path, "toy", lambda why: pytest.fail(why)):
        pass


def test_a_clock_that_is_wrong_by_years_changes_nothing(tmp_path, monkeypatch):
    foreign(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert is_running(tmp_path)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert is_running(tmp_path)


@pytest.mark.parametrize("text", ["", "[1]", '{"pid": "1"}', "[" * 10**5, '{"pid": 1, "host": "h", "lease": 1.5}'])
def test_a_damaged_run_file_locks_nobody_out(tmp_path, text):
    (tmp_path / RUN).write_text(text)
    assert not is_running(tmp_path)
    with claimed(tmp_path, "toy", quiet):
        assert Run.read(tmp_path).pid == os.getpid()


def test_looking_at_a_lock_does_not_keep_anyone_out(tmp_path):
    lock = FileLock(tmp_path / "lock")
    assert not is_held(lock.path)
    assert lock.take() and is_held(lock.path)
    lock.release()
    assert not is_held(lock.path) and lock.take()
    lock.release()
