"""What an annotator is to a market, whether labels are drawn from truth or exist already."""

from __future__ import annotations

from typing import Protocol

from segfrontier.market.acts import Acts
from segfrontier.scenes.labels import LabelRow


class Annotator(Protocol):
    """Answers the scenes of one request.

    For boxes and tags only the answer itself knows how many units it takes (`known` is False), so that neither a quote
    nor a refusal may tell.
    """

    known: bool

    def acts(self, scene: str, /) -> Acts:
        """What answering this scene takes."""

    def row(self, scene: str, /) -> LabelRow:
        """The answer."""
