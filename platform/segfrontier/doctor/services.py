"""Checks of what runs beside a study: Ray with its nodes, the folder that a job uploads, MLflow."""

from __future__ import annotations

from pathlib import Path

from segfrontier.basics.wording import many, one_line
from segfrontier.doctor.machine import Check, ok
from segfrontier.errors import BadInput, SegFrontierError
from segfrontier.store import human_size
from segfrontier.study.config import Executor


def ray_parts() -> Check:
    """Ray has its dashboard, without which early stopping of cells with workers would hang."""
    from segfrontier.lab._ray.health import missing_for_dashboard

    missing = missing_for_dashboard()
    if missing:
        advice = 'install "ray[default]": early stopping of cells with workers, and job submission, need the dashboard'
        return Check(name="Ray's dashboard", state="fail", found=missing, advice=advice)
    return ok("Ray's dashboard", "its packages are installed")


def upload(folder: Path) -> Check:
    """The working directory is small enough for `ray job submit`."""
    from segfrontier.lab._ray.health import UPLOAD_LIMIT
    from segfrontier.lab._ray.health import upload as sizes_of

    try:
        sizes = sizes_of(folder)
    except OSError as error:
        advice = "to submit jobs from here, make it readable, or name it in .rayignore"
        return Check(name="working directory", state="warn", found=str(error), advice=advice)
    total = sum(sizes.values())
    found = f"{human_size(total)} in {folder} before compression; `ray job submit` takes {UPLOAD_LIMIT >> 20} MiB"
    if total > UPLOAD_LIMIT:
        largest = sorted(sizes, key=lambda name: -sizes[name])[:3]
        told = ", ".join(f"{name} ({human_size(sizes[name])})" for name in largest)
        advice = f"to submit jobs from here, name what they do not need in .rayignore; largest: {told}"
        return Check(name="working directory", state="warn", found=found, advice=advice)
    return ok("working directory", found)


def ray_cluster(home: Path, address: str | None, executor: Executor | None = None) -> list[Check]:
    """Ray answers, at an address or started here for this; every node of it sees the home, and its GPUs compute."""
    from segfrontier.lab._ray.health import gpu_nodes, nodes
    from segfrontier.lab._ray.start import start_ray, stop_ray
    from segfrontier.study.ray_tune import worker_of

    name = "Ray"
    try:
        start_ray(address)
        found = nodes(home)
        tried = gpu_nodes(worker_of(executor)) if executor is not None and executor.on_gpus else []
    except (SegFrontierError, RuntimeError, OSError, ValueError) as error:  # Ray has no error of its own for these
        advice = (
            "start it with `ray start --head`, correct --address or RAY_ADDRESS, or give none for this machine alone"
        )
        return [Check(name=name, state="fail", found=one_line(error), advice=advice)]
    finally:
        stop_ray()
    cpus, gpus = sum(node.cpus for node in found), sum(node.gpus for node in found)
    checks = [ok(name, f"{address or 'started here'}: {many(len(found), 'node')}, {cpus:g} CPUs, {gpus:g} GPUs")]
    advice = f"mount the folder of {home} on every node, at the same path"
    for node in found:
        about = f"home on {node.name}"
        bad = Check(name=about, state="fail", found=node.error, advice=advice)
        checks.append(bad if node.error else ok(about, "a file went there and back"))
    for node in tried:
        about = f"GPUs of {node.name}"
        bad = Check(name=about, state="fail", found=node.error, advice="free or mend it, or take the node out")
        checks.append(bad if node.error else ok(about, "each that is free computes, and has room for its cells"))
    return checks


def tracking(uri: str | None, home: Path) -> Check:
    """MLflow answers, and keeps runs in the form of the version installed here."""
    from segfrontier.tracking.address import resolve
    from segfrontier.tracking.health import tracking_health

    name = "MLflow"
    try:
        health = tracking_health(resolve(uri, home))
    except BadInput as error:
        return Check(name=name, state="fail", found=str(error), advice="correct --tracking or MLFLOW_TRACKING_URI")
    if health.error:
        advice = "start the server, or leave the URI out to use a file in the home"
        if health.there:
            advice = "it is no whole MLflow file: move it away, or put a backup in its place"
        return Check(name=name, state="fail", found=f"{health.uri}: {health.error}", advice=advice)
    if not health.there:
        return ok(name, f"{health.uri} will be made by the first run")
    if not health.current and health.uri.startswith("http"):
        advice = "both should be of one version; most things work all the same"
        return Check(
            name=name, state="warn", found=f"{health.uri}: MLflow {health.version}, here {health.wanted}", advice=advice
        )
    if not health.current:
        advice = "the next run migrates it; keep a copy if an older MLflow still reads it"
        return Check(
            name=name, state="warn", found=f"{health.uri}: schema {health.version}, not {health.wanted}", advice=advice
        )
    return ok(name, f"{health.uri} answers, {health.version}")
