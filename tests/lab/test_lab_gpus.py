"""What is said of GPUs that do not compute, compute wrongly, or are full; torch's part is played by the test."""

import pytest
import torch

from segfrontier.lab.gpus import unfit

GIB = 2**30


@pytest.fixture
def gpus(monkeypatch):
    """Two GPUs of 80 GiB each, of which `free` says how much is free. Tensors lie on the CPU, large ones nowhere."""
    free, ones, empty = {0: 80 * GIB, 1: 80 * GIB}, torch.ones, torch.empty
    asked = []

    def room(size, *, dtype, device):
        index = int(device.rpartition(":")[2])
        asked.append((index, size))
        if size > free[index]:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return empty(1, dtype=dtype)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Toy 80")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 80 * GIB))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch, "ones", lambda *size, device: ones(*size))
    monkeypatch.setattr(torch, "empty", room)
    return free, asked


def test_a_cells_share_of_each_gpu_is_tried(gpus):
    _, asked = gpus
    assert unfit(0.5) == "" and asked == [(0, 32 * GIB), (1, 32 * GIB)], "four fifths of half of 80 GiB"


@pytest.mark.parametrize(
    ("left", "said"), [(32 * GIB, ""), (32 * GIB - 1, "GPU 1 (Toy 80) has 32767 of 81920 MiB free")]
)
def test_a_full_gpu_is_named(gpus, left, said):
    free, _ = gpus
    free[1] = left
    assert unfit(0.5).startswith(said) and bool(unfit(0.5)) == bool(said)
    assert not said or unfit(0.5).endswith("free, and a cell may need 32768 MiB of it")


def test_a_gpu_that_fails_or_errs_is_named(gpus, monkeypatch):
    def refuse(*size, device):
        raise RuntimeError("CUDA error: an illegal\nmemory access")

    monkeypatch.setattr(torch, "ones", lambda *size, device: torch.full(size, 1.5))
    assert unfit(1.0) == "GPU 0 (Toy 80) computes wrong numbers: 589824 in place of 262144"
    monkeypatch.setattr(torch, "ones", refuse)
    assert unfit(1.0) == "GPU 0 (Toy 80) does not compute: RuntimeError: CUDA error: an illegal memory access"


def test_no_gpu_where_one_was_given_is_a_fault(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert unfit(1.0) == "torch finds no GPU there (a build for CPUs? no driver?)"
