"""Opening a lab: from a home folder, a world, a budget and a price list to the bench that a method gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from segfrontier.basics.atomic import sweep
from segfrontier.basics.marks import claim
from segfrontier.errors import BadInput
from segfrontier.lab.lab import Lab
from segfrontier.lab.local import LocalLab
from segfrontier.lab.places import Places
from segfrontier.lab.readiness import require_bench, require_recipe
from segfrontier.lab.recipe import Recipe
from segfrontier.lab.sealed import Sealed
from segfrontier.lab.streams import Part
from segfrontier.lab.training.loop import Bench
from segfrontier.lab.watching import Watcher
from segfrontier.market import Ledger, Market, Noise, open_window, prices_for, seconds_from_hours
from segfrontier.market.answers import Answers
from segfrontier.market.ledger import folder_name
from segfrontier.market.prices import whole
from segfrontier.scenes.classes import CAMVID, CITYSCAPES, CITYSCAPES_TO_CAMVID
from segfrontier.scenes.labels import LabelSet, write_labels
from segfrontier.scenes.world import Truth, World
from segfrontier.store import Store, code_digest, stage_key


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """Everything that a lab is opened with. `source` is the world of synthetic scenes; default: the target's own.

    A `recipe` that is given is the one that the method will get; one that cannot be trained is refused here.
    """

    home: Path
    world: World
    source: World | None = None
    hours: float | Literal["all"] = 0.0  # "all": what fine masks of every training scene cost
    prices: str | Path | None = None
    cell: str = "bench"
    seed: int = 0
    noise: Noise | None = None
    bench: Bench = field(default_factory=Bench)
    watcher: Watcher = field(default_factory=Watcher)
    recipe: Recipe | None = None


def open_lab(
    settings: LabSettings,
    *,
    kind: Callable[..., Lab] = LocalLab,
    store: Store | None = None,
    answers: Callable[[Truth, Noise, int], Answers] = Answers,
    **more: object,
) -> Lab:
    """A lab of the given kind, to be closed in the end. Only a rehearsal brings a store and answers of its own.

    What cannot work is refused before anything is made or bought.
    """
    world, home = settings.world, Path(settings.home).absolute()
    world.require_target()
    require_bench(settings.bench, here=kind is LocalLab)
    if settings.recipe is not None:
        workers = more.get("workers", 1)
        assert isinstance(workers, int), "the lab of a cluster is told its number of workers"
        require_recipe(settings.recipe, world.pool(), classes=len(world.classes), workers=workers)
    claim(home, "home")
    sweep_home(home, settings.cell)
    prices = prices_for(world.name, settings.prices)
    ledger = Ledger(home / "ledger", create=True)
    store = store or Store(home / "store")
    truth = world.truth()
    if settings.hours == "all":
        count = sum(truth.has(scene, "fine") for scene in truth.scenes())
        budget = whole(prices.milliseconds("fine", units=count, asked=count))
    else:
        budget = seconds_from_hours(settings.hours)
    shop = Market(
        truth, prices, ledger, settings.cell, budget, home / "labels",
        noise=settings.noise, seed=settings.seed, answers=answers,
    )  # fmt: skip
    places = Places(world=world, ledger=ledger, cell=settings.cell)
    synthetic = source_part(settings.source or world, world, store)
    places.note_free("class_list", detail=world.classes.name, count=len(world.classes))
    if synthetic is not None:
        places.note_free("source_labels", detail=synthetic.images.world, count=len(synthetic.images))
    return kind(
        places=Sealed(places), window=open_window(shop), pool=world.pool(), synthetic=synthetic, store=store,
        seed=settings.seed, bench=settings.bench, watcher=settings.watcher,
        total_steps=settings.recipe.total_steps if settings.recipe else None, **more,
    )  # fmt: skip


def sweep_home(home: Path, cell: str = "bench") -> None:
    """Remove what killed writers left half-written in a home: unpaid labels, records, reports.

    Of the cells' folders just this one's, for there may be many; stages see to their own.
    """
    shared = (home, home / "labels", home / "store", home / "studies")
    mine = (home / "cells" / folder_name(cell), home / "labels" / folder_name(cell))
    of_studies = [folder for at in ("*", "*/report") for folder in (home / "studies").glob(at)]
    for folder in (*shared, *mine, *of_studies):
        sweep(folder)


def source_part(source: World, target: World, store: Store) -> Part | None:
    """The free synthetic scenes with their labels, in the target's classes; None where the world has none."""
    if ("source", "train") not in source.splits():
        if source is not target:
            raise BadInput(f"the synthetic world {source.name!r} has no scenes in source/train; give another, or none")
        return None
    if source.classes.names == CITYSCAPES.names and target.classes.names == CAMVID.names:  # whatever they are called
        source = source.mapped_to(CAMVID, CITYSCAPES_TO_CAMVID)
    target.classes.require_same_labels(source.classes, what=f"the synthetic world {source.name!r}")
    pool, truth = source.pool(domain="source"), source.truth(domain="source")

    def write(out: Path) -> None:
        (out / "digest").write_text(truth.write(out).digest)

    key = stage_key("source", {}, {"truth": truth.digest}, code_digest(type(truth), write_labels))
    entry = store.once(key, write, about={"kind": "source"})
    content = entry.local("digest").read_text()
    path = entry.local(f"fine-{content}.arrow")
    labels = LabelSet(path=str(path), kind="fine", digest=content, count=len(truth), classes=source.classes)
    return Part(images=pool, labels=labels)
