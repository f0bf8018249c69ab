"""Gauges: a model makes numbers of fixed shapes of each image, such as the entropy of its patches.

The numbers of a whole pool are written image by image into one Arrow file, which `Measures` reads.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segfrontier.lab.measures import ABOUT, FILE, Measures
from segfrontier.lab.passes.inference import Predictors
from segfrontier.lab.streams import Known, Part

Shapes = Mapping[str, tuple[int, ...]]


class Gauge(ABC):
    """What is measured of one image. Subclasses are frozen dataclasses; all fields enter the stage's key."""

    @abstractmethod
    def shapes(self, classes: int) -> Shapes:
        """The columns by name, with the shape that each has for every image."""

    @abstractmethod
    def measure(self, models: Predictors, image: NDArray[np.uint8], known: Known) -> Mapping[str, NDArray[np.float32]]:
        """The numbers of one image, in those columns; `models` and `known` as in `Rule.label`."""

    def at(self, part: Part, scene: str) -> Gauge:  # noqa: ARG002
        """The gauge for one scene; see `Rule.at`."""
        return self


class GaugeRow(NamedTuple):
    """The numbers of one image: all columns one after another, as little-endian float32."""

    scene: str
    data: bytes


def packed_numbers(values: Mapping[str, NDArray[np.float32]], shapes: Shapes) -> bytes:
    """The numbers of one image as a row's bytes."""
    found = {name: (tuple(value.shape), str(value.dtype)) for name, value in values.items()}
    due = {name: (tuple(shape), "float32") for name, shape in shapes.items()}
    if found != due:
        raise ValueError(f"a gauge must measure just what its shapes say, {due}; it measured {found}")
    return b"".join(np.ascontiguousarray(values[name], "<f4").tobytes() for name in shapes)


def write_measures(folder: Path, *, shapes: Shapes, rows: Iterable[GaugeRow], faults: Sequence[str]) -> Measures:
    """Write the rows as they come; `faults` is read when they have ended.

    Columns grow as raw files side by side, which are then mapped and laid into one record batch: only so is a column
    contiguous in the file.
    """
    widths = {name: math.prod(shape) for name, shape in shapes.items()}
    if not widths or not all(widths.values()) or "scene" in widths:
        raise ValueError(
            f"a gauge must measure at least one number in each column, none of them called `scene`; its shapes are "
            f"{dict(shapes)}"
        )
    raw = [folder / f"{i}.raw" for i in range(2 + len(widths))]
    bounds = np.cumsum([0, *widths.values()]) * 4
    state, count, end = hashlib.blake2b(json.dumps(dict(shapes)).encode(), digest_size=16), 0, 0
    with ExitStack() as stack:
        ends, names, *columns = (stack.enter_context(path.open("wb")) for path in raw)
        ends.write(bytes(8))
        for scene, data in rows:
            name = scene.encode()
            state.update(len(name).to_bytes(8, "little") + name + data)
            count, end = count + 1, end + len(name)
            ends.write(end.to_bytes(8, "little"))
            names.write(name)
            for column, start, stop in zip(columns, bounds, bounds[1:], strict=False):
                column.write(data[start:stop])
    _assemble(folder / FILE, shapes, widths, count, [_mapped(path) for path in raw])
    for path in raw:
        path.unlink()
    about = {"digest": state.hexdigest(), "count": count, "faults": list(faults)}
    (folder / ABOUT).write_text(json.dumps(about))
    return Measures.at(folder / FILE)


def _assemble(file: Path, shapes: Shapes, widths: Mapping[str, int], count: int, raw: Sequence[pa.Buffer]) -> None:
    ends, names, *data = raw
    columns = {"scene": pa.Array.from_buffers(pa.large_string(), count, [None, ends, names])}
    for (name, width), buffer in zip(widths.items(), data, strict=True):
        flat = pa.Array.from_buffers(pa.float32(), count * width, [None, buffer])
        columns[name] = pa.FixedSizeListArray.from_arrays(flat, width)
    batch = pa.record_batch(columns).replace_schema_metadata({"shapes": json.dumps(dict(shapes))})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def _mapped(path: Path) -> pa.Buffer:
    return pa.memory_map(str(path)).read_buffer() if path.stat().st_size else pa.py_buffer(b"")
