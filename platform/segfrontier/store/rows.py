"""What a listing of the store shows: one typed row a result, and sizes and ages as people write them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from segfrontier.errors import BadInput
from segfrontier.store.entry import EntryManifest

State = Literal["stored", "unfinished", "damaged"]

_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRow:
    """One result: stored, unfinished (the scratch of an attempt that did not end) or damaged (set aside)."""

    key: str
    kind: str
    state: State
    size: int
    """Bytes."""
    created: float
    """Seconds since 1970, like `used`."""
    used: float
    seconds: float
    """What it took to compute."""
    pinned: bool
    inputs: tuple[str, ...]
    """Keys and digests it was computed from."""
    place: str
    """Where it lies, from the store's root."""

    @classmethod
    def of(
        cls, manifest: EntryManifest | None, *, key: str, place: str, state: State, size: int, used: float, pinned: bool
    ) -> StoreRow:
        """The row of a result, with what its manifest says if there is one that can be read."""
        return cls(
            key=key,
            kind=manifest.kind if manifest else "?",
            state=state,
            size=size,
            created=datetime.fromisoformat(manifest.created).timestamp() if manifest else used,
            used=used,
            seconds=manifest.seconds if manifest else 0.0,
            pinned=pinned,
            inputs=manifest.inputs if manifest else (),
            place=place,
        )

    def cells(self, *, now: float | None = None) -> dict[str, str]:
        """The row as text, by column."""
        now = time.time() if now is None else now
        return {
            "key": self.key,
            "kind": self.kind,
            "state": self.state,
            "size": human_size(self.size),
            "age": human_age(now - self.created),
            "last used": human_age(now - self.used),
            "took": human_age(self.seconds),
            "pinned": "yes" if self.pinned else "",
        }


def human_size(size: float) -> str:
    """`1500000` as `1.5 MB`."""
    unit = max((u for u in ("B", "KB", "MB", "GB", "TB") if size >= _BYTES[u]), key=_BYTES.__getitem__, default="B")
    return f"{size:.0f} B" if unit == "B" else f"{size / _BYTES[unit]:.1f} {unit}"


def human_age(seconds: float) -> str:
    """`7300` as `2 h`."""
    unit = max((u for u in ("s", "min", "h", "d") if seconds >= _SECONDS[u]), key=_SECONDS.__getitem__, default="s")
    return f"{max(seconds, 0) / _SECONDS[unit]:.0f} {unit}"


def parse_size(text: str) -> int:
    """`200GB`, `1.5 GiB` or `1000B` in bytes."""
    return round(_parse(text, _BYTES, "a size", "200GB"))


def parse_age(text: str) -> float:
    """`30d`, `12 h` or `90s` in seconds."""
    return _parse(text, _SECONDS, "an age", "30d")


def _parse(text: str, units: dict[str, int], what: str, example: str) -> float:
    match = re.fullmatch(r"\s*([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([A-Za-z]+)\s*", text)
    factor = {unit.lower(): factor for unit, factor in units.items()}.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise BadInput(f"{what} must be a number and one of {', '.join(units)}; found {text!r}; write e.g. {example}")
    return float(match[1]) * factor
