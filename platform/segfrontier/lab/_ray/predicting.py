"""The masks of a folder of images, made side by side: names go to a pool of actors, masks to a disk that all share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import torch

from segfrontier.lab._ray.data import outcomes
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab._ray.start import start_ray
from segfrontier.lab.handles import Model
from segfrontier.lab.leaving.folder import write_masks
from segfrontier.lab.leaving.loading import LoadedModel, load_model
from segfrontier.lab.passes.base import Outcome
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.training.loop import Bench


@dataclass(frozen=True)
class _Masks:
    """What an actor does with a name. The model is loaded by its place: whatever can be loaded can predict here."""

    source: str
    images: Path
    out: Path
    device: str
    models: Mapping[str, Model] = field(default_factory=dict)

    def outcomes(self, models: Predictors, names: Sequence[str], *, together: int) -> Iterator[Outcome]:  # noqa: ARG002
        """Write the masks of images."""
        yield from write_masks(_loaded(self.source, self.device), self.images, self.out, names, together=together)


@lru_cache(maxsize=1)
def _loaded(source: str, device: str) -> LoadedModel:
    return load_model(source, device=device)


@dataclass(frozen=True)
class OnRay:
    """A `Run` for `predict_folder`, with so many processes on the Ray cluster of the address, or of this machine.

    The model, the images and the folder of masks must lie where every node sees them.
    """

    source: str
    images: Path
    out: Path
    workers: int
    bench: Bench = field(default_factory=Bench)
    address: str | None = None

    def __call__(self, names: Sequence[str]) -> Iterable[Outcome]:
        """See `Run`."""
        if not names:
            return ()
        start_ray(self.address)
        fleet = WorkerPool(workers=1, actors=self.workers)
        gpu = fleet.muster(self.workers, self.bench)
        work = _Masks(self.source, self.images.absolute(), self.out.absolute(), "cuda" if gpu else "cpu")
        threads = max(1, torch.get_num_threads() // self.workers)
        settings = {"work": work, "device": work.device, "threads": threads}
        return outcomes(settings | {"together": self.bench.images_together(work.device)}, names, fleet, gpu=gpu)
