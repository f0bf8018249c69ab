"""How many steps a cell has trained, held against what its recipe gives all of its trainings together.

A method that trains three times is compared with one that trains once: without a common sum, the more trainings the
better. A training that goes beyond the sum is refused before it begins, an end short of it before it is scored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from segfrontier.errors import UnequalTraining


@dataclass
class Trained:
    """The trainings of a cell. `total_steps` is the recipe's; None: each training has its own."""

    total_steps: int | None
    _steps: dict[str, int] = field(default_factory=dict)  # of each training, by its stage's key: each counts once
    _images: dict[str, int] = field(default_factory=dict)  # that its steps saw, of all streams

    @property
    def steps(self) -> int:
        """Of all trainings so far."""
        return sum(self._steps.values())

    @property
    def images(self) -> int:
        """That all trainings so far have seen, each as often as it was seen."""
        return sum(self._images.values())

    def require_room(self, key: str, steps: int) -> None:
        """Refuse a training beyond the sum."""
        whole = sum((self._steps | {key: steps}).values())
        if self.total_steps is not None and whole > self.total_steps:
            self._refuse(f"a training of {steps} after {whole - steps} makes {whole}")

    def add(self, key: str, steps: int, images: int) -> None:
        """A training has ended, which saw so many images."""
        self._steps[key], self._images[key] = steps, images

    def require_whole(self) -> None:
        """Refuse a method that has ended short of the sum."""
        if self.total_steps not in (None, self.steps):
            self._refuse(f"they came to {self.steps}")

    def _refuse(self, found: str) -> None:
        raise UnequalTraining(
            f"a cell's trainings must come to {self.total_steps} steps in all, by recipe.total_steps or its default; "
            f"{found}. Let the method give each recipe.share(number, of=count), or write recipe.steps, which each "
            f"training has."
        )
