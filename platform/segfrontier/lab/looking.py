"""How a model is to be looked at. It belongs to the model that a method returns, and all that is seen of it uses it."""

from __future__ import annotations

from dataclasses import dataclass

from segfrontier.errors import BadInput
from segfrontier.maths import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How a model looks at an image: through which views, at which size, whole or window by window."""

    views: tuple[View, ...] = (View(),)
    resize: tuple[int, int] | None = None  # (height, width) that the network sees; answers come at the image's own size
    window: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not self.views:
            raise BadInput("looking needs at least one view; give View() for the image as it is")
        if self.stride is not None and self.window is None:
            raise BadInput("a stride is that of a sliding window; give a window too")
