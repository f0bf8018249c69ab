"""The read barrier: what a method's lab holds instead of a market.

A `MarketWindow` carries an opaque token and nothing else. The market behind it lies in a registry of this process, so
that no attribute, slot, closure, bound method or raised error of anything handed out leads to target truth, and a
window that is pickled, copied or forked away leads nowhere.

What is guarded: honest methods and their mistakes (a training job that would carry truth along in a closure, a
checkpoint that would pickle it, a method that would come upon it by following attributes), and every public door: a
request is copied into plain values before the market sees it, its code (an array that is asked, a list that is walked)
runs while no market is on the stack, and what was not charged is not delivered, however the request is built.

What is not guarded: hostile code in the same process. It can import this module and read the registry, look at the
frames below it or ask the garbage collector, read `/proc`, or open the world's files by itself; nothing in one Python
process can prevent that. Whoever runs methods that they do not trust runs them as another user, without read access to
the world's truth folder, the mirrors of it in the cache, and the home's folder of labels.
"""

from __future__ import annotations

import os
import secrets
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NoReturn, TypeVar, cast

from segfrontier.errors import SegFrontierError
from segfrontier.market.market import Market, Purchase
from segfrontier.market.plain import plain_text
from segfrontier.market.requests import Request, frozen
from segfrontier.market.tiling import Tiling

_OPEN: dict[str, Market] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_OPEN.clear)  # a data loader's worker inherits no market

_T = TypeVar("_T")


def open_window(market: Market) -> MarketWindow:
    """A window on a market, until it is closed."""
    token = secrets.token_hex(16)
    _OPEN[token] = market
    return MarketWindow(token)


class MarketWindow:
    """Buys from a market that it cannot show. Use as a context manager, or call `close` in the end."""

    __slots__ = ("_token",)

    def __init__(self, token: str) -> None:
        self._token = token

    def buy(self, request: Request, *, stage: str, at_most: int | None = None) -> Purchase:
        """See `Market.buy`."""
        request = frozen(request)
        return self._answer(lambda market: market.buy(request, stage=stage, at_most=at_most))

    def quote(self, request: Request) -> int | None:
        """See `Market.quote`."""
        request = frozen(request)
        return self._answer(lambda market: market.quote(request))

    def sold(self, kind: str, scenes: Sequence[str], *, tiling: Tiling | None = None) -> list[str]:
        """See `Market.sold`."""
        scenes = [plain_text(scene) for scene in scenes]
        tiling = None if tiling is None else Tiling.copied(tiling)
        return self._answer(lambda market: market.sold(kind, scenes, tiling=tiling))

    def price(self, kind: str) -> float:
        """Seconds that one act of a kind costs."""
        return self._answer(lambda market: market.prices.price(kind).milliseconds / 1000)

    @property
    def used(self) -> int:
        """See `Market.used`."""
        return self._answer(lambda market: market.used)

    @property
    def left(self) -> int:
        """See `Market.left`."""
        return self._answer(lambda market: market.left)

    @property
    def spent(self) -> int:
        """The cell's bill in whole seconds."""
        return self._answer(lambda market: market.spent)

    @property
    def remaining(self) -> int:
        """What the budget still holds, in whole seconds."""
        return self._answer(lambda market: market.remaining)

    def close(self) -> None:
        """Shut the window; closing twice does no harm."""
        _OPEN.pop(self._token, None)

    def __enter__(self) -> MarketWindow:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a market's window stays in its process: buy here and send the LabelSet, which travels; the market does not"
        )

    def _answer(self, question: Callable[[Market], _T]) -> _T:
        result, failure = _ask(self._token, question)
        if failure is not None:
            raise failure
        return cast("_T", result)


def _ask(token: str, question: Callable[[Market], _T]) -> tuple[_T | None, Exception | None]:
    """The market's answer, or its complaint without the frames, causes and arguments that lead back to the market."""
    if token not in _OPEN:
        return None, RuntimeError(
            "a market's window must be open and in the process that opened it; this one is closed, or was carried over "
            "by a fork. Open another with open_window()."
        )
    try:
        return question(_OPEN[token]), None
    except SegFrontierError as error:
        return None, type(error)(str(error))
    except Exception as error:
        failure = SegFrontierError(f"the market failed; this is a fault of the platform: {type(error).__name__}")
        failure.add_note(traceback.format_exc())
        return None, failure
