"""How Ray is: its dashboard's parts, what a job would upload, and whether every node sees the home."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ray
from ray._private.ray_constants import (
    DASHBOARD_CLIENT_MAX_SIZE,
    RAY_RUNTIME_ENV_IGNORE_GITIGNORE,
    get_runtime_env_default_excludes,
)
from ray._private.runtime_env.packaging import _get_excludes, get_excludes_from_ignore_files
from ray._private.utils import get_dashboard_dependency_error
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

UPLOAD_LIMIT = int(DASHBOARD_CLIENT_MAX_SIZE)
"""The largest working directory, as a zip file, that `ray job submit` takes."""
_PATIENCE = 180.0  # a first worker of a node imports torch, maybe over a network
_log = logging.getLogger(__name__)
_log.setLevel(logging.CRITICAL)  # for Ray to tell what it ignores


def missing_for_dashboard() -> str:
    """What keeps Ray's dashboard from starting; empty where nothing does."""
    error = get_dashboard_dependency_error()
    return "" if error is None else str(error)


def uploaded(folder: Path, exclude: Callable[[Path], bool] = lambda path: False) -> dict[Path, int]:  # noqa: ARG005
    """What `ray job submit --working-dir FOLDER` would send: paths within the folder, with their bytes.

    Left out is what Ray leaves out: .git and the like, and what .gitignore and .rayignore name, in any folder; of the
    rest, whatever `exclude` is true of, with all that lies in it.
    """
    defaults = _get_excludes(folder, get_runtime_env_default_excludes())
    found: dict[Path, int] = {}
    for path in sorted(folder.iterdir()):
        kept = _kept(path, [defaults, *_ignored(folder), exclude])
        found |= {file.relative_to(folder): size for file, size in kept}
    return found


def upload(folder: Path) -> dict[str, int]:
    """The bytes of `uploaded`, before compression, by the first part of their names."""
    sizes: dict[str, int] = {}
    for path, size in uploaded(folder).items():
        sizes[path.parts[0]] = sizes.get(path.parts[0], 0) + size
    return {name: size for name, size in sizes.items() if size}


def _kept(path: Path, excludes: list[Callable[[Path], bool]]) -> Iterator[tuple[Path, int]]:
    lost = path.is_symlink() and (not path.exists() or path.resolve() in path.parents)
    if lost or any(exclude(path) for exclude in excludes):
        return
    if not path.is_dir():
        yield path, path.stat().st_size
        return
    inside = [*excludes, *_ignored(path)]
    for sub in sorted(path.iterdir()):
        yield from _kept(sub, inside)


def _ignored(folder: Path) -> list[Callable[[Path], bool]]:
    heed = os.environ.get(RAY_RUNTIME_ENV_IGNORE_GITIGNORE, "0") != "1"
    found: list[Callable[[Path], bool]] = get_excludes_from_ignore_files(folder, include_gitignore=heed, logger=_log)
    return found


@dataclass(frozen=True, kw_only=True)
class NodeHealth:
    """One node of the cluster; `error` says why no work can be done there."""

    name: str
    cpus: float
    gpus: float
    error: str = ""


def no_questions() -> list[str]:
    """Nothing is looked for on a node but the home."""
    return []


def nodes(home: Path, look: Callable[[], list[str]] = no_questions) -> list[NodeHealth]:
    """Every living node of the Ray that this process is connected to: each reads a file from here, and answers.

    `look` is called on each of them, where the home is seen; what it finds wrong there is the node's error, too.
    """
    home.mkdir(parents=True, exist_ok=True)
    question = home / f".doctor-{uuid.uuid4().hex}"
    question.write_text(question.name)
    try:
        alive = [node for node in ray.nodes() if node["Alive"]]
        asked = [(node, _ask(node["NodeID"], question, look)) for node in alive]
        return [_answer(node, reply, question.with_name(f"{question.name}-{node['NodeID']}")) for node, reply in asked]
    finally:
        for file in home.glob(f"{question.name}*"):
            file.unlink(missing_ok=True)


def _ask(node: str, question: Path, look: Callable[[], list[str]]) -> ray.ObjectRef:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(_repeat).options(num_cpus=0, scheduling_strategy=there, max_retries=0)
    return task.remote(str(question), node, look)


def _repeat(question: str, node: str, look: Callable[[], list[str]]) -> list[str]:
    """On a node: read the question, write the answer beside it, look further."""
    from pathlib import Path

    Path(f"{question}-{node}").write_text(Path(question).read_text())
    return look()


def _answer(node: dict[str, object], reply: ray.ObjectRef, file: Path) -> NodeHealth:
    power = node["Resources"]
    assert isinstance(power, dict)
    about = {"name": str(node["NodeName"]), "cpus": power.get("CPU", 0.0), "gpus": power.get("GPU", 0.0)}
    try:
        wrong = ray.get(reply, timeout=_PATIENCE)
    except ray.exceptions.GetTimeoutError:
        return NodeHealth(**about, error=f"it did not answer within {_PATIENCE:.0f} s")
    except ray.exceptions.RayError as error:
        return NodeHealth(**about, error=str(error).strip().splitlines()[-1])
    if not file.exists():
        wrong = ["it wrote a file that is not seen here", *wrong]
    return NodeHealth(**about, error="; ".join(wrong))
