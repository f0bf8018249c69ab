"""SegFrontier: which labels to buy, and which method turns them into the best segmentation."""

from typing import TYPE_CHECKING

from segfrontier.basics.lazy import public_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    from segfrontier.lab.leaving.loading import load_model as load_model
    from segfrontier.scenes.builtin import open_world as open_world
    from segfrontier.study.config import Study as Study
    from segfrontier.study.run import run_study as run_study

__getattr__, __dir__ = public_names(__name__, __file__)
