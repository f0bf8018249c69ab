"""Random numbers of one scene: named streams of exact doubles, independent of machine and of picture size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import TypeVar

from numpy.random import PCG64, Generator, SeedSequence

T = TypeVar("T")


class RandomStream(IntEnum):
    """What a stream of random numbers decides. The streams of a scene never influence one another."""

    LAYOUT = 0
    CAMERA = 1
    LOOK = 2
    NOISE = 3


def generator(seed: int, index: int, stream: RandomStream) -> Generator:
    """The generator of one stream. Index and stream take one word each, so no two triples share their entropy."""
    return Generator(PCG64(SeedSequence((index, int(stream), seed))))


def _uniforms(rng: Generator) -> Iterator[float]:
    while True:
        yield from rng.random(2048).tolist()


class Dice:
    """Scalar draws for layout code. Numbers come in blocks because one call a number would dominate a scene."""

    def __init__(self, rng: Generator) -> None:
        self.unit = _uniforms(rng).__next__

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.unit()

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.unit() < p

    def below(self, n: int) -> int:
        """Uniform integer in [0, n)."""
        return int(self.unit() * n)

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, each as likely as the others."""
        return options[int(self.unit() * len(options))]

    def weighted(self, options: Sequence[T], weights: Sequence[float]) -> T:
        """One of the options, in proportion to the weights."""
        left = self.unit() * sum(weights)
        for option, weight in zip(options, weights, strict=True):
            left -= weight
            if left < 0:
                return option
        return options[-1]
