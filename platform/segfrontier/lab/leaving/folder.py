"""A folder of images in, a folder of masks out: whole files alone, so that a run that was stopped goes on.

`OUT/ids/…png` holds class ids, `OUT/colour/…png` the same to look at, `OUT/classes.json` what the ids mean, and
`OUT/predictions.json` which model wrote them: masks of two models never lie side by side unnoticed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from segfrontier.basics.atomic import sweep, write_bytes, write_json
from segfrontier.basics.reading import LARGE, read_bounded, read_json
from segfrontier.errors import BadInput, BadWorld, Diverged, SegFrontierError
from segfrontier.lab.passes.base import Outcome, reading
from segfrontier.lab.training.loop import Bench
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import check_image, decode_image, encode_image, encode_map

MARKER, CLASSES = "predictions.json", "classes.json"
_FORMAT = "segfrontier-predictions 1"
_IDS, _COLOUR = "ids", "colour"
_ENDINGS = (".jpg", ".jpeg", ".png")


class Predicting(Protocol):
    """What predicts: see `LoadedModel`."""

    @property
    def classes(self) -> ClassTable: ...
    @property
    def looking(self) -> object: ...
    @property
    def module(self) -> nn.Module: ...
    @property
    def device(self) -> torch.device: ...
    def foresee(self, images: Sequence[NDArray[np.uint8]]) -> None: ...
    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Predictions:
    """What became of the images of a folder; `skipped` says of each that does not decode why."""

    written: int
    kept: int
    skipped: tuple[str, ...]


Run = Callable[[Sequence[str]], Iterable[Outcome]]
"""Has the masks of images written, and yields what came of each, in order."""


def predict_folder(
    model: Predicting, images: Path, out: Path, *, overwrite: bool = False,
    step: Callable[[int, int], None] = lambda _done, _total: None, run: Run | None = None, bench: Bench | None = None,
) -> Predictions:  # fmt: skip
    """Write the masks of all images below a folder. Masks that this model has written there already are kept.

    Images that do not decode are skipped and named; SegFrontierError if none decodes. The bench says how many are
    looked at together. `run` does the work elsewhere.
    """
    _require_apart(images, out)
    names = _image_names(images)
    _open(out, fingerprint(model), overwrite=overwrite)
    write_json(out / CLASSES, model.classes.to_json())
    masks = {name: [out / part / target for part in (_IDS, _COLOUR)] for name, target in names.items()}
    missing = [name for name, files in masks.items() if not all(file.is_file() for file in files)]
    kept, skipped = len(names) - len(missing), []
    step(kept, len(names))
    together = (bench or Bench()).images_together(model.device.type)
    found = run(missing) if run else write_masks(model, images, out, missing, together=together)
    for done, outcome in enumerate(found, start=kept + 1):
        if outcome.fault:
            skipped.append(outcome.fault)
        step(done, len(names))
    if len(skipped) == len(names):
        raise SegFrontierError(f"an image of {images} must decode; none of {len(names)} does. The first: {skipped[0]}")
    return Predictions(len(missing) - len(skipped), kept, tuple(skipped))


def write_masks(
    model: Predicting, images: Path, out: Path, names: Sequence[str], *, together: int = 1
) -> Iterator[Outcome]:
    """Write the masks of images, each whole or not at all; what is wrong with an image is its fault.

    As in every pass: images are read while the model looks, at so many of them `together`.
    """
    with reading(lambda name: _read(images / name, name), names, ahead=2 * together) as coming:
        while batch := list(islice(coming, together)):
            if together > 1:
                model.foresee([image.result() for _, image in batch if image.exception() is None])
            for name, image in batch:
                yield _written(model, out, name, image)


def _written(model: Predicting, out: Path, name: str, image: Future[NDArray[np.uint8]]) -> Outcome:
    try:
        labels, target = model.predict(image.result()), _target(name)
    except BadWorld as error:
        return Outcome(name, None, str(error))
    except Diverged as error:
        raise Diverged(f"{name}: {error}") from error
    for part, data in ((_COLOUR, encode_image(model.classes.palette[labels])), (_IDS, encode_map(labels))):
        write_bytes(out / part / target, data, sync=False)
    return Outcome(name, target, "")


def _target(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(".png"))


def fingerprint(model: Predicting) -> str:
    """Tells apart whatever predicts otherwise, wherever it lies: by weights, classes, and how images are looked at."""
    state = hashlib.blake2b(repr((model.looking, model.classes.names)).encode(), digest_size=16)
    for name, tensor in sorted(model.module.state_dict().items()):
        plain = tensor.detach().cpu().contiguous()
        state.update(f"{name} {plain.dtype} {tuple(plain.shape)}".encode())
        state.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return state.hexdigest()


def _require_apart(images: Path, out: Path) -> None:
    if not images.is_dir():
        raise BadInput(f"images must be a folder; found {images}, which is none. Correct the path.")
    if os.path.lexists(out) and not out.is_dir():
        raise BadInput(f"--out must be a folder; {out} is a file. Name another one.")
    here, there = images.resolve(), out.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise BadInput(
            f"--out and the folder of images must lie apart, or masks become images; found {out} and {images}. Name "
            f"another --out."
        )


def _image_names(images: Path) -> dict[str, str]:
    """The mask that each image gets, both below their folders, in order."""
    targets: dict[str, str] = {}
    for name in sorted(_walk(images)):
        target = _target(name)
        if target in targets:
            raise BadInput(
                f"images must differ by more than their ending, for each mask ends in .png; found {targets[target]} "
                f"and {name}. Rename one."
            )
        targets[target] = name
    if not targets:
        raise BadInput(f"a folder of images must hold {', '.join(_ENDINGS)} files; {images} holds none. Correct it.")
    for target, name in targets.items():
        above = [str(p) for p in PurePosixPath(target).parents if str(p) in targets]
        if above:
            raise BadInput(f"the mask of {targets[above[0]]} takes the folder of that of {name}; rename one of them")
    return {name: target for target, name in targets.items()}


def _walk(images: Path) -> Iterator[str]:
    for folder, inner, files in os.walk(images):
        inner[:] = [name for name in inner if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(_ENDINGS) and not name.startswith("."):
                yield (Path(folder) / name).relative_to(images).as_posix()


def _open(out: Path, model: str, *, overwrite: bool) -> None:
    """Make the folder this model's: refuse one that holds anything but predictions, or those of another model."""
    content = {"format": _FORMAT, "model": model}
    found = read_json(out / MARKER)
    is_ours = isinstance(found, dict) and found.get("format") == _FORMAT
    if not is_ours and out.is_dir() and any(not _is_draft(path) for path in out.iterdir()):
        raise BadInput(
            f"--out must be new, empty or a folder of predictions; {out} holds other files. Name another folder."
        )
    if is_ours and found != content and not overwrite:
        raise BadInput(
            f"--out must hold predictions of the same model; those in {out} are another one's. Name another folder, or "
            f"give --overwrite to replace them."
        )
    if is_ours and overwrite:
        for part in (_IDS, _COLOUR):  # before the marker changes: no mask may pass for one of a model it is not of
            if (out / part).is_dir() and not (out / part).is_symlink():
                shutil.rmtree(out / part)
    for folder, _, _ in os.walk(out):  # once: a look for each mask would list its folder each time
        sweep(Path(folder))
    if found != content:
        write_json(out / MARKER, content)


def _is_draft(path: Path) -> bool:
    return path.name.startswith(f".{MARKER}.") and path.name.endswith(".part")


def _read(path: Path, name: str) -> NDArray[np.uint8]:
    try:
        data = read_bounded(path, LARGE)
    except OSError as error:
        raise BadWorld(f"{name}: must be a readable file ({error})") from None
    check_image(data, name=name)
    return decode_image(data, name=name)
