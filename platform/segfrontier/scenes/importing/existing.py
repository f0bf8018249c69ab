"""Boxes and image tags that were made elsewhere, for the images of one's own folders (see `folders`, `existing`).

A COCO-style JSON file says boxes, a table (CSV) with the columns image and tag says tags. Both are complete for the
images that they list: what they do not say of such an image is not there. An image is found by its name, or by as much
of its path as tells it from others.
"""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.basics.reading import LARGE, load_json, read_text
from segfrontier.basics.wording import nearest
from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.folders import ExistingFile, Files, FolderSpec, Matched
from segfrontier.scenes.names import shown
from segfrontier.scenes.writer import POOL

_LARGEST = 2**31  # bytes; COCO's own file has some hundred million


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a file says of one image."""

    rows: tuple[Any, ...] = ()
    size: tuple[int, int] | None = None  # (height, width), where it says so


def with_existing(spec: FolderSpec, table: ClassTable, pairing: Matched) -> tuple[Matched, list[str]]:
    """The scenes with what exists of them; and what whoever uses it should know."""
    remarks: list[str] = []
    given = spec.existing
    if given is not None and given.boxes is not None:
        path = spec.root / given.boxes.file
        listed = _boxes(path, given.boxes, table, remarks)
        pairing = _matched(spec, path, listed, pairing, remarks, box=True)
    if given is not None and given.tags is not None:
        path = spec.root / given.tags.file
        listed = _tags(path, given.tags, table, remarks)
        pairing = _matched(spec, path, listed, pairing, remarks, box=False)
    return pairing, remarks


def whole_boxes(boxes: Iterable[Sequence[float]], size: tuple[int, int]) -> tuple[NDArray[np.int32], list[str]]:
    """Rows of whole pixels, as all boxes here: the least that hold each, cut off at the image's edges; remarks.

    A box is x, y, width, height, label, crowd.
    """
    given = np.array(list(boxes), np.float64).reshape(-1, 6)
    corners = np.round(given[:, :4], 2)  # COCO's own precision; beyond it, 10.000001 would be 11
    corners[:, 2:] = np.round(given[:, :2] + given[:, 2:4], 2)
    limit = np.array([size[1], size[0]] * 2)
    grown = np.concatenate([np.floor(corners[:, :2]), np.ceil(corners[:, 2:])], axis=1)
    cut = np.clip(grown, 0, limit)
    seen = (given[:, 2:4] > 0).all(axis=1) & (cut[:, :2] < cut[:, 2:]).all(axis=1)
    remarks = []
    if not seen.all():
        remarks.append(f"{int((~seen).sum())} boxes have no area in the image, and are left out")
    if (clipped := int((seen & (cut != grown).any(axis=1)).sum())) > 0:
        remarks.append(f"{clipped} boxes reach out of the image, and are cut off at its edges")
    rows = np.concatenate([cut, given[:, 4:]], axis=1)[seen].astype(np.int32)
    return np.array(list(dict.fromkeys(map(tuple, rows.tolist()))), np.int32).reshape(-1, 6), remarks


def _boxes(path: Path, given: ExistingFile, table: ClassTable, remarks: list[str]) -> dict[str, _Listed]:
    plain = load_json(path, what="a COCO-style file of boxes", error=BadWorld, limit=_LARGEST)
    try:
        names = {row["id"]: str(row["name"]) for row in plain["categories"]}
        images = {row["id"]: row for row in plain["images"]}
        files = [_composed(str(row["file_name"])) for row in plain["images"]]
        rows: dict[Any, list[tuple[Any, ...]]] = {key: [] for key in images}
        for number, row in enumerate(plain["annotations"]):
            rows[row["image_id"]].append((*_corner(path, number, row), names[row["category_id"]], _crowd(row)))
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadWorld):
            raise
        raise BadWorld(
            f"{path}: must list `images` (id, file_name), `categories` (id, name) and `annotations` (image_id, "
            f"category_id, bbox) of these, as COCO's instance files do; it does not ({type(error).__name__}: {error})."
        ) from None
    _require_once(path, files)
    if len(images) < len(files):
        raise BadWorld(f"{path}: each image must have an id of its own; {len(files) - len(images)} have not.")
    labels = _labels(path, Counter(row[4] for found in rows.values() for row in found), given, table, box=True)
    if cut_out := sum("segmentation" in row and bool(row["segmentation"]) for row in plain["annotations"]):
        remarks.append(f"{path}: the outlines of {cut_out} objects are not read, their boxes are")
    kept = {
        key: [(*row[:4], labels[row[4]], row[5]) for row in found if labels[row[4]] is not None]
        for key, found in rows.items()
    }
    _remark_twice(path, kept.values(), "boxes", remarks)
    return {
        name: _Listed(tuple(dict.fromkeys(kept[row["id"]])), _size(path, row))
        for name, row in zip(files, plain["images"], strict=True)
    }


def _corner(path: Path, number: int, row: Mapping[str, Any]) -> tuple[float, ...]:
    box = row.get("bbox")
    numbers = isinstance(box, list) and all(isinstance(v, int | float) and math.isfinite(v) for v in box)
    if not numbers or len(box) != 4 or max(map(abs, box)) > 10**7:  # type: ignore[arg-type]
        raise BadWorld(
            f"{path}: annotations.{number}.bbox must be [x, y, width, height] in pixels; found {shown(box)}. Correct "
            f"the file."
        )
    return tuple(float(v) for v in box)  # type: ignore[union-attr]


def _crowd(row: Mapping[str, Any]) -> int:
    if (crowd := row.get("iscrowd", 0)) not in (0, 1):
        raise ValueError(f"iscrowd is 0 or 1, not {crowd!r}")
    return int(crowd)


def _size(path: Path, row: Mapping[str, Any]) -> tuple[int, int] | None:
    size = row.get("height"), row.get("width")
    if size == (None, None):
        return None
    if not all(type(side) is int for side in size):
        raise BadWorld(f"{path}: the height and width of {shown(row['file_name'])} must be whole numbers of pixels.")
    return size  # type: ignore[return-value]


def _tags(path: Path, given: ExistingFile, table: ClassTable, remarks: list[str]) -> dict[str, _Listed]:
    text = read_text(path, what="a table of tags", error=BadWorld, limit=LARGE).removeprefix("\ufeff")
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise BadWorld(f"{path}: must be a table with commas (CSV); it is not ({error}). Correct the file.") from None
    if not lines or [name.strip() for name in lines[0]] != ["image", "tag"]:
        raise BadWorld(
            f"{path}: a table of tags must begin with the line `image,tag`; found {shown(text.partition(chr(10))[0])}."
        )
    rows: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    for number, row in enumerate(lines[1:], start=2):
        if len(row) != 2 or not row[0].strip():
            raise BadWorld(
                f"{path}: row {number} must be an image and a tag; found {shown(','.join(row))}. Correct it."
            )
        name, tag = _composed(row[0].strip()), row[1].strip()
        rows[name] += [(tag,)] if tag else []  # an image that was looked at, and shows nothing that has a tag
    labels = _labels(path, Counter(tag for found in rows.values() for (tag,) in found), given, table, box=False)
    _remark_twice(path, rows.values(), "tags", remarks)
    return {
        name: _Listed(tuple(sorted({label for (tag,) in found if (label := labels[tag]) is not None})))
        for name, found in rows.items()
    }


def _labels(
    path: Path, found: Mapping[str, int], given: ExistingFile, table: ClassTable, *, box: bool
) -> dict[str, int | None]:
    """The label of each category or tag; None for what is left out."""
    meant = {name: given.names.get(name, name) for name in found}
    what, others = ("category", "boxes") if box else ("tag", "tags")
    if strays := [name for name, known in meant.items() if known is not None and known not in table.names]:
        first = strays[0]
        listed = ", ".join(f"{name!r} ({found[name]} {others})" for name in strays[:5])
        more = f" and {len(strays) - 5} more" if len(strays) > 5 else ""
        raise BadWorld(
            f"{path}: each {what} must be a class of the world; unknown: {listed}{more} "
            f"({nearest(first, table.names)}). Say which class is meant, `names: {{{first}: CLASS}}`, or leave it out, "
            f"`names: {{{first}: null}}`."
        )
    labels = {name: None if known is None else table.index(known) for name, known in meant.items()}
    if box and (stuff := [name for name, label in labels.items() if label in table.stuff]):
        raise BadWorld(
            f"{path}: boxes must be of classes that can be counted; {stuff[0]!r} is none ({found[stuff[0]]} boxes). "
            f"Mark the class `thing: true`, or leave them out, `names: {{{stuff[0]}: null}}`."
        )
    return labels


def _remark_twice(path: Path, rows: Iterable[list[Any]], what: str, remarks: list[str]) -> None:
    if twice := sum(len(found) - len(set(found)) for found in rows):
        remarks.append(f"{path}: {twice} {what} stand there a second time, and count once")


def _matched(
    spec: FolderSpec, path: Path, listed: Mapping[str, _Listed], pairing: Matched, remarks: list[str], *, box: bool
) -> Matched:
    """The scenes with what a file says of them. Whom it names, and is not there, is counted and named."""
    places = defaultdict[str, list[Path]](list)
    known = [*(files.image for files in pairing.scenes), *map(Path, pairing.images_without_labels)]
    for image in dict.fromkeys(known):
        places[_composed(image.name)].append(image)
    found: dict[Path, _Listed] = {}
    absent: list[str] = []
    for name, one in listed.items():
        fits = _fits(places[name.rpartition("/")[2]], name, spec.root)
        if len(fits) > 1 or (fits and fits[0] in found):
            told = f"{fits[0]} and {fits[1]} have it" if len(fits) > 1 else f"{fits[0]} is named twice"
            raise BadWorld(
                f"{path}: each name must be that of one image; {shown(name)} is not: {told}. Write as much of the path "
                f"as tells images apart, once."
            )
        if fits:
            found[fits[0]] = one
        else:
            absent.append(f"{path}: names {name}, which is not there")
    if listed and not found:
        raise BadWorld(
            f"{path}: must name images of this data set; none of its {len(listed)} is there, e.g. "
            f"{shown(next(iter(listed)))}. Correct the names, or the paths of the splits."
        )
    pool = {files.image for files in pairing.scenes if (files.domain, files.split) == POOL}
    if outside := [image for image in found if image not in pool]:
        remarks.append(
            f"{path}: {len(outside)} of its images are no scenes of {'/'.join(POOL)}, so nothing is kept of them, e.g. "
            f"{outside[0]}; what has no label file is a scene with `unlabelled: true` in its split"
        )
    scenes = tuple(_with(files, found[files.image], box=box) if files.image in found.keys() & pool else files
                   for files in pairing.scenes)  # fmt: skip
    lone = (*pairing.labels_without_images, *absent)
    return replace(pairing, scenes=scenes, labels_without_images=lone)


def _with(files: Files, listed: _Listed, *, box: bool) -> Files:
    if box:
        return replace(files, boxes=listed.rows, boxed_size=listed.size)
    return replace(files, tags=listed.rows)


def _fits(images: list[Path], name: str, root: Path) -> list[Path]:
    """The image of this path below the root; else those whose paths end so."""
    by_place = {_composed(image.relative_to(root).as_posix()): image for image in images}
    return [by_place[name]] if name in by_place else [by_place[p] for p in by_place if p.endswith(f"/{name}")]


def _require_once(path: Path, names: list[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise BadWorld(f"{path}: each image must stand there once; {len(twice)} do not, e.g. {shown(twice[0])}.")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name.removeprefix("./"))
