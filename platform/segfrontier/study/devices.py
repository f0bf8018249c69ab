"""Devices by name: `auto`, `cpu`, `cuda`, `cuda:1`, refused before anything is bought where there can be none such."""

from __future__ import annotations

from segfrontier.basics.wording import shown
from segfrontier.errors import BadInput

_TYPES = ("cpu", "cuda", "mps", "xpu")


def require_device(name: str, *, here: bool = False) -> None:
    """Refuse what is no device; with `here`, also one that this machine does not have."""
    if name == "auto":
        return
    kind, colon, number = name.partition(":")
    if kind not in _TYPES or (colon and not (number.isdecimal() and len(number) < 5)):
        raise BadInput(f"a device must be auto, {', '.join(_TYPES)}, or one of them with a number; found {shown(name)}")
    if here and int(number or 0) >= (have := _count(kind)):
        raise BadInput(
            f"the device must be on this machine, which has {have} of the kind {kind}; found {name!r}. "
            f"Choose another one, or auto."
        )


def _count(kind: str) -> int:
    """How many devices of a kind torch finds here."""
    import torch

    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "xpu":
        return torch.xpu.device_count() if torch.xpu.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())
