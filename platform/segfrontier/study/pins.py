"""Which weights `pretrained: auto` stands for, decided once for all studies of a home.

What `auto` finds depends on caches, networks and installed packages. A cell names what was found in its place, so that
its key, its facet and every worker mean the same weights, and a home keeps the decision: a study that is resumed where
the network has come back does not change its facet half-way. Random weights are not kept: better ones may be installed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from segfrontier.basics.atomic import write_json
from segfrontier.errors import BadInput
from segfrontier.home.layout import warn_of_damage
from segfrontier.home.weights import WEIGHTS, decided_weights
from segfrontier.lab.recipe import Recipe
from segfrontier.models.weights import find_weights, is_origin, pinned


def weights_sentences(asked: Collection[tuple[str, str]], recipes: Iterable[Recipe]) -> list[str]:
    """Which weights encoders start from, where `asked` (see `cells.weights_asked`) leaves that to `auto`."""
    names = {encoder: "random weights" for encoder, pretrained in asked if pretrained == "auto"}
    for recipe in recipes:
        if recipe.encoder in names and (recipe.encoder, recipe.pretrained) not in asked:
            names[recipe.encoder] = "random weights" if recipe.pretrained == "never" else recipe.pretrained
    return [f"{encoder} starts from {name}." for encoder, name in names.items()]


@dataclass
class Pins:
    """The decisions of a home, or of this process alone where there is none. Only a run keeps new ones."""

    home: Path | None = None
    keep: bool = False
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def pinned(self, recipe: Recipe) -> Recipe:
        """The recipe with its weights named; the same one where it names them already."""
        asked = (recipe.encoder, recipe.pretrained)
        if asked not in self._known:
            self._known[asked] = self._decided(*asked)
        name = self._known[asked]
        return recipe if name == recipe.pretrained else replace(recipe, pretrained=name)

    def kept(self, encoder: str) -> str | None:
        """What `auto` was decided to be in this home."""
        return self._all().get(encoder)

    def _decided(self, encoder: str, pretrained: str) -> str:
        kept = self.kept(encoder) if pretrained == "auto" else None
        if kept is not None:
            try:
                find_weights(encoder, kept)
            except BadInput as error:
                why = str(error).removesuffix(".")
                raise BadInput(f"{why}; {self._file} keeps what studies of this home began with.") from None
            return kept
        name = pinned(encoder, pretrained)
        if self.keep and pretrained == "auto" and is_origin(name):
            write_json(self._file, {**self._all(), encoder: name})
        return name

    @property
    def _file(self) -> Path:
        assert self.home is not None, "decisions are kept in a home"
        return self.home / WEIGHTS

    def _all(self) -> dict[str, str]:
        if self.home is None:
            return {}
        found = decided_weights(self.home)
        if found is not None and all(map(is_origin, found.values())):
            return found
        warn_of_damage(self._file, "where weights come from, by encoder; they are looked for anew")
        return {}
