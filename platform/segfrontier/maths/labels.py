"""Label maps as single bytes, with 255 for void: the form in which pairs of maps are counted fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.maths.checks import require_same_shape

BYTE_VOID = 255
_PIECE = 1 << 24  # OpenCV counts twice as fast as NumPy but answers in float32, which is exact to here
Labels = NDArray[np.integer[Any]]


def as_bytes(labels: Labels, *, void: int) -> NDArray[np.uint8]:
    """The labels as uint8 with void moved to 255; a map that is so already is returned as it is."""
    if labels.dtype == np.uint8 and void == BYTE_VOID:
        return labels.view(np.uint8)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers; found {labels.dtype}; take the argmax of scores first")
    is_void = labels == void
    strange = labels[~is_void & ((labels < 0) | (labels >= BYTE_VOID))]
    if strange.size:
        raise ValueError(
            f"labels must be 0 to {BYTE_VOID - 1}, or void ({void}); found {strange[0]}; map the labels first"
        )
    return np.where(is_void, BYTE_VOID, labels).astype(np.uint8)


def joint_table(truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each pair of bytes meets, (256, 256) by (truth, prediction)."""
    import cv2  # here, as whoever reads stored sums has no use for it

    require_same_shape(truth, prediction)
    truth, prediction = truth.reshape(1, -1), prediction.reshape(1, -1)
    table = np.zeros((256, 256), np.int64)
    for start in range(0, truth.size, _PIECE):
        piece = [values[:, start : start + _PIECE] for values in (truth, prediction)]
        table += cv2.calcHist(piece, [0, 1], None, [256, 256], [0, 256, 0, 256]).astype(np.int64)
    return table


def require_known(pixels: NDArray[np.int64], *, what: str, num_classes: int) -> None:
    """Raise if `pixels`, counted by byte, hold a value that is neither a class nor void."""
    if not 1 <= num_classes <= BYTE_VOID:
        raise ValueError(f"labels are bytes, so there are 1 to {BYTE_VOID} classes; found {num_classes}; merge classes")
    unknown = np.flatnonzero(pixels[num_classes:BYTE_VOID]) + num_classes
    if unknown.size:
        raise ValueError(
            f"{what} values must be below {num_classes} or void; found {unknown.tolist()}; map the labels first"
        )
