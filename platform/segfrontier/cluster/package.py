"""The folder that a job works in: what is submitted is what runs, on every node, whatever is installed there.

    the user's working directory     without what .gitignore and .rayignore name, homes, worlds and environments
    .segfrontier/study.yaml          the study, with what --set changed
    .segfrontier/code/               code that is installed here and lies outside of the directory, and the entry points
                                     of all methods that are known here

PYTHONPATH names the source roots of the directory (`platform`, `methods`, where a package of one's own lies), then
`.segfrontier/code`. All of them come before whatever a node has installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile

from segfrontier import __version__
from segfrontier.basics.atomic import write_text
from segfrontier.basics.installed import GROUP, entries
from segfrontier.basics.marks import kind_of
from segfrontier.errors import BadInput
from segfrontier.lab._ray.health import uploaded
from segfrontier.scenes.manifest import MANIFEST
from segfrontier.store import human_size

LIMIT = 5_000_000
"""Bytes of a job's folder, before compression: every node fetches it, and keeps it."""
OWN = Path(".segfrontier")
STUDY, CODE = OWN / "study.yaml", OWN / "code"
SOURCES = (Path("platform/segfrontier"), Path("methods/segfrontier_methods"))
"""Where a checkout has the engine's packages."""
CONSTRAINTS = Path("constraints.txt")
_IGNORE_FILES = (".gitignore", ".rayignore")
"""They have been heeded; Ray would hold them against what is put beside the folder's own files, too."""
_WORLD = "world"


@dataclass(frozen=True)
class Package:
    """What is sent: files by their place in the job's folder, and texts that are made for it."""

    files: Mapping[Path, Path]
    texts: Mapping[Path, str]
    roots: tuple[Path, ...] = field(default=())

    @property
    def python_path(self) -> str:
        """For PYTHONPATH; Python takes it from the job's folder, in which driver and workers begin."""
        return ":".join(map(str, self.roots))

    @property
    def size(self) -> int:
        """Bytes, before compression."""
        return sum(self._sizes().values())

    def write(self, folder: Path) -> None:
        """Put it into an empty folder."""
        for place, source in self.files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            copyfile(source, folder / place)
        for place, text in self.texts.items():
            write_text(folder / place, text, sync=False)

    def require_small(self, limit: int = LIMIT) -> None:
        """Refuse what is too large, and name it."""
        if (size := self.size) <= limit:
            return
        groups: dict[str, int] = {}
        for place, nbytes in self._sizes().items():
            name = str(Path(*place.parts[:2]))
            groups[name] = groups.get(name, 0) + nbytes
        largest = ", ".join(f"{n} ({human_size(groups[n])})" for n in sorted(groups, key=lambda n: -groups[n])[:3])
        raise BadInput(
            f"the folder of a job may have {human_size(limit)}; found {human_size(size)}, the largest: {largest}. Name "
            f"in .rayignore what the job does not need, and keep worlds and weights where all nodes see them."
        )

    def _sizes(self) -> dict[Path, int]:
        sizes = {place: source.stat().st_size for place, source in self.files.items()}
        return sizes | {place: len(text.encode()) for place, text in self.texts.items()}


def package(folder: Path, study: str, sent: Iterable[Path]) -> Package:
    """The package of a working directory, of which `sent` would be uploaded, and of a study's resolved file."""
    folder = folder.absolute()
    kept = (place for place in sent if place.parts[0] != str(OWN) and place.name not in _IGNORE_FILES)
    files = {place: folder / place for place in kept}
    texts = {STUDY: study} | {CODE / place: text for place, text in _distribution(entries()).items()}
    roots = [place.parent for place in SOURCES if place / "__init__.py" in files]
    for name, place in _code():
        if any(name == own.name and own.parent in roots for own in SOURCES):
            continue
        if place.is_relative_to(folder) and _is_sent(place.relative_to(folder), files):
            roots.append(place.relative_to(folder).parent)
        else:
            files |= {CODE / name / inside: file for file, inside in _sources(place)}
    return Package(files=files, texts=texts, roots=tuple(dict.fromkeys([*roots, CODE])))


def _code() -> Iterator[tuple[str, Path]]:
    """Our packages and those that bring methods, by name, with their folders, or the file of a lone module."""
    names = {entry.module.partition(".")[0] for entry in entries()} | {place.name for place in SOURCES}
    for name in sorted(names):
        spec = find_spec(name)
        if spec is None:
            raise BadInput(
                f"package {name!r} brings a method, so it must be there to be sent; it is not. Install it anew."
            )
        if spec.submodule_search_locations:
            yield name, Path(next(iter(spec.submodule_search_locations)))
        elif spec.origin:
            yield Path(spec.origin).name, Path(spec.origin)


def _is_sent(place: Path, files: Mapping[Path, Path]) -> bool:
    return place in files or any(file.is_relative_to(place) for file in files)


def _sources(place: Path) -> Iterator[tuple[Path, Path]]:
    """Files to copy, with their places below the name of their package."""
    if place.is_file():
        yield place, Path()
        return
    for file in sorted(place.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            yield file, file.relative_to(place)


def _distribution(known: Iterable[EntryPoint]) -> dict[Path, str]:
    """What makes the methods that are known here known there; `importlib.metadata` takes the first that it finds."""
    info = Path(f"segfrontier-{__version__}.dist-info")
    lines = [f"{entry.name} = {entry.value}" for entry in sorted(known, key=lambda entry: entry.name)]
    return {
        info / "METADATA": f"Metadata-Version: 2.1\nName: segfrontier\nVersion: {__version__}\n",
        info / "entry_points.txt": "\n".join([f"[{GROUP}]", *lines, ""]),
    }


def to_send(folder: Path, study: Mapping[str, object]) -> tuple[dict[Path, int], dict[Path, str]]:
    """What of a working directory goes with a job, files with their bytes; and what folders are left out, and why.

    No home, store, ledger, cache, virtual environment or world goes along, but the worlds that the study names there.
    """
    folder, left = folder.absolute(), dict[Path, str]()
    if what := kind_of(folder):
        raise BadInput(
            f"the folder that is sent must hold code; {folder} is a {what} of SegFrontier. Start in another folder, or "
            f"give one by --working-dir."
        )
    named = {Path(path) for _, path in _places(study)}

    def leave(path: Path) -> bool:
        place, what = path.relative_to(folder), _no_code(path)
        if what == _WORLD and any(place.is_relative_to(one) or one.is_relative_to(place) for one in named):
            return False
        if what:
            left[place] = what
        return bool(what)

    return uploaded(folder, leave), left


def _no_code(path: Path) -> str:
    """What a folder is by the mark in it, where it is nothing that a job runs; else nothing."""
    if not path.is_dir():
        return ""
    if (path / "pyvenv.cfg").is_file():
        return "virtual environment"
    return kind_of(path) or (_WORLD if (path / MANIFEST).is_file() else "")


def require_there(study: Mapping[str, object], sent: Iterable[Path]) -> None:
    """Refuse worlds and price lists that a job could not read: paths that are relative, and in nothing that is sent."""
    places = set(sent)
    for what, path in _places(study):
        if "://" in path or path.startswith("/") or path.partition(":")[0] == "street":
            continue
        if not any(place == Path(path) or place.is_relative_to(path) for place in places):
            raise BadInput(
                f"{what} of a job must be an absolute path that every node sees, or lie in the folder that is sent; "
                f"found {path!r}. Put it on the shared file system, e.g. /shared/worlds/{Path(path).name}."
            )


def _places(study: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    worlds = study.get("worlds")
    for pair in worlds if isinstance(worlds, list) else ():
        yield from (("a world", place) for place in pair.values() if isinstance(place, str))
    if isinstance(prices := study.get("prices"), str):
        yield "a price list", prices
