"""What was measured of images: numbers of fixed shapes for each, such as the entropy of its patches.

The numbers of a whole pool lie in one Arrow file, which is mapped into memory: nobody ever holds more of a pool than is
looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.scenes.arrow import FAULTS, read_arrow, require_types

FILE, ABOUT = "measures.arrow", "measures.json"
_NAMES = pa.schema([("scene", pa.large_string())])


@dataclass(frozen=True)
class Measures:
    """The numbers of a part's images: a small, picklable reference; columns are mapped into memory, not read."""

    path: str
    digest: str
    count: int

    @classmethod
    def at(cls, file: Path) -> Measures:
        """The measures in a file that `write_measures` wrote."""
        about = _about(file)
        return cls(path=str(file), digest=about["digest"], count=about["count"])

    def __len__(self) -> int:
        return self.count

    def scenes(self) -> list[str]:
        """The measured scenes, in the order of the part; images with faults are not among them."""
        names: list[str] = _open(self.path)["scene"].to_pylist()
        return names

    @property
    def faults(self) -> list[str]:
        """What was wrong with the images that are left out, one line each."""
        return list(_about(Path(self.path))["faults"])

    def column(self, name: str) -> NDArray[np.float32]:
        """(N, *shape) numbers in the order of `scenes`: a read-only view of the file, nothing is copied."""
        batch = _open(self.path)
        shapes = json.loads(batch.schema.metadata[b"shapes"])
        if name not in shapes:
            raise BadInput(f"these measures have the columns {', '.join(shapes)}; found {name!r}")
        flat: NDArray[np.float32] = batch[name].values.to_numpy(zero_copy_only=True)
        return flat.reshape(self.count, *shapes[name])

    def row(self, name: str, scene: str) -> NDArray[np.float32]:
        """The numbers of one scene."""
        places = _places(self.path)
        if scene not in places:
            raise BadInput(f"scene {scene!r} must be among the {self.count} that were measured; it is not")
        return self.column(name)[places[scene]]


@lru_cache(maxsize=16)
def _open(path: str) -> pa.RecordBatch:
    try:
        (batch,) = read_arrow(path)
        require_types(batch, _NAMES)
    except (*FAULTS, ValueError) as error:
        raise BadInput(
            f"{path}: measures must be a whole Arrow file of one record batch; they cannot be read ({error}). Have "
            f"them made again."
        ) from error
    return batch


def _about(file: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(file.with_name(ABOUT).read_text())
    return about


@lru_cache(maxsize=2)
def _places(path: str) -> dict[str, int]:
    return {scene: place for place, scene in enumerate(_open(path)["scene"].to_pylist())}
