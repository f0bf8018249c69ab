"""A process that trains nothing starts without PyTorch's compiler, and has it as soon as anybody asks for it."""

import subprocess
import sys

import pytest

LOADED = """
import sys
import segfrontier.lab
from segfrontier.lab import _libraries

loaded = {"timm", "torchvision.ops.roi_align"} <= sys.modules.keys()
assert loaded and not {"torch._dynamo", "torch._inductor", "sympy"} & sys.modules.keys()

with _libraries._compiler_stood_in_for():
    import torch._dynamo as held
    kept_out = held.disable(lambda x: x + 1, recursive=False)
    assert kept_out(1) == 2 and isinstance(sys.modules["torch._dynamo"], _libraries._StandIn)
    from torch._dynamo.utils import counters
    real = sys.modules["torch._dynamo"]
    assert not isinstance(real, _libraries._StandIn) and counters is real.utils.counters
    assert held.config is real.config, "who kept the stand-in gets what is real, too"
assert sys.modules["torch._dynamo"] is real and kept_out(1) == 2
assert sys.modules["torchvision.ops.roi_align"].is_compile_supported("cpu") is real.utils.is_compile_supported("cpu")
"""


@pytest.mark.slow
def test_the_compiler_waits_until_it_is_asked_for():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
