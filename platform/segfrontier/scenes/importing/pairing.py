"""From a root to scenes: which layout is there, which image has which labels, and what fits nowhere."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from segfrontier.basics.reading import LARGE, read_text
from segfrontier.errors import BadWorld
from segfrontier.scenes.files import real_path
from segfrontier.scenes.folders import TRAIN, by_key
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, SceneFiles
from segfrontier.scenes.manifest import ImportNotes

_ODD = (".DS_Store", "Thumbs.db", "desktop.ini", ".gitkeep", "license.txt", "README*", "readme*")
_LOOKED_AT = 2000  # folders and files, of a wrong root


@dataclass(slots=True)
class PairedFiles:
    """What a layout's files come to."""

    items: list[SceneFiles] = field(default_factory=list)
    lone_images: list[str] = field(default_factory=list)
    lone_labels: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    known: set[Path] = field(default_factory=set)
    spare: list[SceneFiles] = field(default_factory=list)  # training images without labels

    @property
    def notes(self) -> ImportNotes:
        """For the world's manifest."""
        return ImportNotes(
            skipped=tuple(dict.fromkeys(self.skipped)),  # parts may share a folder of images
            images_without_labels=tuple(self.lone_images),
            labels_without_images=tuple(self.lone_labels),
            remarks=tuple(self.remarks),
        )


def find(dataset: Dataset, root: Path, *, unlabelled: bool = False) -> PairedFiles:
    """The scenes below a root, in the one layout of the data set that is there.

    With `unlabelled`, images of the training parts that have no labels are scenes, too.
    """
    parts = _layout(dataset, root)
    found = PairedFiles()
    alone = {}
    for part in parts:
        items, images = len(found.items), len(found.lone_images)
        _pair(part, root, found)
        if len(found.items) == items:
            alone[part.name] = (part, found.lone_images[images:])
    _require_labels(dataset, root, parts[0], found, alone, unlabelled=unlabelled)
    _add_pool(dataset, root, parts[0], found, kept=unlabelled)
    if unlabelled:
        _keep_unlabelled(found)
    _name_twins(found)
    _name_links(root, found)
    _name_strangers(dataset, root, parts, found)
    return found


def _require_labels(
    dataset: Dataset, root: Path, first: LayoutPart, found: PairedFiles,
    alone: Mapping[str, tuple[LayoutPart, list[str]]], *, unlabelled: bool,
) -> None:  # fmt: skip
    """Refuse a data set of which a whole part has no label: an archive was not unpacked, and nobody wants the rest.

    What one part has no labels of, another may have; training images may be meant to have none.
    """
    if not found.items:
        raise _without_labels(dataset, root, first, found.lone_images)
    labelled = {str(item.image) for item in found.items}
    for part, images in alone.values():
        meant = unlabelled and (part.split or part.name) == TRAIN
        if images and not meant and labelled.isdisjoint(images):
            raise _without_labels(dataset, root, part, images)


def _without_labels(dataset: Dataset, root: Path, part: LayoutPart, images: list[str]) -> BadWorld:
    alone = f", e.g. {images[0]}," if images else ""
    kept = ", or keep them as scenes without labels (--unlabelled)" if (part.split or part.name) == TRAIN else ""
    place = root / _head(next(part.labels[kind] for kind in part.needs))
    there = sorted(str(path.relative_to(place)) for path in islice(place.rglob("*"), _LOOKED_AT) if path.is_file())
    seen = f"{len(there)} files like {there[0]}" if there else "nothing"
    return BadWorld(
        f"{root}: {dataset.title} has labels beside its images; none of {len(images)} images{alone} has the label file "
        f"{_shown(root, part)}, and in {place} there is {seen}. Unpack the label archive there, too{kept}."
    )


def heads(dataset: Dataset, root: Path) -> tuple[Path, ...]:
    """The folders in which the data set's files lie, as far as its templates name them."""
    templates = [t for parts in dataset.layouts for part in parts for t in _templates(part)]
    return tuple(dict.fromkeys(root / _head(t) for t in (*templates, *filter(None, [dataset.pool]))))


def _templates(part: LayoutPart) -> tuple[str, ...]:
    return (part.images, *part.labels.values())


def _head(template: str) -> str:
    return re.split(r"[{*]", template)[0].rpartition("/")[0]


def _shown(root: Path, part: LayoutPart) -> str:
    return str(root / next(part.labels[kind] for kind in part.needs))


def _layout(dataset: Dataset, root: Path) -> tuple[LayoutPart, ...]:
    fitting = [parts for parts in dataset.layouts if _fits(parts, root)]
    if len(fitting) > 1:  # images of two forms, or the same ones with two places for labels: where are labels?
        fitting = [parts for parts in fitting if any(_has_labels(part, root) for part in parts)] or fitting[:1]
    if len(fitting) > 1:
        names = " and ".join(_shown(root, parts[0]) for parts in fitting)
        raise BadWorld(
            f"{root}: {dataset.title} must lie there in one version; found two, at {names}. Move one of them away."
        )
    if not fitting:
        raise _wrong_root(dataset, root)
    return fitting[0]


def _fits(parts: Iterable[LayoutPart], root: Path) -> bool:
    return all(_any(root, part.images) for part in parts)


def _has_labels(part: LayoutPart, root: Path) -> bool:
    return any(_any(root, part.labels[kind]) for kind in part.needs)


def _any(root: Path, template: str) -> bool:
    return next(iter(root.glob(re.sub(r"\{\w+\}|\*+", "*", template))), None) is not None


def _wrong_root(dataset: Dataset, root: Path) -> BadWorld:
    lacking = [dict.fromkeys(p.images for p in parts if not _any(root, p.images)) for parts in dataset.layouts]
    looked = " or ".join(dict.fromkeys(map(", ".join, lacking)))
    if not root.is_dir():
        return BadWorld(f"{root}: {dataset.title} must be a folder with {looked}; there is no such folder.")
    there = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    listing = f"{', '.join(there[:8])}{f' and {len(there) - 8} more' if len(there) > 8 else ''}" or "nothing"
    better = next((place for place in _near(root) if any(_fits(parts, place) for parts in dataset.layouts)), None)
    advice = f"Give {better}, where it is." if better else "Correct the path, or unpack what is missing."
    return BadWorld(f"{root}: {dataset.title} has {looked}; found {listing}. {advice}")


def _near(root: Path) -> Iterator[Path]:
    """Places that may have been meant: above a root that is too deep, below one that is not deep enough."""
    yield from list(root.absolute().parents)[:3]
    level = [root]
    for _ in range(3):
        level = [child for parent in level for child in _folders(parent)][:_LOOKED_AT]
        yield from level


def _folders(parent: Path) -> list[Path]:
    try:
        with os.scandir(parent) as entries:
            return sorted(parent / entry.name for entry in islice(entries, _LOOKED_AT) if entry.is_dir())
    except OSError:
        return []


def _pair(part: LayoutPart, root: Path, found: PairedFiles) -> None:
    images = by_key(root, part.images, found.skipped)
    labels = {kind: by_key(root, template, found.skipped) for kind, template in part.labels.items()}
    found.known.update(images.values(), *(files.values() for files in labels.values()))
    if part.listed:
        wanted = _listed(root, part.listed, images) - _listed(root, part.unlisted, images)
        found.remarks += [
            f"{root}: {part.name} lists {k!r}, which has no image" for k in sorted(wanted - images.keys())
        ]
        images = {key: path for key, path in images.items() if key in wanted}
        labels = {kind: {k: p for k, p in files.items() if k in wanted} for kind, files in labels.items()}
    more = part.more(root) if part.more else {}
    labelled = {key for kind in part.needs for key in labels[kind]}
    if part.more:
        labelled &= more.keys()
    alone = sorted(images.keys() - labelled)
    found.lone_images += [str(images[key]) for key in alone]
    if (part.split or part.name) == TRAIN:
        found.spare += [
            SceneFiles(id=f"{part.name}/{key}", split=TRAIN, image=images[key], read=part.read, labels={})
            for key in alone
        ]
    found.lone_labels += [
        str(files[key]) for kind, files in labels.items() for key in sorted(files.keys() - images.keys())
    ]
    keys = sorted(images.keys() & labelled)
    for kind in sorted(part.labels.keys() - set(part.needs)):
        _name_missing(root, part, kind, [key for key in keys if key not in labels[kind]], len(keys), images, found)
    found.items += [
        SceneFiles(
            id=f"{part.name}/{key}", split=part.split or part.name, image=images[key], read=part.read,
            labels={kind: files[key] for kind, files in labels.items() if key in files}, more=more.get(key),
        )
        for key in keys
    ]  # fmt: skip


def _add_pool(dataset: Dataset, root: Path, part: LayoutPart, found: PairedFiles, *, kept: bool) -> None:
    """Images that come without labels: scenes, or a number, for they may be more than those that have labels."""
    images = by_key(root, dataset.pool, found.skipped) if dataset.pool else {}
    if images and not kept:
        found.remarks.append(
            f"{root}: {len(images)} images at {dataset.pool} have no labels; `--unlabelled` keeps them"
        )
        return
    found.known.update(images.values())
    folder = _head(dataset.pool)
    found.spare += [
        SceneFiles(id=f"{folder}/{key}", split=TRAIN, image=images[key], read=part.read, labels={})
        for key in sorted(images)
    ]


def _keep_unlabelled(found: PairedFiles) -> None:
    """Each spare image once: parts may share a folder, and what one has no labels of another may have."""
    taken = {item.image for item in found.items}
    kept = {item.image: item for item in found.spare if item.image not in taken}
    found.items += kept.values()
    found.lone_images = [path for path in found.lone_images if Path(path) not in kept]


def _listed(root: Path, lists: Iterable[str], known: Container[str]) -> set[str]:
    """The names in the lists: a whole line where an image is called so, else its first word."""
    names: set[str] = set()
    for name in lists:
        text = read_text(root / name, what="a list of scenes", error=BadWorld, limit=LARGE)
        lines = (unicodedata.normalize("NFC", line).strip() for line in text.splitlines())  # as keys are
        names |= {line if line in known else line.split()[0] for line in lines if line}
    return names


def _name_missing(
    root: Path, part: LayoutPart, kind: str, keys: list[str], total: int, images: Mapping[str, Path], found: PairedFiles
) -> None:
    if keys and len(keys) == total:
        found.remarks.append(f"{root}: no file is at {part.labels[kind]}; these {total} scenes have no {kind} labels")
    else:
        found.remarks += [f"{images[key]}: has no {kind} labels at {part.labels[kind]}" for key in keys]


def _name_twins(found: PairedFiles) -> None:
    """Scenes that a system which does not tell `A` from `a` would hold for one."""
    folded: defaultdict[str, list[SceneFiles]] = defaultdict(list)
    for item in found.items:
        folded[item.id.casefold()].append(item)
    for twins in folded.values():
        found.remarks += [f"{t.image}: differs from {twins[0].image} in upper and lower case alone" for t in twins[1:]]


def _name_links(root: Path, found: PairedFiles) -> None:
    """Links are followed, and said where they lead out of the root: the data set is then not all in one place."""
    real, outside = real_path(root), Counter[Path]()
    leads: dict[Path, bool] = {}
    for path in sorted(found.known):
        if path.parent not in leads:
            place = real_path(path.parent)
            leads[path.parent] = place != real and real not in place.parents
        if leads[path.parent]:
            outside[path.parent] += 1
        elif path.is_symlink() and real not in real_path(path).parents:
            found.remarks.append(f"{path}: is a link out of {root}, to {real_path(path)}")
    found.remarks += [f"{at}: leads out of {root}, to {real_path(at)}, with {n} files" for at, n in outside.items()]


def _name_strangers(dataset: Dataset, root: Path, parts: tuple[LayoutPart, ...], found: PairedFiles) -> None:
    """Files in the layout's folders that have no place in it; and images whose labels are withheld, by number."""
    for template in dataset.withheld:
        if count := len(by_key(root, template, [])):
            found.remarks.append(
                f"{root}: {count} images at {template} stay out, because their labels are not given out"
            )
    places = dict.fromkeys(root / _head(t) for part in parts if not part.listed for t in _templates(part))
    for place in places:
        for folder, _, names in os.walk(place):
            for name in sorted(names):
                path = Path(folder) / name
                if path not in found.known and not any(fnmatchcase(name, odd) for odd in (*_ODD, *dataset.beside)):
                    found.remarks.append(f"{path}: has no place in the layout, and stays out")
