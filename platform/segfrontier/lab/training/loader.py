"""From slots to batches: decode, augment, stack; in this process or in loader workers, with the same result."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from segfrontier.errors import BadInput, StageError
from segfrontier.lab.augment import Augment
from segfrontier.lab.leftout import require_few
from segfrontier.lab.objective import Batch
from segfrontier.lab.streams import Deck, Slot, Stream, stable_seed
from segfrontier.scenes.codec import Undecodable
from segfrontier.scenes.known import SceneLabels

log = logging.getLogger(__name__)


class Raw(NamedTuple):
    """One stream's stacked samples as they leave the loader: uint8, channels last."""

    image: Tensor
    label: Tensor
    instance: Tensor | None
    scene: list[str]
    left_out: list[str]  # what this process found not to decode so far, one line each
    views: dict[str, Tensor]
    labels: dict[str, list[SceneLabels]]


class _Sample(NamedTuple):
    """One sample as it is shown."""

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16] | None
    scene: str
    views: dict[str, NDArray[np.uint8]]
    sparse: dict[str, SceneLabels]


class StepDataset(Dataset[dict[str, Raw]]):
    """Item k is all that step k needs on this worker: decoding is the unit that loader workers take on."""

    def __init__(self, streams: Mapping[str, Stream], *, seed: int, rank: int, world: int) -> None:
        for name, stream in streams.items():
            if stream.batch % world:
                raise BadInput(
                    f"the global batch of stream {name!r} must divide among the workers; found {stream.batch} over "
                    f"{world}. Change one of them."
                )
        self.streams, self.seed, self.rank, self.world = dict(streams), seed, rank, world
        self.decks = {name: Deck(name, stream, seed=seed) for name, stream in streams.items()}
        self._bad: dict[str, dict[tuple[int, str], str]] = {name: {} for name in streams}

    def __getitem__(self, want: tuple[int, tuple[str, ...]]) -> dict[str, Raw]:
        step, names = want
        shares = {name: self.decks[name].share_of(step, rank=self.rank, world=self.world) for name in names}
        samples = {name: [self._shown(slot) for slot in slots] for name, slots in shares.items()}
        return {name: _stack(drawn, list(self._bad[name].values())) for name, drawn in samples.items()}

    def _shown(self, slot: Slot) -> _Sample:
        """The sample of a slot; where its image does not decode, the next in the order takes its place."""
        for one in chain((slot,), self.decks[slot.stream].instead_of(slot)):
            bad, key = self._bad[slot.stream], (one.part, one.scene)
            if key in bad:
                continue
            try:
                return self._sample(one, place=slot.number)
            except Undecodable as error:
                bad[key] = str(error)
                require_few(list(bad.values()), total=self.streams[slot.stream].scenes, done="shown")
        raise StageError(
            f"stream {slot.stream!r} needs a scene that can be shown; found none in place of {slot.scene!r}. Replace "
            f"its image, or leave it out."
        )

    def _sample(self, slot: Slot, *, place: int) -> _Sample:
        stream = self.streams[slot.stream]
        part = stream.parts[slot.part]
        image = part.images.image(slot.scene)
        size = (image.shape[0], image.shape[1])
        known, sparse = part.pixels(slot.scene), part.sparse(slot.scene)
        for each in (known, *sparse.values()):
            if each is not None and each.size != size:
                raise BadInput(f"scene {slot.scene!r}: labels {each.size} and image {size} differ in size")
        stand_in = () if place == slot.number else (place,)  # it may stand in its own place too, and looks other there
        drawn_by = (self.seed, slot.stream, slot.epoch, slot.scene, *stand_in)
        rng = np.random.default_rng(stable_seed(*drawn_by))
        geometry = stream.augment.geometry(size, rng)
        moved = geometry.image(image)
        views = {
            name: _viewed(view, image, moved, np.random.default_rng(stable_seed(*drawn_by, "view", name)))
            for name, view in stream.views.items()
        }
        instance = None if known is None or known.instance is None else known.instance
        return _Sample(
            image=stream.augment.recoloured(moved, rng),
            label=geometry.labels(known),
            instance=None if instance is None else geometry.map(instance, outside=0),
            scene=slot.scene,
            views=views,
            sparse={name: geometry.sparse(each) for name, each in sparse.items()},
        )


def _viewed(
    view: Augment, image: NDArray[np.uint8], moved: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The sample in another view's colours; one that moves pixels itself starts from the image."""
    if view.moves:
        moved = view.geometry((image.shape[0], image.shape[1]), rng).image(image)
    return view.recoloured(moved, rng)


def _stack(samples: Sequence[_Sample], left_out: list[str]) -> Raw:
    ids = [s.instance.astype(np.int64) for s in samples if s.instance is not None]
    names = dict.fromkeys(name for s in samples for name in s.sparse)
    return Raw(
        image=_stacked([s.image for s in samples]),
        label=torch.from_numpy(np.stack([s.label for s in samples])),
        instance=torch.from_numpy(np.stack(ids)) if len(ids) == len(samples) else None,
        scene=[s.scene for s in samples],
        left_out=left_out,
        views={name: _stacked([s.views[name] for s in samples]) for name in samples[0].views},
        labels={n: [s.sparse.get(n, SceneLabels(size=_size(s.label))) for s in samples] for n in names},
    )


def _stacked(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    sizes = sorted({_size(image) for image in images})
    if len(sizes) > 1:
        raise BadInput(
            f"the images of one batch must have one size; found {sizes}. Set augment crop or resize, or batch 1."
        )
    return torch.from_numpy(np.stack(images))


def _size(pixels: NDArray[np.uint8]) -> tuple[int, int]:
    return (pixels.shape[0], pixels.shape[1])


def batches(
    dataset: StepDataset, wants: Sequence[tuple[int, tuple[str, ...]]], *, workers: int, pin: bool
) -> Iterator[dict[str, Raw]]:
    """The batches of the wanted steps, in order; scenes that were left out are warned of, each once."""
    if workers == 0:
        cv2.setNumThreads(0)  # torch's threads have the cores; OpenCV's own would fight them
        return _warned(dataset[want] for want in wants)
    loader: DataLoader[dict[str, Raw]] = DataLoader(
        dataset,
        batch_size=None,
        sampler=wants,
        num_workers=workers,
        worker_init_fn=_start_worker,
        multiprocessing_context="forkserver",
        prefetch_factor=2,
        pin_memory=pin,
    )
    return _warned(loader)


def _warned(loaded: Iterable[dict[str, Raw]]) -> Iterator[dict[str, Raw]]:
    known: set[str] = set()
    for raws in loaded:
        for name, raw in raws.items():
            for fault in set(raw.left_out) - known:
                known.add(fault)
                log.warning("stream %r leaves a scene out, another takes its place: %s", name, fault)
        yield raws


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # loader workers are the parallelism; OpenCV's own threads would fight them
    torch.set_num_threads(1)


def to_device(raw: Raw, device: torch.device, *, channels_last: bool) -> Batch:
    """Move first, convert there: a quarter of the bytes travel."""

    def shown(pixels: Tensor) -> Tensor:
        image = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
        return image if channels_last else image.contiguous()

    instance = None if raw.instance is None else raw.instance.to(device, non_blocking=True)
    return Batch(
        image=shown(raw.image),
        label=raw.label.to(device, non_blocking=True).long(),
        instance=instance,
        scene=raw.scene,
        views={name: shown(pixels) for name, pixels in raw.views.items()},
        labels={name: tuple(known) for name, known in raw.labels.items()},
    )
