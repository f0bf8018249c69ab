"""What every node of a cluster must have before a study's first cell begins there, looked for on each of them.

Without this, a node that does not see the home ends each cell that it is given, one after another, with an error that
says nothing of the node.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from segfrontier.basics.atomic import scratch_folder
from segfrontier.basics.locks import require_locks_and_links
from segfrontier.basics.wording import one_line
from segfrontier.errors import BadInput, BadStudy
from segfrontier.lab._ray.health import NodeHealth, gpu_nodes, nodes
from segfrontier.lab._ray.nodes import Process
from segfrontier.lab.methods import packages
from segfrontier.models.offers import SCHEME
from segfrontier.models.weights import find_weights
from segfrontier.scenes.world import World
from segfrontier.study.job import WAY_OUT

_ROOM = 2**30  # bytes: with less, a study is over before it has begun
_APPEAR_SECONDS = 10.0
"""Network file systems may show new files so late."""
_OF_ONE_MACHINE = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs", "ramfs"})


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a study needs on every node, in plain values that travel there."""

    home: Path
    worlds: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # name -> place and digest
    weights: tuple[tuple[str, str], ...] = ()  # encoders, and the file or package that their weights are in
    code: str = ""


def needs_of(home: Path, worlds: Mapping[str, World], weights: Iterable[tuple[str, str]]) -> Needs:
    """What cells on these worlds need. Built-in worlds are rendered on each node, and hubs are asked by each."""
    placed = {name: (world.uri, world.digest) for name, world in worlds.items() if not _is_built_in(name)}
    held = {(encoder, asked) for encoder, asked in weights if asked.startswith((SCHEME, "/"))}
    return Needs(home=home, worlds=placed, weights=tuple(sorted(held)), code=code_stamp())


def _is_built_in(name: str) -> bool:
    return name.partition(":")[0] == "street"


def require_nodes(needs: Needs) -> None:
    """Refuse to begin on a cluster with a node that lacks what the study needs; it is named."""
    found = nodes(needs.home, partial(missing_here, needs))
    if bad := [node for node in found if node.error]:
        more = f" (and {len(bad) - 1} more of {len(found)} nodes lack something)" if len(bad) > 1 else ""
        raise BadStudy(
            f"every node must see the home, the worlds, the weights and the code of a study; node {bad[0].name} does "
            f"not: {bad[0].error}{more}. Mount {needs.home} on every node at the same path; `segfrontier doctor` looks."
        )
    if kind := stays_behind(needs.home, found):
        raise BadStudy(
            f"the home must lie where every node sees it; {needs.home} is on a disk of this machine alone ({kind}), "
            f"which has no CPUs for cells. {WAY_OUT}"
        )


def require_gpus(process: Process) -> None:
    """Refuse to begin where a free GPU does not compute, or has no room for its cells; its node is named."""
    if bad := [node for node in gpu_nodes(process) if node.error]:
        more = f" (and GPUs of {len(bad) - 1} more nodes)" if len(bad) > 1 else ""
        raise BadStudy(
            f"every GPU that nobody uses must be fit for cells; node {bad[0].name}: {bad[0].error}{more}. Free or mend "
            f"it, take the node out of the cluster, or set executor.device to cpu and executor.gpus_per_cell to 0."
        )


def missing_here(needs: Needs) -> list[str]:
    """What this node lacks, in a few words each."""
    wrong = []
    if (code := code_stamp()) != needs.code:
        spec = find_spec("segfrontier")
        wrong.append(f"its code ({spec and spec.origin}, {code[:8]}) is not the driver's ({needs.code[:8]})")
    try:
        with scratch_folder(needs.home) as folder:
            require_locks_and_links(folder)
    except OSError as error:
        wrong.append(f"the home takes no files, locks or links there ({error})")
    if (free := shutil.disk_usage(needs.home).free) < _ROOM:
        wrong.append(f"only {free >> 20} MiB are free at the home")
    for name, (place, digest) in needs.worlds.items():
        try:
            world = World.open(place)
            world.require_files()
        except (BadInput, OSError) as error:
            wrong.append(f"world {name}: {one_line(error)}")
        else:
            wrong += [] if world.digest == digest else [f"world {name}: {place} holds another one there"]
    for encoder, asked in needs.weights:
        try:
            find_weights(encoder, asked)
        except BadInput as error:
            wrong.append(f"weights of {encoder}: {one_line(error)}")
    return wrong


def code_stamp() -> str:
    """A digest of all code that a cell may run: our packages' and those that bring methods, wherever they lie."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(packages()):
        for file, inside in _sources(name):
            digest.update(f"{name}/{inside}".encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _sources(package: str) -> list[tuple[Path, str]]:
    """The Python files of a package, or the one of a lone module, found without importing it."""
    spec = find_spec(package)
    if spec is None:
        return []
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    if not folders:
        return [(Path(spec.origin), "")] if spec.origin else []
    return [(file, str(file.relative_to(folder))) for folder in folders for file in sorted(folder.rglob("*.py"))]


def stays_behind(home: Path, found: Iterable[NodeHealth], mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of local disk that a home is on, where cells will run on nodes that have still to come; else empty."""
    alone = list(found)
    if len(alone) != 1 or alone[0].cpus > 0:
        return ""
    kind = file_system(home, mounts)
    return kind if kind in _OF_ONE_MACHINE else ""


def file_system(place: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system that a folder lies on; empty where that is not known."""
    best, kind = -1, ""
    with suppress(OSError):
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            point = before.split()[4].encode().decode("unicode_escape")
            if place.resolve().is_relative_to(point) and len(point) >= best:
                best, kind = len(point), after.split()[0]
    return kind


def unseen(file: Path, *, patience: float = _APPEAR_SECONDS) -> str:
    """Why this node cannot compute a cell whose file it does not see; empty where it does, if need be a bit later."""
    until = time.monotonic() + patience
    while not os.path.lexists(file):
        if time.monotonic() > until:
            return (
                f"node {platform.node()} does not see {file}, so it was not tried again. Mount the home on every node "
                f"at the same path, or take this node out of the cluster"
            )
        time.sleep(0.2)
    return ""
