"""Whether the GPUs that a process was given can do what cells will ask of them: tried, not read from a table."""

from __future__ import annotations

from segfrontier.basics.wording import one_line

_TRIED = 0.8
"""Of a cell's share of a GPU's memory; the rest is the driver's, and of what else runs in the process."""
_SIDE = 64


def unfit(share: float) -> str:
    """What is wrong with the GPUs here; empty where each multiplies, and gives a cell its share of the memory."""
    import torch
    from torch import cuda

    if not cuda.is_available():
        return "torch finds no GPU there (a build for CPUs? no driver?)"
    for index in range(cuda.device_count()):
        name = f"GPU {index} ({cuda.get_device_name(index)})"
        free, total = cuda.mem_get_info(index)
        wanted = int(_TRIED * share * total)
        try:
            ones = torch.ones(_SIDE, _SIDE, device=f"cuda:{index}")
            found = float((ones @ ones).sum())
            del ones
            room = torch.empty(wanted, dtype=torch.uint8, device=f"cuda:{index}")
            del room
        except torch.OutOfMemoryError:
            return f"{name} has {free >> 20} of {total >> 20} MiB free, and a cell may need {wanted >> 20} MiB of it"
        except RuntimeError as error:
            return f"{name} does not compute: {one_line(error)}"
        finally:
            cuda.empty_cache()
        if found != _SIDE**3:
            return f"{name} computes wrong numbers: {found:g} in place of {_SIDE**3}"
    return ""
