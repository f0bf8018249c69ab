"""What a study needs of the machine it runs on, one small check each: what was found, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from segfrontier.basics.atomic import scratch_folder
from segfrontier.basics.locks import require_locks_and_links
from segfrontier.errors import BadInput
from segfrontier.store import human_size
from segfrontier.study.config import Executor

GIB = 2**30
PACKAGES = ("torch", "ray", "mlflow", "timm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """The outcome of one check. A warning is no obstacle; a failure is."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""


def ok(name: str, found: str) -> Check:
    """All is well."""
    return Check(name=name, state="ok", found=found)


def packages(names: Iterable[str] = PACKAGES) -> Check:
    """The packages that most depends on are installed."""
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = f"install {', '.join(missing)}, e.g. by installing segfrontier anew"
        return Check(
            name="packages", state="fail", found=", ".join([*found, "no " + ", no ".join(missing)]), advice=advice
        )
    return ok("packages", ", ".join(found))


def writable(home: Path) -> Check:
    """The home, or where it will be made, takes files, locks and hard links: ledger and store need all three."""
    place = existing(home)
    try:
        with scratch_folder(place) as folder:
            require_locks_and_links(folder)
    except OSError as error:
        advice = "give a --home on a local disk, NFS 4, Lustre or CephFS that you may write to"
        return Check(name="home", state="fail", found=f"{place}: {error}", advice=advice)
    return ok(
        "home", f"{home} takes files, locks and links" if place == home.absolute() else f"{home} can be made in {place}"
    )


def existing(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(p for p in (path.absolute(), *path.absolute().parents) if p.is_dir())


def disk(home: Path) -> Check:
    """There is room for stages."""
    free = shutil.disk_usage(existing(home)).free
    found = f"{human_size(free)} free at {home}"
    if free < 10 * GIB:
        advice = "make room (`segfrontier store gc HOME/store --older-than 30d`), or give another --home"
        return Check(name="disk", state="fail" if free < GIB else "warn", found=found, advice=advice)
    return ok("disk", found)


def shared_memory(folder: Path = Path("/dev/shm")) -> Check:
    """Loader processes and Ray's object store pass images through shared memory."""
    if not folder.is_dir():
        return ok("shared memory", f"this system has no {folder}")
    usage = shutil.disk_usage(folder)
    found = f"{human_size(usage.free)} of {human_size(usage.total)} free in {folder}"
    if usage.free < GIB:
        advice = "in a container, start it with more (docker: --shm-size=4g); else end what fills it"
        return Check(name="shared memory", state="warn", found=found, advice=advice)
    return ok("shared memory", found)


def accelerators(executor: Executor | None, gpus: Mapping[str, tuple[int, int]]) -> Check:
    """There are the GPUs that the executor asks for. `gpus`: name -> free and total bytes."""
    wants = executor is not None and (executor.gpus_per_cell > 0 or executor.device.startswith("cuda"))
    if not gpus:
        advice = (
            "set executor.device=cpu and executor.gpus_per_cell=0, or see why torch finds no GPU (driver? CPU build?)"
        )
        found = "no GPU: stages run on CPUs"
        return Check(name="GPU", state="fail", found=found, advice=advice) if wants else ok("GPU", found)
    found = "; ".join(f"{name}: {human_size(free)} of {human_size(total)} free" for name, (free, total) in gpus.items())
    full = [name for name, (free, total) in gpus.items() if free < total / 2]
    if full:
        advice = f"another process holds more than half of {', '.join(full)}: see nvidia-smi"
        return Check(name="GPU", state="warn", found=found, advice=advice)
    if executor is not None and not wants and executor.kind == "ray" and executor.device == "auto":
        advice = "the study's cells will not use it: set executor.gpus_per_cell, e.g. 1 or 0.5"
        return Check(name="GPU", state="warn", found=found, advice=advice)
    return ok("GPU", found)


def gpus_here() -> dict[str, tuple[int, int]]:
    """The GPUs that torch sees, with their free and total bytes."""
    import torch

    if not torch.cuda.is_available():
        return {}
    return {
        f"{i} {torch.cuda.get_device_name(i)}": torch.cuda.mem_get_info(i) for i in range(torch.cuda.device_count())
    }


def cores(executor: Executor | None, *, have: int, load: float, environment: Mapping[str, str] = os.environ) -> Check:
    """Cells and their threads fit on the cores, which nobody else needs."""
    found = f"{have} cores, load {load:.1f}, OMP_NUM_THREADS {environment.get('OMP_NUM_THREADS', 'not set')}"
    asked = environment.get("OMP_NUM_THREADS", "")
    wanted = 0.0 if executor is None else (executor.parallel_cells or 0) * executor.cpus_per_cell
    advice = ""
    if asked.isdigit() and int(asked) > have:
        advice = f"set OMP_NUM_THREADS to {have} or less: more threads than cores are slower than as many"
    elif wanted > have:
        advice = f"the executor asks for {wanted:g} cores at once: lower parallel_cells or cpus_per_cell"
    elif load > 1.5 * have:
        advice = "other processes want these cores, too: expect to wait, and do not trust time estimates"
    return Check(name="cores", state="warn", found=found, advice=advice) if advice else ok("cores", found)


def cores_here(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """The cores that this process may use: a container may have fewer than the machine, and no other sign of it."""
    have = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no quota, or none of this form
        allowed, period = map(int, quota.read_text().split())
        have = min(have, max(1, allowed // period))
    return have


def weights(encoder: str, pretrained: str, *, kept: str | None = None) -> Check:
    """The weights that an encoder starts from, and that they are here, so that no run waits for them, or goes without.

    `kept` is what the home's studies began with. Fetches nothing.
    """
    from segfrontier.models.offers import way_to
    from segfrontier.models.weights import find_weights, foreseen

    name = f"weights of {encoder}"
    if pretrained == "never":
        return ok(name, "random, as the recipe says")
    if pretrained != "auto" or kept is not None:
        try:
            chosen = find_weights(encoder, kept or pretrained)
        except BadInput as error:
            return Check(name=name, state="fail", found=str(error), advice="correct recipe.pretrained")
        return ok(name, f"{chosen.origin}: {chosen.file}")
    found = foreseen(encoder)
    if isinstance(found, str):
        advice = f"{way_to(encoder)}, or give recipe.pretrained a file, or never if random ones are meant"
        return Check(name=name, state="warn", found=f"random ones: {found}", advice=advice)
    if found.file is None:
        advice = "a run fetches them first; run once where there is a network before workers without one need them"
        return Check(name=name, state="warn", found=f"{found.origin}, which the hub has still to send", advice=advice)
    return ok(name, f"{found.origin}: {found.file}")
