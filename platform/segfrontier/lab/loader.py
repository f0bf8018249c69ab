"""From slots to batches: decode, augment, stack; in this process or in loader workers, with the same result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from segfrontier.errors import BadInput
from segfrontier.lab.objective import Batch
from segfrontier.lab.streams import Deck, Slot, Stream, stable_seed

VOID = 255


class Raw(NamedTuple):
    """One stream's stacked samples as they leave the loader: uint8, channels last."""

    image: Tensor
    label: Tensor
    instance: Tensor | None
    scene: list[str]


_Sample = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16] | None, str]


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

    def __getitem__(self, want: tuple[int, tuple[str, ...]]) -> dict[str, Raw]:
        step, names = want
        shares = {name: self.decks[name].share_of(step, rank=self.rank, world=self.world) for name in names}
        return {name: _stack([self._sample(slot) for slot in slots]) for name, slots in shares.items()}

    def _sample(self, slot: Slot) -> _Sample:
        stream = self.streams[slot.stream]
        part = stream.parts[slot.part]
        image = part.images.image(slot.scene)
        if part.labels is None:
            label, instance = np.full(image.shape[:2], VOID, np.uint8), None
        else:
            label, instance = part.labels.map(slot.scene), part.labels.instance(slot.scene)
        if label.shape != image.shape[:2]:
            raise BadInput(f"scene {slot.scene!r}: labels {label.shape} and image {image.shape[:2]} differ in size")
        rng = np.random.default_rng(stable_seed(self.seed, slot.stream, slot.epoch, slot.scene))
        return *stream.augment(image, label, instance, rng), slot.scene


def _stack(samples: Sequence[_Sample]) -> Raw:
    images, labels, instances, scenes = zip(*samples, strict=True)
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) > 1:
        raise BadInput(
            f"the images of one batch must have one size; found {sizes}. Set augment crop or resize, or batch 1."
        )
    ids = [i.astype(np.int64) for i in instances if i is not None]
    return Raw(
        image=torch.from_numpy(np.stack(images)),
        label=torch.from_numpy(np.stack(labels)),
        instance=torch.from_numpy(np.stack(ids)) if len(ids) == len(samples) else None,
        scene=list(scenes),
    )


def batches(
    dataset: StepDataset, wants: Sequence[tuple[int, tuple[str, ...]]], *, workers: int, pin: bool
) -> Iterator[dict[str, Raw]]:
    """The batches of the wanted steps, in order."""
    if workers == 0:
        cv2.setNumThreads(0)  # torch's threads have the cores; OpenCV's own would fight them
        return (dataset[want] for want in wants)
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
    return iter(loader)


def _start_worker(_: int) -> None:
    cv2.setNumThreads(0)  # loader workers are the parallelism; OpenCV's own threads would fight them
    torch.set_num_threads(1)


def to_device(raw: Raw, device: torch.device, *, channels_last: bool) -> Batch:
    """Move first, convert there: a quarter of the bytes travel."""
    image = raw.image.to(device, non_blocking=True).permute(0, 3, 1, 2).float().div_(255)
    if not channels_last:
        image = image.contiguous()
    instance = None if raw.instance is None else raw.instance.to(device, non_blocking=True)
    return Batch(image, raw.label.to(device, non_blocking=True).long(), instance, raw.scene)
