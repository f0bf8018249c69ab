"""SegFrontier: which labels to buy, and which method turns them into the best segmentation."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from segfrontier.lab.leaving.loading import load_model as load_model
    from segfrontier.scenes.builtin import open_world as open_world
    from segfrontier.study.config import Study as Study
    from segfrontier.study.run import run_study as run_study

_PUBLIC = {
    "Study": "segfrontier.study.config",
    "load_model": "segfrontier.lab.leaving.loading",
    "open_world": "segfrontier.scenes.builtin",
    "run_study": "segfrontier.study.run",
}


def __getattr__(name: str) -> Any:
    """What scripts begin with, when it is asked for: most of it needs torch, which takes seconds to import."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'segfrontier' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
