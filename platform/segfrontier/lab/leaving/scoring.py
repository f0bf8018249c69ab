"""A finished cell's model on a split that nothing of its study has looked at; each look stands in the cell's account.

A test split is worth something as long as few have looked at it: how many models of a home have is counted and said.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from segfrontier.errors import BadInput
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab.card import CARD, Card
from segfrontier.lab.handles import Model
from segfrontier.lab.leaving.loading import WeightsSource, locate
from segfrontier.lab.local import LocalLab
from segfrontier.lab.methods import packages
from segfrontier.lab.passes.scores import Scores
from segfrontier.lab.places import FOR_SALE, Places
from segfrontier.lab.sealed import Sealed
from segfrontier.lab.training.loop import Bench
from segfrontier.lab.watching import Watcher
from segfrontier.market import Ledger
from segfrontier.market.window import MarketWindow
from segfrontier.models.blueprints import rebuilt
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.world import World
from segfrontier.store import Store


@dataclass(frozen=True)
class SplitScores:
    """What a cell's model scores on a split, and how many cells of its home have been scored there, this one too."""

    world: str
    split: str
    scores: Scores
    looks: int


def score_cell(
    home: Home, key: str, *, split: str, world: str | None = None, bench: Bench, watcher: Watcher
) -> SplitScores:
    """Score the final model of a cell on a split of the world that it was trained for, or of another one.

    The same call again finds the score stored, and counts no second look.
    """
    record = Record.load(home.cell(key))
    if record is None or record.model is None:
        raise BadInput(f"only a finished cell with a model can be scored; {key[:12]} has none. Run its study first.")
    opened = open_world(world or str(record.cell["world"]))
    require_split(opened, split)
    model = _handle(home, locate(home.cell(key)), record)
    opened.classes.require_same_labels(model.classes, what="the model")
    places = Places(world=opened, ledger=Ledger(home.path / "ledger"), cell=key)
    lab = LocalLab(
        places=Sealed(places), window=MarketWindow("closed"), pool=opened.pool(split=split), synthetic=None,
        store=Store(home.store), seed=0, bench=bench, watcher=watcher,
    )  # fmt: skip
    with closing(lab):
        scores = lab.score(model, split=split)
    free = places.ledger.free_lines()
    cells = {line.cell for line in free if (line.what, line.detail) == ("validation", f"target/{split}")}
    return SplitScores(opened.name, split, scores, len(cells))


def require_split(world: World, split: str) -> None:
    """BadInput unless a world has the split, and its labels are not for sale."""
    have = [each for domain, each in world.splits() if domain == "target" and each != FOR_SALE]
    if split not in have:
        raise BadInput(
            f"a model is scored on a split of {world.name!r} whose labels are not for sale: "
            f"{', '.join(have) or 'it has none'}; found {split!r}. Name one of these."
        )


def _handle(home: Home, source: WeightsSource, record: Record) -> Model:
    """The cell's model as a lab takes it."""
    card = Card.read(source.folder / CARD)
    networks = {name: rebuilt(plain.kind, plain.settings, packages=packages()) for name, plain in card.networks.items()}
    assert record.model is not None and source.looking is not None
    return Model(
        store=str(home.store), key=record.model.stage, network=source.network, blueprints=networks,
        classes=card.table(), weights=source.weights, looking=source.looking,
    )  # fmt: skip


def of_cell(source: str | Path) -> tuple[Home, str]:
    """The home and the key of the cell that `source` names; BadInput where it names something else."""
    home, colon, key = str(source).rpartition(":")
    folder = Path(source)
    if not folder.is_dir() and colon:
        found = sorted(p.parent for p in Home(Path(home)).path.glob(f"cells/{key}*/record.json"))
        folder = found[0] if len(found) == 1 else folder
    if folder.parent.name != "cells" or not (folder / "record.json").is_file():
        raise BadInput(
            f"a score is that of a finished cell, named by HOME:KEY or by its folder; found {str(source)!r}. "
            f"`segfrontier status --cells` lists the keys."
        )
    return Home(folder.parents[1]), folder.name
