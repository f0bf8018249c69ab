"""Validation scenes for a data set that has none: a share of the training scenes, drawn by name and a stated seed.

Each scene is drawn by itself, from the hash of seed and name. So scenes that come later move no other one between the
splits, and a larger share keeps the scenes of a smaller one.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s?%")


class Holdout(BaseModel):
    """`20 %`, `0.2`, or `{share: 20 %, seed: 1, by: city}`: scenes of one city (`{city}` in the paths) stay together.

    Neighbouring frames of a film look alike: drawn one by one, a model would be scored on what it has all but seen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built when one is read: few do

    share: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    by: Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,99}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_share(cls, value: Any) -> Any:
        plain = dict(value) if isinstance(value, dict) else value if isinstance(value, cls) else {"share": value}
        if isinstance(plain, dict) and isinstance(plain.get("share"), str):
            match = _PERCENT.fullmatch(plain["share"].strip())
            if match is None:
                raise ValueError(f"a share is written `20 %` or `0.2`; found {plain['share'][:60]!r}")
            plain["share"] = float(match[1]) / 100
        return plain

    def takes(self, name: str) -> bool:
        """Whether what goes by this name is for validation."""
        drawn = hashlib.blake2b(f"{self.seed}:{name}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn, "big") < self.share * 2**64
