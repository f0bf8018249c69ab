"""All checks of a machine, one after another, for a study or for any."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from segfrontier.doctor import machine as health
from segfrontier.doctor import services as health_services
from segfrontier.doctor.machine import Check, ok
from segfrontier.errors import BadInput
from segfrontier.study.cells import expand, weights_asked
from segfrontier.study.config import Executor, Study
from segfrontier.study.keys import Atlas
from segfrontier.study.pins import Pins


def examine(
    study: Study | None, *, home: Path, address: str | None = None, tracking: str | None = None, start_ray: bool = False
) -> Iterator[Check]:
    """The checks, as they are made. Ray is looked for where there is an address, or started for it on request."""
    executor = None if study is None else study.executor
    yield health.packages()
    yield health.writable(home)
    yield health.disk(home)
    yield health.shared_memory()
    yield health.accelerators(executor, health.gpus_here())
    yield health.cores(executor, have=health.cores_here(), load=os.getloadavg()[0])
    yield health_services.ray_parts()
    yield health_services.upload(Path.cwd())
    yield from _ray(home, address or os.environ.get("RAY_ADDRESS"), start_ray, executor)
    yield health_services.tracking(tracking, home)
    if study is not None:
        yield from _of_study(study, home)


def _ray(home: Path, address: str | None, start: bool, executor: Executor | None) -> Iterator[Check]:
    if address is None and not start:
        yield ok("Ray", "no address is given: a run starts one on this machine (--start-ray tries that)")
        return
    yield from health_services.ray_cluster(home, address, executor)


def _of_study(study: Study, home: Path) -> Iterator[Check]:
    """Its worlds open, and its encoders' weights are here."""
    cells, atlas = expand(study), Atlas()
    for ref in dict.fromkeys(ref for cell in cells for ref in (cell.world, cell.source) if ref is not None):
        try:
            splits = atlas.world(ref).splits()
        except BadInput as error:
            yield Check(name=f"world {ref}", state="fail", found=str(error), advice="see `segfrontier world --help`")
            continue
        yield ok(f"world {ref}", ", ".join(f"{domain}/{split} {count}" for (domain, split), count in splits.items()))
    pins = Pins(home)
    for encoder, pretrained in weights_asked(study):
        yield health.weights(encoder, pretrained, kept=pins.kept(encoder) if pretrained == "auto" else None)
