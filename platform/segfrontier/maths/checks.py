"""Checks that the whole room shares. Each error says what must hold, what was found and what to do.

Words, types and shapes are always looked at. Values of tensors are looked at on a CPU alone: to see an accelerator's,
one must wait for all that it was asked before.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING, Any, get_args

from segfrontier.errors import Diverged

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor


def require_word(what: str, word: object, literal: Any) -> None:
    """A word must be one of those that a `Literal` lists."""
    words = [repr(each) for each in get_args(literal)]
    if repr(word) not in words:
        listed = f"{', '.join(words[:-1])} or {words[-1]}"
        raise ValueError(f"{what} must be {listed}; found {word!r}; choose one of them")


def require_at_least(what: str, number: float, least: float) -> None:
    """A count or a size must not be too small, nor NaN."""
    if not number >= least:
        raise ValueError(f"{what} must be at least {least}; found {number}; give a larger one")


def require_positive(what: str, number: float) -> None:
    """A scale or a temperature must be a number above 0."""
    if not 0 < number < math.inf:
        raise ValueError(f"{what} must be above 0 and finite; found {number}; give a larger one")


def require_within(what: str, number: float, least: float, most: float) -> None:
    """A threshold must lie between two bounds, both of them allowed; NaN does not."""
    if not least <= number <= most:
        raise ValueError(f"{what} must lie in [{least}, {most}]; found {number}; choose one in between")


def require_axes(what: str, array: Tensor | NDArray[Any], letters: str) -> None:
    """An array must have one axis a letter."""
    if len(array.shape) != len(letters):
        raise ValueError(
            f"{what} must have the axes {' '.join(letters)}; found the shape {tuple(array.shape)}; add or drop an axis"
        )


def require_shape(what: str, array: Tensor | NDArray[Any], shape: Iterable[int]) -> None:
    """An array must have the shape that follows from what it goes with."""
    if tuple(array.shape) != tuple(shape):
        raise ValueError(
            f"{what} must have the shape {tuple(shape)} here; found {tuple(array.shape)}; give what belongs together"
        )


def require_same_length(what: str, *arrays: Sized) -> None:
    """Columns of one table must be equally long."""
    lengths = [len(each) for each in arrays]
    if len(set(lengths)) > 1:
        raise ValueError(f"{what} must be equally many; found {lengths}; give one of each for every answer")


def require_same_shape(truth: NDArray[Any], other: NDArray[Any]) -> None:
    """A map that goes with the truth must have its shape."""
    if truth.shape != other.shape:
        raise ValueError(
            f"the maps of an image must have one shape; found {truth.shape} and {other.shape}; resize the prediction"
        )


def require_integers(what: str, array: Tensor | NDArray[Any]) -> None:
    """Labels and ids must be whole by their type: a float would silently lose what lies behind its point."""
    # numpy's types have a kind; torch's only say what they are not.
    kind = getattr(array.dtype, "kind", None)
    whole = kind in ("i", "u") if kind else not (array.is_floating_point() or array.is_complex())  # type: ignore[union-attr]
    if not whole:
        raise ValueError(f"{what} must be integers; found {array.dtype}; take the argmax of scores, or round ids first")


def require_bools(what: str, array: Tensor | NDArray[Any]) -> None:
    """What says yes or no must be truth values by its type."""
    if str(array.dtype).removeprefix("torch.") != "bool":
        raise ValueError(f"{what} must be truth values; found {array.dtype}; compare with a threshold or a label first")


def require_labels(what: str, labels: Tensor, num_classes: int, *, void: int) -> None:
    """Labels must be integers, and on a CPU each must be a class or void."""
    require_integers(what, labels)
    if labels.device.type == "cpu" and labels.numel():
        low, high = (int(each) for each in labels.masked_fill(labels == void, 0).aminmax())
        if low < 0 or high >= num_classes:
            raise strange_label(what, low if low < 0 else high, num_classes, void=void)


def strange_label(what: str, label: object, num_classes: int, *, void: int) -> ValueError:
    """The error of a label that is neither a class nor void."""
    return ValueError(
        f"{what} must be 0 to {num_classes - 1}, or void ({void}); found {label}; map the labels first, or say what "
        f"is void"
    )


def class_indices(what: str, classes: Iterable[int], num_classes: int) -> list[int]:
    """Classes that were picked by number: each of them a class, and none twice."""
    classes = list(classes)
    try:
        found = [operator.index(label) for label in classes]
    except TypeError:
        found = [-1]
    if len(set(found)) != len(found) or any(not 0 <= label < num_classes for label in found):
        raise ValueError(
            f"{what} must be different whole numbers from 0 to {num_classes - 1}; found {classes}; name each class once"
        )
    return found


def require_finite(what: str, answers: Tensor) -> None:
    """A network's answers must be finite. An accelerator is waited for: this is for passes, not for training steps."""
    if answers.numel():
        low, high = answers.aminmax()
        if not bool(low.isfinite() & high.isfinite()):
            raise Diverged(
                f"{what} must be finite numbers; found NaN or infinity: the training of this network has diverged. "
                f"Train it again with a lower learning rate, a larger batch, or clipped gradients."
            )
