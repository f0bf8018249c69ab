"""What a signal does to a run: one asks all cells to leave with their state saved, two end it at once."""

import os
import pty
import signal
import sys
import time

import pytest
from driverhere import said, start, trains
from toystudy import RECIPE, outcome, toy_study
from waiting import until

from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.lab.signals import heeding_signals, own_handlers
from segfrontier.study.run import run_study

LONG = {"methods": ["fine"], "seeds": [0, 1, 2], "budgets": [0.2], "recipe": RECIPE | {"steps": 400}}


def training(tmp_path, study, **how):
    driver = start(study, tmp_path, **how)
    assert until(lambda: trains(tmp_path / "runs") or driver.poll() is not None) and driver.poll() is None, said(
        tmp_path
    )
    return driver


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_one_signal_ends_the_whole_run_with_its_state_saved(tmp_path, number):
    home = tmp_path / "runs"
    driver = training(tmp_path, toy_study(tmp_path, **LONG))
    driver.send_signal(number)
    assert driver.wait(30) == 130, said(tmp_path)
    assert "it was asked to stop" in said(tmp_path) and "Traceback" not in said(tmp_path)
    assert len(list(home.glob("cells/*/log.txt"))) == 1, "no other cell was begun"
    assert not list(home.glob("cells/*/record.json")) and list((home / "store").rglob("checkpoints/*"))


@pytest.mark.slow
def test_what_a_signal_left_goes_on_to_the_same_numbers_and_curves(tmp_path):
    study = toy_study(tmp_path, **LONG | {"seeds": [0], "recipe": RECIPE | {"steps": 160}})
    driver = training(tmp_path, study)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(30) == 130
    resumed, whole = (run_study(study, home=tmp_path / name, tracking="none") for name in ("runs", "whole"))
    (one,), (other,) = records(resumed.study), records(whole.study)
    assert outcome(one) == outcome(other) and one.curves == other.curves
    assert [step for step, _ in next(iter(one.curves.values()))] == list(range(20, 161, 20))


@pytest.mark.slow
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_two_signals_end_it_at_once(tmp_path, second):
    driver = training(tmp_path, toy_study(tmp_path, **LONG))
    driver.send_signal(signal.SIGTERM)
    driver.send_signal(second)
    assert driver.wait(5) == 130, said(tmp_path)
    assert "Traceback" not in said(tmp_path) and not list((tmp_path / "runs").glob("cells/*/record.json"))


@pytest.mark.slow
def test_a_terminal_that_closes_is_heeded_like_ctrl_c(tmp_path):
    master, slave = pty.openpty()
    driver = training(
        tmp_path, toy_study(tmp_path, **LONG), stdout=slave, stderr=slave, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(slave), os.O_RDWR)),
    )  # fmt: skip
    os.close(slave)
    os.close(master)
    assert driver.wait(30) == 130
    assert not list((tmp_path / "runs").glob("cells/*/record.json"))


@pytest.mark.parametrize("code", [signal.SIGTERM, 1])
def test_a_signal_while_ray_starts_is_no_exit_code_of_ray(code):
    """As Ray's own handlers leave, in the moments in which they are in place."""
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), own_handlers():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(code))
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(SystemExit), own_handlers():
        sys.exit(2)


@pytest.mark.slow
def test_stop_ends_it_with_1(tmp_path):
    driver = training(tmp_path, toy_study(tmp_path, **LONG))
    (Home(tmp_path / "runs").study("toy").path / "stop").touch()
    assert driver.wait(30) == 1 and "it was asked to stop" in said(tmp_path)


def test_blocks_inside_one_another_ask_the_same_question():
    told, before = [], signal.getsignal(signal.SIGTERM)
    with heeding_signals(lambda: told.append(True)) as outer:
        with heeding_signals() as inner:
            assert not inner()
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0)
            assert inner() and outer() and told == [True]
        assert outer()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGTERM) is before


def test_who_ignores_hangups_goes_on_ignoring_them():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as under nohup
    try:
        with heeding_signals() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked()
    finally:
        signal.signal(signal.SIGHUP, before)
