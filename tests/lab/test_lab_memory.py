"""Freed memory that stays: a step that frees and takes large tensors does not have their pages mapped anew."""

import subprocess
import sys

import pytest

from segfrontier.lab.memory import keep_freed_memory

WORK = """
import resource, sys, torch
from segfrontier.lab.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
begin = None
for step in range(40):
    tensors = [torch.ones(1_000_000) for _ in range(8)]
    del tensors
    if step == 10:
        begin = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begin)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="this C library cannot be told to keep memory")
def test_pages_are_mapped_once():
    faults = {}
    for way in ("usual", "kept"):
        told = subprocess.run([sys.executable, "-c", WORK, way], capture_output=True, text=True, check=True)
        faults[way] = int(told.stdout)
    assert faults["kept"] < 0.2 * faults["usual"] and faults["usual"] > 10_000
    assert keep_freed_memory() is keep_freed_memory()
