"""The data sets that can be imported by name, in their official layout."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

from segfrontier.errors import BadWorld
from segfrontier.scenes.folder import refuse_taken
from segfrontier.scenes.importing.ade20k import ADE20K
from segfrontier.scenes.importing.bdd100k import BDD100K, BDD100K_DIVIDED
from segfrontier.scenes.importing.cityscapes import CITYSCAPES_EXTRA, CITYSCAPES_FINE
from segfrontier.scenes.importing.coco import COCO
from segfrontier.scenes.importing.engine import MAX_BAD_SHARE, Progress, import_source
from segfrontier.scenes.importing.gta5 import GTA5
from segfrontier.scenes.importing.layout import Dataset
from segfrontier.scenes.importing.official import Coarsen, official_source
from segfrontier.scenes.importing.pairing import heads
from segfrontier.scenes.importing.pascal_context import CONTEXT
from segfrontier.scenes.importing.synthetic import SYNSCAPES, URBANSYN
from segfrontier.scenes.importing.synthia import SYNTHIA
from segfrontier.scenes.importing.voc import VOC_ALONE, VOC_AND_SBD
from segfrontier.scenes.names import shown
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import DOMAINS, POOL

DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset for dataset in (
        CITYSCAPES_FINE, CITYSCAPES_EXTRA, GTA5, SYNTHIA, SYNSCAPES, URBANSYN, BDD100K, BDD100K_DIVIDED,
        VOC_AND_SBD, VOC_ALONE, CONTEXT, COCO, ADE20K,
    )
}  # fmt: skip


def import_dataset(
    name: str,
    root: str | Path,
    folder: str | Path,
    *,
    domain: str = "",
    class_set: str = "",
    coarsen: Coarsen | None = None,
    unlabelled: bool = False,
    max_bad: float = MAX_BAD_SHARE,
    progress: Progress | None = None,
    processes: int | None = None,
) -> World:
    """Import a known data set from `root`, where its official archives were unpacked, into a new world at `folder`.

    `domain`: `target`, whose labels are bought, or `source`, whose labels are free; empty: as it is mostly used.
    `class_set` keeps some of the classes and makes the others void. `coarsen` simulates the coarse labels of a data set
    that is divided into finely and coarsely labelled scenes (`segfrontier.market.coarse.coarse_map`). `unlabelled`
    keeps training images that have no labels: they are left out otherwise.
    """
    if name not in DATASETS:
        near = get_close_matches(name, DATASETS, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "Describe other folders in a YAML."
        raise BadWorld(f"a known data set is one of {', '.join(DATASETS)}; found {shown(name)}. {advice}")
    if domain not in ("", *DOMAINS):
        raise BadWorld(f"a domain must be one of {', '.join(DOMAINS)}; found {domain!r}.")
    dataset = DATASETS[name]
    if class_set and class_set not in dataset.class_sets:
        offered = ", ".join(dataset.class_sets) or "none"
        raise BadWorld(f"{dataset.title} has the class sets: {offered}; found {class_set!r}. Leave it out for all.")
    if unlabelled and (domain or dataset.domain) != POOL[0]:
        raise BadWorld(
            f"{dataset.title}: images without labels can be scenes of a target alone; this is to be a source, whose "
            f"labels are all there. Leave `unlabelled` out, or import it as a target."
        )
    if dataset.fine is not None and coarsen is None:
        raise BadWorld(f"{name!r} needs `coarsen`, which simulates coarse labels: market.coarse.coarse_map does.")
    try:
        refuse_taken(folder, sources=heads(dataset, Path(root)))  # before anything of the data set is looked at
        source = official_source(
            dataset, root, domain=domain, class_set=class_set, coarsen=coarsen, unlabelled=unlabelled
        )
    except BadWorld:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadWorld(f"{root}: {dataset.title} must lie in readable folders; they are not ({error}).") from None
    return import_source(source, folder, max_bad=max_bad, progress=progress, processes=processes)
