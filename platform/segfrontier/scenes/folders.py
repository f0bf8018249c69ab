"""Your own folders as a world: a short YAML with path templates, a class map and the encoding of the label files.

    name: my-city
    encoding: ids                      # ids (grey or palette files) | colours | instances (class * 1000 + number)
    splits:
      train: {images: "images/train/{id}.jpg", semantic: "labels/train/{id}.png"}
      val:   {images: "images/val/{id}.jpg",   semantic: "labels/val/{id}.png"}
      more:  {images: "images/more/{id}.jpg",  coarse: "coarse/more/{id}.png", split: train}   # coarse labels only
      rest:  {images: "images/rest/{id}.jpg",  unlabelled: true, split: train}                 # no labels
    classes:
      - {name: road, colour: [128, 64, 128], ids: [0, 7]}            # several ids are merged into one class
      - {name: car,  colour: [0, 0, 142], ids: [26], thing: true}
    void: [255]
    instances: components              # none | files | components (connected components stand in) | exact (see below)
    val: 20 %                          # instead of a split `val`: so much of `train`, drawn by name (see `holdout`)
    existing:                          # labels of training images that were made elsewhere (see `importing.existing`)
      boxes: {file: boxes.json, seconds: 0, names: {person: pedestrian, dog: null}}    # COCO's form; what a box took
      tags: {file: tags.csv, seconds: 1}                                               # image,tag: of whole images

`{id}` and any further `{name}` match one path part and make up the scene id (one that stands twice stands for the same
twice), `*` matches any part of a name; `root` defaults to the YAML's own folder.

What `world export` writes besides: `prefix` in a split is what its scene ids begin with, instead of the split's name
and `/`; `instances: exact` keeps the numbers of instance files, which a scene may lack, as they are.
"""

from __future__ import annotations

import glob
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from segfrontier.basics.reading import load_yaml
from segfrontier.basics.wording import explain, nearest
from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable, SceneClass
from segfrontier.scenes.holdout import Holdout
from segfrontier.scenes.manifest import Seconds
from segfrontier.scenes.names import CLASS_NAME, PLAIN, is_class_name, is_plain, shown
from segfrontier.scenes.raw import Encoding, pack_colours
from segfrontier.scenes.writer import POOL

Colour = tuple[
    Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)], Annotated[int, Field(ge=0, le=255)]
]


TRAIN, VAL = "train", "val"
_NAMED = re.compile(r"(\{[A-Za-z_]\w*\})", re.ASCII)


def _plain(name: str) -> str:
    if not is_plain(name):
        raise ValueError(f"a name has {PLAIN}; found {shown(name)}")
    return name


def _class_name(name: str) -> str:
    if not is_class_name(name):
        raise ValueError(f"a class name has {CLASS_NAME}; found {shown(name)}")
    return name


def _template(text: str) -> str:
    found = shown(text)
    if "{id}" not in text:
        raise ValueError(f"a path template must contain {{id}}; found {found}")
    if not text.isprintable() or len(text) > 1000:
        raise ValueError(f"a path template has up to 1000 printable characters; found {found}")
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError(f"a path template leads down from `root`, without a leading `/` or a `..`; found {found}")
    if "**" in text:
        raise ValueError(f"`*` stands for a part of one name, and not twice in a row; found {found}")
    return text


def _below(path: str) -> str:
    if not path.isprintable() or not 0 < len(path) <= 1000 or path.startswith("/") or ".." in path.split("/"):
        raise ValueError(f"a path leads down from `root`, without a leading `/` or a `..`; found {shown(path)}")
    return path


Name = Annotated[str, AfterValidator(_plain)]
ClassName = Annotated[str, AfterValidator(_class_name)]
Template = Annotated[str, AfterValidator(_template)]
Prefix = Annotated[str, Field(max_length=1000)]
RawId = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built when one is read: few do


class SplitPaths(_Strict):
    """Path templates of one split, relative to the root.

    Images without a fine label file, but with a coarse one, can be bought coarse labels of. Those without any are left
    out, or with `unlabelled` training scenes of which nothing can be bought. `split` adds the scenes to a split of
    another name: Cityscapes' train_extra to `train`.
    """

    images: Template
    semantic: Template | None = None
    instances: Template | None = None
    coarse: Template | None = None
    optional: bool = False
    unlabelled: bool = False
    domain: Literal["source", "target"] = "target"
    split: Name | None = None
    prefix: Prefix | None = None

    @model_validator(mode="after")
    def _has_labels(self) -> Self:
        if self.semantic is None and self.coarse is None and not self.unlabelled:
            raise ValueError(
                "a split needs the template `semantic`, or `coarse` where it was labelled coarsely only, or "
                "`unlabelled: true` where its images have no labels"
            )
        return self

    @property
    def templates(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(t for t in (self.images, self.semantic, self.instances, self.coarse) if t is not None)


class FolderClass(_Strict):
    """One class: the ids (or, for colour-coded files, colours) that mean it."""

    name: ClassName
    colour: Colour
    ids: tuple[Annotated[int, Field(ge=0, le=65535)], ...] = ()
    colours: tuple[Colour, ...] = ()
    thing: bool = False


class ExistingFile(_Strict):
    """A file of labels that exist: what each took elsewhere, and the class that a name in it means; null: none."""

    file: Annotated[str, AfterValidator(_below)]
    seconds: Seconds
    names: dict[str, ClassName | None] = Field(default_factory=dict)


class ExistingLabels(_Strict):
    """Boxes and image tags of training scenes that were paid for elsewhere."""

    boxes: ExistingFile | None = None
    tags: ExistingFile | None = None

    @property
    def seconds(self) -> dict[str, Decimal]:
        """What each took, by kind of act."""
        given = {"box": self.boxes, "tag": self.tags}
        return {kind: file.seconds for kind, file in given.items() if file is not None}


class FolderSpec(_Strict):
    """A dataset of files, described."""

    name: Name
    root: Path = Path()
    encoding: Encoding
    splits: dict[Name, SplitPaths] = Field(min_length=1)
    classes: tuple[FolderClass, ...] = Field(min_length=1)
    void: tuple[RawId | Colour, ...] = (255,)
    instances: Literal["none", "files", "components", "exact"] = "none"
    val: Holdout | None = None
    existing: ExistingLabels | None = None

    @model_validator(mode="before")
    @classmethod
    def _takes_a_share_among_the_splits(cls, value: Any) -> Any:
        """`val: 20 %` reads as naturally below `splits` as beside it."""
        splits = value.get("splits") if isinstance(value, dict) and "val" not in value else None
        share = splits.get(VAL) if isinstance(splits, dict) else None
        if splits is None or not (isinstance(share, str | float) or (isinstance(share, dict) and "share" in share)):
            return value
        return value | {"splits": {k: v for k, v in splits.items() if k != VAL}, "val": share}

    @model_validator(mode="after")
    def _keeps_unlabelled_images_for_training(self) -> Self:
        for split, paths in self.splits.items():
            if paths.unlabelled and (paths.domain, paths.split or split) != POOL:
                raise ValueError(
                    f"images without labels can be scenes of {'/'.join(POOL)} alone, for nothing is scored there; "
                    f"`unlabelled: true` stands in {paths.domain}/{paths.split or split}. Take it out, or add "
                    f"`split: {TRAIN}`"
                )
        return self

    @model_validator(mode="after")
    def _names_classes_of_its_own(self) -> Self:
        known = [one.name for one in self.classes]
        files = () if self.existing is None else (self.existing.boxes, self.existing.tags)
        for meant in (meant for file in files if file is not None for meant in file.names.values()):
            if meant is not None and meant not in known:
                raise ValueError(f"`existing.names` gives classes; {shown(meant)} is none ({nearest(meant, known)})")
        return self

    @model_validator(mode="after")
    def _holds_out_what_is_there(self) -> Self:
        if self.val is None:
            return self
        into = {paths.split or split for split, paths in self.splits.items() if paths.domain == "target"}
        if VAL in into or TRAIN not in into:
            raise ValueError(
                f"`val` takes scenes from a split {TRAIN!r} where there is no split {VAL!r}; found the splits "
                f"{', '.join(sorted(into))}. Leave out one of the two"
            )
        for paths in (self.splits[split] for split in self.splits if self.val.by is not None):
            if paths.domain == "target" and self.val.by not in _names(paths.images):
                raise ValueError(
                    f"`val.by` must be a name in each `images` template; {self.val.by!r} is none of "
                    f"{', '.join(_names(paths.images))}. Name one that is"
                )
        return self

    @classmethod
    def load(cls, path: str | Path) -> FolderSpec:
        """Read the YAML; paths are relative to it."""
        path = Path(path)
        try:
            spec = cls.model_validate(load_yaml(path, what="a dataset description", error=BadWorld))
        except ValidationError as error:
            raise BadWorld(explain(error, cls, where=str(path))) from None
        return spec.model_copy(update={"root": path.parent / spec.root})

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders in which all of its files lie, as far as the templates name them."""
        heads = (re.split(r"[{*]", t)[0].rpartition("/")[0] for paths in self.splits.values() for t in paths.templates)
        return tuple(dict.fromkeys(self.root / head for head in heads))

    def table(self) -> ClassTable:
        """The class table; colours stand in it as 0xRRGGBB raw ids where the files are colour-coded."""
        by_colour = self.encoding == "colours"
        classes = tuple(
            SceneClass(
                name=c.name,
                colour=c.colour,
                thing=c.thing,
                raw_ids=tuple(_packed(v) for v in (c.colours or (c.colour,))) if by_colour else c.ids,
            )
            for c in self.classes
        )
        void = tuple(v if isinstance(v, int) else _packed(v) for v in self.void)
        return ClassTable(name=self.name, classes=classes, void_ids=void)


def _packed(colour: Colour) -> int:
    return int(pack_colours(np.array(colour)))


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one scene."""

    id: str
    domain: str
    split: str
    image: Path
    semantic: Path | None
    instances: Path | None
    coarse: Path | None
    boxes: tuple[tuple[float, ...], ...] | None = None  # that exist: x, y, width, height, label, crowd
    boxed_size: tuple[int, int] | None = None  # of the image that they were drawn in, where that is said
    tags: tuple[int, ...] | None = None

    @property
    def has_labels(self) -> bool:
        """Whether anything can be bought of it."""
        return any(found is not None for found in (self.semantic, self.coarse, self.boxes, self.tags))

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them."""
        return tuple(p for p in (self.image, self.semantic, self.instances, self.coarse) if p is not None)


@dataclass(frozen=True, slots=True)
class Matched:
    """Which images found their labels, and which files stand alone."""

    scenes: tuple[Files, ...]
    images_without_labels: tuple[str, ...]
    labels_without_images: tuple[str, ...]
    twice: tuple[str, ...] = ()  # a second file of what has one, left out


def pair(spec: FolderSpec) -> Matched:
    """Match images with labels by the names in the templates."""
    scenes: list[Files] = []
    lone_images: list[str] = []
    lone_labels: list[str] = []
    twice: list[str] = []
    for split, paths in spec.splits.items():
        images = by_key(spec.root, paths.images, twice)
        if not images and paths.optional:
            continue
        if not images:
            raise BadWorld(
                f"split {split!r} is empty: no file matches {str(spec.root / paths.images)!r}. Correct the template, "
                f"or say `optional: true` for a split that may be absent."
            )
        fine, instances, coarse = (
            by_key(spec.root, template, twice) if template else {}
            for template in (paths.semantic, paths.instances, paths.coarse)
        )
        labels = coarse | fine
        prefix = f"{split}/" if paths.prefix is None else paths.prefix
        if labels.keys().isdisjoint(images) and (paths.semantic or paths.coarse):
            raise _without_partners(split, images, labels)
        kept = images.keys() if paths.unlabelled else images.keys() & labels.keys()
        lone_images += [str(images[k]) for k in sorted(images.keys() - labels.keys() - kept)]
        lone_labels += [str(labels[k]) for k in sorted(labels.keys() - images.keys())]
        scenes += [
            Files(prefix + k, paths.domain, _split_of(spec, split, k, fine=k in fine), images[k], fine.get(k),
                  instances.get(k), coarse.get(k))
            for k in sorted(kept)
        ]  # fmt: skip
    if spec.val is not None:
        _require_both(spec.val, Counter(files.split for files in scenes if files.domain == "target"))
    return Matched(tuple(scenes), tuple(lone_images), tuple(lone_labels), tuple(twice))


def _without_partners(split: str, images: Mapping[str, Path], labels: Mapping[str, Path]) -> BadWorld:
    alone = f"{next(iter(labels.values()))} stands alone" if labels else "there is no label file at all"
    return BadWorld(
        f"split {split!r}: images and label files must share what `{{id}}` stands for; none of {len(images)} images, "
        f"e.g. {next(iter(images.values()))}, has a label file, and {alone}. Correct the templates."
    )


def _split_of(spec: FolderSpec, split: str, key: str, *, fine: bool) -> str:
    """The split of a scene in the world. What is held out for validation must have fine labels to score against."""
    paths = spec.splits[split]
    into = paths.split or split
    if spec.val is None or into != TRAIN or paths.domain != "target" or not fine:
        return into
    drawn = key if spec.val.by is None else key.split("/")[_names(paths.images).index(spec.val.by)]
    return VAL if spec.val.takes(drawn) else TRAIN


def _require_both(val: Holdout, counts: Mapping[str, int]) -> None:
    for split in (TRAIN, VAL):
        if not counts.get(split):
            raise BadWorld(
                f"`val` must leave finely labelled scenes for {TRAIN!r} and for {VAL!r}; {val.share * 100:g} % drawn "
                f"with seed {val.seed} leaves none for {split!r}. Change the share, the seed, or `by`."
            )


def _names(template: str) -> list[str]:
    """The names in a template, in the order in which a key joins what they stood for."""
    return sorted({name[1:-1] for name in _NAMED.findall(template)})


def by_key(root: Path, template: str, twice: list[str]) -> dict[str, Path]:
    """The file of each key; of several for one, the last by name, and a line in `twice` for each other one."""
    files: dict[str, Path] = {}
    for key, path in _matches(root, template):
        if key in files:
            twice.append(f"{files[key]}: a scene has one such file, and it has {path.name} too; this one is left out")
        files[key] = path
    return files


def _matches(root: Path, template: str) -> Iterator[tuple[str, Path]]:
    """(key, file) for every file that fits the template; the key joins what the `{names}` stood for.

    Keys are composed (NFC), so that an image and its labels pair where one of them went through a system that writes
    an umlaut as two characters. A link to nothing fits, too: to be named, not passed over.
    """
    parts = _NAMED.split(template)
    fits = "".join(
        (f"(?P={part[1:-1]})" if part in parts[1:at:2] else f"(?P<{part[1:-1]}>[^/]+)")
        if at % 2
        else re.escape(part).replace(r"\*", "[^/]*")
        for at, part in enumerate(parts)
    )
    looks = "".join("*" if at % 2 else glob.escape(part).replace("[*]", "*") for at, part in enumerate(parts))
    pattern = re.compile(fits)
    for path in sorted(root.glob(re.sub(r"\*+", "*", looks)), key=lambda path: path.parts):
        match = pattern.fullmatch(path.relative_to(root).as_posix())
        if match and (path.is_file() or (path.is_symlink() and not path.exists())):
            yield unicodedata.normalize("NFC", "/".join(match[n] for n in _names(template))), path
