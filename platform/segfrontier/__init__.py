"""SegFrontier: which labels to buy, and which method turns them into the best segmentation."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from segfrontier.lab.leaving.loading import load_model as load_model


def __getattr__(name: str) -> Any:
    """`load_model`, when it is asked for: it needs torch, which takes seconds to import."""
    if name != "load_model":
        raise AttributeError(f"module 'segfrontier' has no attribute {name!r}")
    from segfrontier.lab.leaving.loading import load_model

    return load_model
