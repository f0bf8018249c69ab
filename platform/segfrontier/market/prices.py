"""Price lists: seconds per act with a source for every number, and the rule that turns acts into a bill.

The bill of a cell is ceil(sum over all its acts of count x price), in whole seconds. It depends on the acts alone,
never on how they were split into purchases: a purchase costs what the bill grows by.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from segfrontier.basics.reading import parse_yaml, read_text
from segfrontier.basics.wording import explain, nearest
from segfrontier.errors import BadPrices
from segfrontier.market.acts import EXISTING, KINDS, Counter
from segfrontier.market.budget import SECONDS_PER_HOUR

FORMAT = 1
_MOST_ACTS, _TOLD = 100, 10


def _nameable(text: str) -> str:
    """What stands in tables and sentences: printable, on one line, without markup."""
    odd = next((c for c in text if not c.isprintable() or c in "[]<>\\"), None)
    if odd is not None:
        raise ValueError(f"must be a name without brackets, backslashes and control characters; it holds {odd!r}")
    return text


def _printable(text: str) -> str:
    odd = next((c for c in text if not (c.isprintable() or c in "\n\t")), None)
    if odd is not None:
        raise ValueError(f"must be text that can be printed; it holds {odd!r}")
    return text


_Exact = Annotated[Decimal, Field(lt=10**9, allow_inf_nan=False, max_digits=12, decimal_places=3)]
_Positive = Annotated[_Exact, Field(gt=0)]
_Text = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_printable)]
_Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_nameable)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Price(_Strict):
    """Seconds for one act, what they are paid per, and where the number comes from.

    0 stands for labels that exist already, where nobody counts what they took; see `EXISTING`.
    """

    seconds: Annotated[_Exact, Field(ge=0)]
    per: _Text
    source: _Text

    @property
    def milliseconds(self) -> int:
        """The price as an exact whole number."""
        return int(self.seconds * 1000)


class Money(_Strict):
    """What an hour of annotation is paid, for display."""

    per_hour: _Positive
    currency: Annotated[str, Field(pattern=r"^[\w$€£¥ .]{1,16}$")]

    def of(self, seconds: float) -> float:
        """What so many seconds are paid."""
        return float(self.per_hour) * seconds / SECONDS_PER_HOUR


class Count(Protocol):
    """Acts of one kind as the ledger totals them: answers (`units`) and questions (`asked`)."""

    @property
    def units(self) -> int: ...

    @property
    def asked(self) -> int: ...


class PriceList(_Strict):
    """Prices of one world; an act that it lacks cannot be bought there."""

    format: Literal[1]
    name: _Name
    version: Annotated[int, Field(ge=1, le=10**9, strict=True)]
    about: Annotated[str, Field(max_length=10_000), AfterValidator(_printable)] = ""
    acts: Annotated[dict[str, Price], Field(min_length=1)]
    money: Money | None = None

    def price(self, kind: str) -> Price:
        """The price of an act."""
        if kind not in self.acts:
            raise BadPrices(
                f"price list {self.name!r} (version {self.version}) must price the act {kind!r} before it can be "
                f"bought or billed; it prices: {', '.join(self.acts)}. Add {kind!r} to the list or choose another one."
            )
        return self.acts[kind]

    def counter(self, kind: str) -> Counter:
        """Which count of an act its price multiplies."""
        return KINDS[kind][self.price(kind).per]

    def milliseconds(self, kind: str, *, units: int, asked: int) -> int:
        """Exact price of acts of one kind."""
        return self.price(kind).milliseconds * (units if self.counter(kind) == "units" else asked)

    def bill(self, acts: Mapping[str, Count]) -> int:
        """Whole seconds for acts by kind: added up exactly, rounded up once."""
        return whole(sum(self.milliseconds(k, units=c.units, asked=c.asked) for k, c in acts.items()))

    def stating(self, seconds: Mapping[str, Decimal], *, world: str) -> PriceList:
        """The list, with what a world states of its labels that exist; a price that stands in the list holds."""
        stated = {
            kind: Price(seconds=seconds[asked], per=next(iter(KINDS[kind])), source=f"stated by the world {world}")
            for asked, kind in EXISTING.items()
            if asked in seconds and kind not in self.acts
        }
        if not stated:
            return self
        acts = {**self.acts, **stated}
        return PriceList(
            format=self.format, name=self.name, version=self.version, about=self.about, acts=acts, money=self.money
        )

    @cached_property
    def digest(self) -> str:
        """Identity of what is charged: name, version, seconds and what they are per; not the sources or the money."""
        charged = {kind: [price.milliseconds, price.per] for kind, price in sorted(self.acts.items())}
        return hashlib.blake2b(json.dumps([self.name, self.version, charged]).encode(), digest_size=16).hexdigest()


def whole(milliseconds: int) -> int:
    """Whole seconds on the bill: a second that was begun is paid."""
    return -(-milliseconds // 1000)


def packaged_price_lists() -> list[str]:
    """Names of the worlds whose price lists come with SegFrontier."""
    return sorted(f.name.removesuffix(".yaml") for f in _folder().iterdir() if f.name.endswith(".yaml"))


def load_prices(which: str | Path) -> PriceList:
    """The price list that a user names: a packaged one by its world's name, or one's own by the path of its file."""
    if isinstance(which, Path) or which.endswith((".yaml", ".yml")):
        return read_prices(which)
    return default_prices(which)


def read_prices(path: str | Path) -> PriceList:
    """The price list in a YAML file."""
    return parse_prices(read_text(path, what="a price list", error=BadPrices), where=str(path))


def default_prices(world: str) -> PriceList:
    """The packaged price list of a world. Worlds come from anywhere: a name is compared, never opened as a path."""
    if world not in packaged_price_lists():
        raise BadPrices(
            f"there must be a price list for {world!r}; none comes with SegFrontier "
            f"({nearest(world, packaged_price_lists())}). Give the path of your own YAML file as `prices`; "
            f"`world import` writes one to fill in beside the new world."
        )
    return parse_prices((_folder() / f"{world}.yaml").read_text(encoding="utf-8"), where=f"{world}.yaml")


def prices_for(world: str, given: str | Path | None = None) -> PriceList:
    """The price list that a cell buys under: the one that its user gave, else that of the world's name."""
    return default_prices(world) if given is None else load_prices(given)


def template_prices(world: str) -> str:
    """A price list for a world that has none, to be filled in: the seconds are those of Cityscapes, and say so."""
    usual = default_prices("cityscapes")
    acts = "\n".join(
        f'  {kind}: {{seconds: {price.milliseconds / 1000:g}, per: {price.per}, source: "TO BE MEASURED on {world}"}}'
        for kind, price in usual.acts.items()
    )
    return (
        f"# What an annotator of your images is paid for. The seconds are those of Cityscapes: measure your own on\n"
        f"# some 20 images, and say where each number is from. An act that is left out cannot be bought.\n"
        f"format: 1\nname: {world}\nversion: 1\nacts:\n{acts}\n# money: {{per_hour: 12, currency: EUR}}\n"
    )


def parse_prices(text: str, *, where: str) -> PriceList:
    """A validated price list from the text of its YAML file."""
    plain = parse_yaml(text, where=where, what="a price list", error=BadPrices)
    if not isinstance(plain, dict):
        found = "nothing" if plain is None else f"a {type(plain).__name__}"
        raise BadPrices(f"{where}: a price list must be a mapping with {_known(PriceList)}; found {found}")
    if plain.get("format") != FORMAT:
        raise BadPrices(
            f"{where}: this version reads price lists with 'format: {FORMAT}'; found {plain.get('format')!r}. "
            f"Write the list in that format, or use the SegFrontier version that wrote it."
        )
    if isinstance(plain.get("acts"), dict) and len(plain["acts"]) > _MOST_ACTS:
        raise BadPrices(
            f"{where}: a price list prices the acts {', '.join(KINDS)}; found {len(plain['acts'])} acts. Keep those."
        )
    try:
        prices = PriceList.model_validate(plain)
    except ValidationError as error:
        raise BadPrices(explain(error, PriceList, where=where)) from None
    _check_kinds(prices, where)
    return prices


def _check_kinds(prices: PriceList, where: str) -> None:
    for kind, price in prices.acts.items():
        if kind not in KINDS:
            raise BadPrices(f"{where}: acts must be of a known kind; found {kind!r} ({nearest(kind, KINDS)})")
        if price.per not in KINDS[kind]:
            raise BadPrices(
                f"{where}: acts.{kind}.per must be one of {', '.join(map(repr, KINDS[kind]))}; found {price.per!r} "
                f"({nearest(price.per, KINDS[kind])})"
            )
        if price.seconds == 0 and kind not in EXISTING.values():
            raise BadPrices(f"{where}: acts.{kind}.seconds must be greater than 0; found 0")


def _known(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)


def _folder() -> Any:
    return files("segfrontier.market") / "prices"
