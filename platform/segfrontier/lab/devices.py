"""Devices by name: `auto`, `cpu`, `cuda`, `cuda:1`, refused before anything is bought where there can be none such."""

from __future__ import annotations

from segfrontier.basics.wording import shown
from segfrontier.errors import BadInput

_NUMBERED, _SINGLE = ("cuda", "xpu"), ("cpu", "mps")


def require_device(name: str, *, here: bool) -> None:
    """Refuse what is no device; with `here`, also one that this machine does not have (a cluster may have it)."""
    if name == "auto":
        return
    kind, colon, number = name.partition(":")
    numbered = kind in _NUMBERED and number.isdecimal() and len(number) < 5
    if kind not in (*_SINGLE, *_NUMBERED) or (colon and not numbered):
        raise BadInput(
            f"a device must be auto, cpu, mps, xpu, cuda or cuda:N; found {shown(name)}. Write one of these."
        )
    if here and int(number or 0) >= (have := _count(kind)):
        raise BadInput(
            f"a device must be one of this machine's; found {name!r}, and there are {have} of the kind {kind} here. "
            f"Write `auto` for the best there is."
        )


def _count(kind: str) -> int:
    """How many devices of a kind torch finds here."""
    import torch

    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind == "xpu":
        return torch.xpu.device_count() if torch.xpu.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())
