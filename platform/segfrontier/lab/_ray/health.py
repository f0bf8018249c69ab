"""How Ray is: its dashboard's parts, what a job would upload, and whether every node sees the home."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable
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
_PATIENCE = 60.0
_log = logging.getLogger(__name__)
_log.setLevel(logging.CRITICAL)  # for Ray to tell what it ignores


def missing_for_dashboard() -> str:
    """What keeps Ray's dashboard from starting; empty where nothing does."""
    error = get_dashboard_dependency_error()
    return "" if error is None else str(error)


def upload(folder: Path) -> dict[str, int]:
    """Bytes of what `ray job submit --working-dir FOLDER` would send, before compression, by name within the folder.

    Left out is what Ray leaves out: .git and the like, and what .gitignore and .rayignore name, in any folder.
    """
    defaults = _get_excludes(folder, get_runtime_env_default_excludes())
    sizes = {path.name: _size(path, [defaults, *_ignored(folder)]) for path in folder.iterdir()}
    return {name: size for name, size in sizes.items() if size}


def _size(path: Path, excludes: list[Callable[[Path], bool]]) -> int:
    lost = path.is_symlink() and (not path.exists() or path.resolve() in path.parents)
    if lost or any(exclude(path) for exclude in excludes):
        return 0
    if not path.is_dir():
        return path.stat().st_size
    inside = excludes + _ignored(path)
    return sum(_size(sub, inside) for sub in path.iterdir())


def _ignored(folder: Path) -> list[Callable[[Path], bool]]:
    heed = os.environ.get(RAY_RUNTIME_ENV_IGNORE_GITIGNORE, "0") != "1"
    found: list[Callable[[Path], bool]] = get_excludes_from_ignore_files(folder, include_gitignore=heed, logger=_log)
    return found


@dataclass(frozen=True, kw_only=True)
class NodeHealth:
    """One node of the cluster; `error` says why it and this machine do not see the same home."""

    name: str
    cpus: float
    gpus: float
    error: str = ""


def nodes(home: Path) -> list[NodeHealth]:
    """Every living node of the Ray that this process is connected to: each reads a file from here, and answers."""
    home.mkdir(parents=True, exist_ok=True)
    question = home / f".doctor-{uuid.uuid4().hex}"
    question.write_text(question.name)
    try:
        alive = [node for node in ray.nodes() if node["Alive"]]
        asked = [(node, _ask(node["NodeID"], question)) for node in alive]
        return [_answer(node, reply, question.with_name(f"{question.name}-{node['NodeID']}")) for node, reply in asked]
    finally:
        for file in home.glob(f"{question.name}*"):
            file.unlink(missing_ok=True)


def _ask(node: str, question: Path) -> ray.ObjectRef:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(_repeat).options(num_cpus=0, scheduling_strategy=there, max_retries=0).remote(str(question), node)


def _repeat(question: str, node: str) -> None:
    """On a node: read the question, write the answer beside it."""
    from pathlib import Path

    Path(f"{question}-{node}").write_text(Path(question).read_text())


def _answer(node: dict[str, object], reply: ray.ObjectRef, file: Path) -> NodeHealth:
    power = node["Resources"]
    assert isinstance(power, dict)
    about = {"name": str(node["NodeName"]), "cpus": power.get("CPU", 0.0), "gpus": power.get("GPU", 0.0)}
    try:
        ray.get(reply, timeout=_PATIENCE)
    except ray.exceptions.RayError as error:
        return NodeHealth(**about, error=str(error).strip().splitlines()[-1])
    return NodeHealth(**about, error="" if file.exists() else "it wrote a file that is not seen here")
