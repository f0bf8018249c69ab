"""The market: the only door to target truth. A method asks, the ledger is charged, the bought labels come back.

The names below are the room's public face. Each loads its module when first asked for, so that reading prices or a
ledger loads neither OpenCV nor SciPy. What is learned from labels, and by whom, is not for this room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from segfrontier.basics.lazy import public_names

if TYPE_CHECKING:
    from segfrontier.market.acts import KINDS as KINDS
    from segfrontier.market.budget import hours as hours
    from segfrontier.market.budget import seconds_from_hours as seconds_from_hours
    from segfrontier.market.export import export_acts as export_acts
    from segfrontier.market.ledger import Ledger as Ledger
    from segfrontier.market.ledger import given_ledger as given_ledger
    from segfrontier.market.market import Market as Market
    from segfrontier.market.market import Purchase as Purchase
    from segfrontier.market.noise import Noise as Noise
    from segfrontier.market.prices import PriceList as PriceList
    from segfrontier.market.prices import default_prices as default_prices
    from segfrontier.market.prices import load_prices as load_prices
    from segfrontier.market.prices import packaged_price_lists as packaged_price_lists
    from segfrontier.market.prices import prices_for as prices_for
    from segfrontier.market.prices import read_prices as read_prices
    from segfrontier.market.report import ledger_table as ledger_table
    from segfrontier.market.requests import Boxes as Boxes
    from segfrontier.market.requests import Coarse as Coarse
    from segfrontier.market.requests import Fine as Fine
    from segfrontier.market.requests import Points as Points
    from segfrontier.market.requests import Request as Request
    from segfrontier.market.requests import Tags as Tags
    from segfrontier.market.tiling import PAPER_002 as PAPER_002
    from segfrontier.market.tiling import WHOLE_IMAGE as WHOLE_IMAGE
    from segfrontier.market.tiling import Tiling as Tiling
    from segfrontier.market.window import MarketWindow as MarketWindow
    from segfrontier.market.window import open_window as open_window


__getattr__, __dir__ = public_names(__name__, __file__)
