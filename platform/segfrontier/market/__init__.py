"""The market: the only door to target truth. A method asks, the ledger is charged, the bought labels come back."""

from segfrontier.market.acts import KINDS as KINDS
from segfrontier.market.acts import Boxes as Boxes
from segfrontier.market.acts import Coarse as Coarse
from segfrontier.market.acts import Fine as Fine
from segfrontier.market.acts import Points as Points
from segfrontier.market.acts import Request as Request
from segfrontier.market.acts import Tags as Tags
from segfrontier.market.budget import hours as hours
from segfrontier.market.budget import seconds_from_hours as seconds_from_hours
from segfrontier.market.export import export_acts as export_acts
from segfrontier.market.ledger import Ledger as Ledger
from segfrontier.market.market import Market as Market
from segfrontier.market.market import Purchase as Purchase
from segfrontier.market.noise import Noise as Noise
from segfrontier.market.prices import PriceList as PriceList
from segfrontier.market.prices import load_prices as load_prices
from segfrontier.market.prices import packaged_price_lists as packaged_price_lists
from segfrontier.market.report import ledger_table as ledger_table
from segfrontier.market.tiling import PAPER_002 as PAPER_002
from segfrontier.market.tiling import WHOLE_IMAGE as WHOLE_IMAGE
from segfrontier.market.tiling import Tiling as Tiling
from segfrontier.market.window import Window as Window
from segfrontier.market.window import open_window as open_window
