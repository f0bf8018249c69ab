"""`load_model`: a trained model in one line, from wherever a run has left it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from segfrontier.errors import BadInput
from segfrontier.home.layout import Home
from segfrontier.home.records import RECORD, Record
from segfrontier.lab.card import CARD, Card, LookingCard
from segfrontier.lab.devices import require_device
from segfrontier.lab.handles import WEIGHTS, built
from segfrontier.lab.leaving.exported import is_exported, open_exported
from segfrontier.lab.looking import Looking
from segfrontier.lab.methods import packages
from segfrontier.lab.passes.inference import Predictor, as_labels
from segfrontier.models.blueprints import rebuilt
from segfrontier.scenes.classes import ClassTable
from segfrontier.store import Store
from segfrontier.store.keys import is_key

_TRACKED = ("runs:/", "models:/")
"""How MLflow's addresses of models begin."""


@dataclass(frozen=True)
class WeightsSource:
    """Where a model's weights lie, and which of their networks predicts how."""

    folder: Path
    network: str = ""  # default: the one that the card names
    weights: str = WEIGHTS
    looking: Looking | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A trained network, ready to be asked. Images are (H, W, 3) RGB uint8 of any size."""

    module: nn.Module
    classes: ClassTable
    looking: Looking
    network: str
    identity: str
    """Says where it came from: the stage's key, the weights, the network; of an exported one, its file's name."""
    card: Card
    device: torch.device

    def predict(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W) class ids, as the table numbers them."""
        return as_labels(self._predictor.look(_checked(image)).confidence()[1])

    def foresee(self, images: Sequence[NDArray[np.uint8]]) -> None:
        """Look at images together that will be asked about, which a GPU wants of small ones."""
        self._predictor.foresee(images)

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(K, H, W) probabilities of the classes."""
        scores = self._predictor.look(_checked(image)).scores_NKHW.softmax(1)
        found: NDArray[np.float32] = scores[0].float().cpu().numpy()
        return found

    @cached_property
    def _predictor(self) -> Predictor:
        return Predictor.of(self.module, self.classes, device=self.device, looking=self.looking)


def load_model(source: str | Path, *, device: str = "auto") -> LoadedModel:
    """A trained model from a cell's folder, a training's in a store, `HOME:KEY`, an exported .pt2 file, or from MLflow
    (`runs:/ID/model`, `models:/NAME/VERSION`).

    KEY is that of a cell or of a training, or its beginning: `load_model("runs:55faf96e").predict(image)`.
    """
    require_device(device, here=True)
    there = torch.device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    if is_exported(source):
        module, card = open_exported(Path(source), there)
        return LoadedModel(module, card.table(), card.looking.looking(), card.predicts, Path(source).name, card, there)
    found = locate(source)
    card = Card.read(found.folder / CARD)
    network = found.network or card.predicts
    plain = card.networks.get(network.partition("/")[0])
    if plain is None:
        raise BadInput(f"{found.folder} holds the networks {', '.join(card.networks)}; found {network!r}")
    blueprint = rebuilt(plain.kind, plain.settings, packages=packages())
    module = built(blueprint, found.folder / found.weights, network, there)
    looking = found.looking or card.looking.looking()
    identity = f"{found.folder.name}:{found.weights}:{network}"
    return LoadedModel(module, card.table(), looking, network, identity, card, there)


def from_anywhere(source: str) -> str:
    """The same source for a process that works in another folder."""
    home, colon, key = source.rpartition(":")
    if source.startswith(_TRACKED):
        return source
    return f"{Path(home).absolute()}:{key}" if colon and Path(home).is_dir() else str(Path(source).absolute())


def locate(source: str | Path) -> WeightsSource:
    """Where a model lies; BadInput, with all that was looked for, where there is none."""
    if str(source).startswith(_TRACKED):
        from segfrontier.tracking.models import download_model

        source = download_model(str(source))
    folder = Path(source)
    if folder.is_dir():
        if (folder / RECORD).is_file():
            return _of_cell(folder)
        if (folder / WEIGHTS).is_file():
            return _with_card(WeightsSource(folder))
        raise BadInput(
            f"a model's folder must hold {RECORD} (a cell) or {WEIGHTS} (a training); {folder} holds neither. Give "
            f"HOME:KEY, a cell's folder or a training's."
        )
    home, colon, key = str(source).rpartition(":")
    if not colon or not is_key(key) or not Path(home).is_dir():
        raise BadInput(
            f"a model is named by a folder, or by HOME:KEY with a home that is there; found {str(source)!r}. "
            f"`segfrontier status --cells` lists the keys of cells."
        )
    return _by_key(Home(Path(home)), key)


def _by_key(home: Home, key: str) -> WeightsSource:
    cells = sorted(p.parent for p in home.path.glob(f"cells/{key}*/{RECORD}"))
    if not cells:
        stages = sorted(p.parent for p in home.store.glob(f"entries/{key}*/{WEIGHTS}"))
        if len(stages) == 1:
            return _with_card(WeightsSource(stages[0]))
        cells = stages
    if len(cells) != 1:
        found = f"it fits {len(cells)}: {', '.join(c.name[:12] for c in cells[:5])}" if cells else "nothing has it"
        raise BadInput(
            f"a key must be that of one finished cell or training of {home.path}; {key!r} was given, and {found}. "
            f"`segfrontier status --cells` lists cells, `segfrontier store ls` trainings."
        )
    return _of_cell(cells[0])


def _of_cell(folder: Path) -> WeightsSource:
    record = Record.load(folder)
    if record is None or record.model is None:
        state = "it has not ended" if record is None else f"it is {record.state}, and names none"
        raise BadInput(
            f"the cell {folder.name[:12]} must name its model; {state}. Run its study again: what is stored is found, "
            f"and the record is made anew."
        )
    store = Store(folder.parents[1] / "store")
    entry = store.get(record.model.stage)
    if entry is None:
        raise BadInput(
            f"the store {store.root} no longer holds the model of cell {folder.name[:12]}; run its study again"
        )
    looking = LookingCard.model_validate(record.model.looking).looking()
    return _with_card(WeightsSource(entry.path, record.model.network, record.model.weights, looking))


def _with_card(source: WeightsSource) -> WeightsSource:
    if not (source.folder / CARD).is_file():
        raise BadInput(
            f"{source.folder} must hold {CARD}, which says how to build the network; it has none, as trainings of "
            f"earlier versions. Remove that training with `segfrontier store gc`, and run its study again."
        )
    return source


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise BadInput(f"an image must be (H, W, 3) RGB of uint8; found {image.shape} {image.dtype}. Convert it.")
    return image
