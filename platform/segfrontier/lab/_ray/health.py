"""How Ray is: its dashboard's parts, what a job would upload, and whether every node sees the home."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray._private.ray_constants import (
    DASHBOARD_CLIENT_MAX_SIZE,
    RAY_RUNTIME_ENV_IGNORE_GITIGNORE,
    get_runtime_env_default_excludes,
)
from ray._private.runtime_env.packaging import _get_excludes, get_excludes_from_ignore_files
from ray._private.utils import get_dashboard_dependency_error
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from segfrontier.lab._ray.nodes import Process, carries, free_gpus
from segfrontier.lab.gpus import unfit

UPLOAD_LIMIT = int(DASHBOARD_CLIENT_MAX_SIZE)
"""The largest working directory, as a zip file, that `ray job submit` takes."""
_PATIENCE = 180.0  # a first worker of a node imports torch, maybe over a network
_GPU_PATIENCE = 60.0
"""A GPU that was free a moment ago and is not by now does somebody's work: it is not asked again."""
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


def gpu_nodes(process: Process) -> list[NodeHealth]:
    """The nodes with GPUs that such processes may run on: each of their free GPUs was tried, in a process of its own.

    A GPU in use is taken for a sound one, and what is free of its memory for nobody's business.
    """
    free = free_gpus()
    alive = [node for node in ray.nodes() if node["Alive"] and carries(node, process.labels)]
    asked = [(node, _try_gpus(node["NodeID"], free.get(node["NodeID"], 0), process)) for node in alive]
    if every := [one for _, replies in asked for one in replies]:
        ray.wait(every, num_returns=len(every), timeout=_GPU_PATIENCE)
    return [_tried(node, replies) for node, replies in asked if replies]


def _try_gpus(node: str, count: int, process: Process) -> list[ray.ObjectRef]:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(unfit).options(num_cpus=0, num_gpus=1, scheduling_strategy=there, max_retries=0)
    return [task.remote(min(process.gpus, 1.0)) for _ in range(count)]


def _tried(node: dict[str, Any], replies: list[ray.ObjectRef]) -> NodeHealth:
    done, busy = ray.wait(replies, num_returns=len(replies), timeout=0)
    for reply in busy:
        ray.cancel(reply, force=True)
    wrong = []
    for reply in done:
        try:
            wrong.append(ray.get(reply))
        except ray.exceptions.RayError as error:  # a fault of a GPU may take the process with it
            wrong.append(str(error).strip().splitlines()[-1])
    return _about(node, [found for found in wrong if found][:1])


def _ask(node: str, question: Path, look: Callable[[], list[str]]) -> ray.ObjectRef:
    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task = ray.remote(_repeat).options(num_cpus=0, scheduling_strategy=there, max_retries=0)
    return task.remote(str(question), node, look)


def _repeat(question: str, node: str, look: Callable[[], list[str]]) -> list[str]:
    """On a node: read the question, write the answer beside it, look further."""
    from pathlib import Path

    Path(f"{question}-{node}").write_text(Path(question).read_text())
    return look()


def _answer(node: dict[str, Any], reply: ray.ObjectRef, file: Path) -> NodeHealth:
    try:
        wrong = ray.get(reply, timeout=_PATIENCE)
    except ray.exceptions.GetTimeoutError:
        return _about(node, [f"it did not answer within {_PATIENCE:.0f} s"])
    except ray.exceptions.RayError as error:
        return _about(node, [str(error).strip().splitlines()[-1]])
    if not file.exists():
        wrong = ["it wrote a file that is not seen here", *wrong]
    return _about(node, wrong)


def _about(node: dict[str, Any], wrong: list[str]) -> NodeHealth:
    power, name = node["Resources"], str(node["NodeName"])
    return NodeHealth(name=name, cpus=power.get("CPU", 0.0), gpus=power.get("GPU", 0.0), error="; ".join(wrong))
