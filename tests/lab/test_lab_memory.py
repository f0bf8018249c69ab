"""Freed memory that stays: the C library is told so once, where it can be told."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from segfrontier.lab.training import memory

WORK = "from segfrontier.lab.training.memory import keep_freed_memory as keep; print(keep(), keep())"


@pytest.fixture(autouse=True)
def _afresh():
    memory.keep_freed_memory.cache_clear()
    yield
    memory.keep_freed_memory.cache_clear()


def test_glibc_is_told_once_to_keep_what_is_freed(monkeypatch):
    told = []
    glibc = SimpleNamespace(mallopt=lambda *option: told.append(option) or 1)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: glibc)
    assert memory.keep_freed_memory() and memory.keep_freed_memory()
    assert dict(told) == {-4: 0, -1: 2**30} and len(told) == 2


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())
    assert memory.keep_freed_memory() is False
    memory.keep_freed_memory.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: (_ for _ in ()).throw(OSError(name)))
    assert memory.keep_freed_memory() is False


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_the_call_does_no_harm():
    told = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True).stdout.split()
    assert told in (["True", "True"], ["False", "False"])
