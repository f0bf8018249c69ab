"""The large libraries, loaded before whatever else imports them, while Python's collector rests.

They make a million objects that stay. The collector would look through all of them again and again: a third of the
time that a process takes to start, and of what it then spends on objects of its own.

PyTorch's compiler, which takes two thirds as long as all else of PyTorch, waits until something is trained or compiled.
Timm and torchvision would load it at their own import, for two functions that whatever labels or steers never calls.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import ModuleType
from typing import Any

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_COMPILER, _UTILS = "torch._dynamo", "torch._dynamo.utils"


def _has_compiler() -> bool:
    return not isinstance(sys.modules.get(_COMPILER), _StandIn | None)


def load_compiler() -> None:
    """What every optimiser of PyTorch asks for when it is made; it takes a seventh less while the collector rests."""
    if not _has_compiler():
        with _collector_at_rest():
            importlib.import_module(_COMPILER)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is here now is not looked at again
        if enabled:
            gc.enable()


class _StandIn(ModuleType):
    """A module that is loaded, and takes its place again, as soon as something is asked of it that it does not hold."""

    def __getattr__(self, wanted: str) -> Any:
        if wanted.startswith("__"):  # what the import system asks of any module
            raise AttributeError(wanted)
        return getattr(_real(self.__name__), wanted)


@contextmanager
def _compiler_stood_in_for() -> Iterator[None]:
    if _COMPILER in sys.modules:
        yield
        return
    compiler, utils = _StandIn(_COMPILER), _StandIn(_UTILS)
    compiler.disable, utils.is_compile_supported = _disable, _is_compile_supported  # type: ignore[attr-defined]
    compiler.__path__ = []
    sys.modules |= {_COMPILER: compiler, _UTILS: utils}
    try:
        yield
    finally:
        _leave()


def _disable(function: Callable[..., Any], *given: Any, **named: Any) -> Callable[..., Any]:
    """Where no compiler is loaded, nothing is compiled that this function must be kept out of."""

    @wraps(function)
    def kept_out(*values: Any, **options: Any) -> Any:
        if not _has_compiler():
            return function(*values, **options)
        return torch.compiler.disable(function, *given, **named)(*values, **options)

    return kept_out


def _is_compile_supported(device_type: str) -> Any:
    return _real(_UTILS).is_compile_supported(device_type)


def _real(name: str) -> ModuleType:
    _leave()
    return importlib.import_module(name)


def _leave() -> None:
    for name in (_COMPILER, _UTILS):
        if isinstance(sys.modules.get(name), _StandIn):
            del sys.modules[name]


with _collector_at_rest():
    import torch as torch

    with _compiler_stood_in_for():
        import timm as timm
atexit.register(gc.unfreeze)  # at the end some libraries count what was left
