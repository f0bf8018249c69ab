"""Random weights that depend on a seed and a name, and leave the caller's random state as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def init_seed(seed: int, part: str = "") -> Iterator[None]:
    """Networks made on the CPU inside this block depend on (seed, part) alone.

    Each part draws from its own stream, so a head starts from the same weights whatever encoder is below it. Only
    the CPU generator is touched (`torch.manual_seed` would reseed every GPU too), and it is put back afterwards.
    """
    digest = hashlib.blake2b(f"{seed}/{part}".encode(), digest_size=8).digest()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int.from_bytes(digest, "big") >> 1)
        yield
