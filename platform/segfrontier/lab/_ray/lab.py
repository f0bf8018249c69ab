"""RayLab: stages on a Ray cluster, with the results that LocalLab gives."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from segfrontier.lab._ray.data import rows
from segfrontier.lab._ray.fleet import Fleet
from segfrontier.lab._ray.looking import Address, LabelLook, Look, MeasureLook, ScoreLook
from segfrontier.lab._ray.start import start_ray
from segfrontier.lab._ray.train import train
from segfrontier.lab.handles import Model
from segfrontier.lab.lab import Lab
from segfrontier.lab.labelling import Labelled, Rule
from segfrontier.lab.leftout import sift
from segfrontier.lab.looking import Looking
from segfrontier.lab.measuring import Gauge, Measured, Row, write_measures
from segfrontier.lab.pictures import Album
from segfrontier.lab.predict import spread
from segfrontier.lab.scoring import Scores, Sums
from segfrontier.lab.sealed import unseal
from segfrontier.lab.streams import Part
from segfrontier.lab.training import Job
from segfrontier.scenes.codec import decode_map
from segfrontier.scenes.labels import LabelRow, LabelSet, write_labels


class RayLab(Lab):
    """The lab on a cluster: `workers` train together; `actors` (default: as many) label and score side by side.

    The home, worlds and label sets must lie where every node sees them. Ray is started on this machine where this
    process is not connected to any (see `start_ray`).
    """

    def __init__(
        self, *, workers: int = 1, actors: int | None = None, cpus_per_worker: float = 0.9, max_failures: int = 2,
        **lab: Any,
    ) -> None:  # fmt: skip
        super().__init__(**lab)
        self.fleet = Fleet(
            workers=workers, actors=workers if actors is None else actors, cpus=cpus_per_worker,
            max_failures=max_failures,
        )  # fmt: skip
        start_ray()

    def _power(self, kind: str) -> tuple[int, bool]:
        processes = self.fleet.workers if kind == "train" else self.fleet.actors
        return processes, self.fleet.on_gpus(self.bench)

    def _train(self, job: Job, work: Path, out: Path) -> None:
        gpu = self.fleet.muster(self.fleet.workers, self.bench)
        with self._heeding() as stop:
            watch = self._watching(job, work)
            train(job, self.bench, self.fleet, gpu=gpu, work=work, out=out, watch=watch, stop=stop)

    def _label(self, model: Model, part: Part, rule: Rule, out: Path) -> tuple[LabelSet, list[str]]:
        names, faults = part.names(), list[str]()
        bare = replace(part, scenes=())  # the names travel on their own
        with closing(self._look(LabelLook, model, names, part=bare, rule=rule)) as looked:
            good = sift((_labelled(row) for row in looked), faults, total=len(names))
            return write_labels(out, kind="pseudo", classes=model.classes, rows=good), faults

    def _measure(self, model: Model, part: Part, gauge: Gauge, out: Path) -> None:
        names, faults = part.names(), list[str]()
        bare = replace(part, scenes=())
        with closing(self._look(MeasureLook, model, names, part=bare, gauge=gauge)) as looked:
            good = sift((_measured(row) for row in looked), faults, total=len(names), done="measured")
            write_measures(out, shapes=gauge.shapes(len(model.classes)), rows=good, faults=faults)

    def _score(self, model: Model, split: str, looking: Looking, pictures: int, out: Path) -> Scores:
        places = unseal(self._places)
        pool, truth = places.world.pool(split=split), places.truth(split)
        sums, album, names = Sums.zero(len(model.classes)), Album(model.classes), pool.scenes()
        shown, faults = frozenset(spread(names, pictures)), list[str]()
        settings = {"address": Address.of(places.world), "split": split, "looking": looking, "shown": shown}
        with closing(self._look(ScoreLook, model, names, **settings)) as looked:
            for seen in sift(map(_scored, looked), faults, total=len(names), done="scored"):
                sums, scene = sums + seen.sums, seen.scene
                if seen.map is not None:
                    album.add(scene, pool.image(scene), truth.semantic(scene), decode_map(seen.map))
        album.write(out / "pictures.png")
        return Scores.of(sums, model.classes, scenes=len(names) - len(faults), left_out=faults)

    def _look(
        self, kind: type[Look], model: Model, names: Sequence[str], **settings: Any
    ) -> Generator[dict[str, Any], None, None]:
        """The rows of all scenes; close it, for as long as it is open its actors keep their CPUs."""
        gpu = self.fleet.muster(self.fleet.actors, self.bench)
        threads = max(1, (self.bench.threads or torch.get_num_threads()) // self.fleet.actors)
        settings |= {"model": model, "device": "cuda" if gpu else "cpu", "threads": threads}
        for done, row in enumerate(rows(kind, settings, names, self.fleet, gpu=gpu), start=1):
            yield row
            self._told(done, len(names))


class _Tally(NamedTuple):
    """What one scene adds, and its prediction where it is to be shown."""

    scene: str
    sums: Sums
    map: bytes | None


class _Scored(NamedTuple):
    """The outcome for one scene."""

    row: _Tally | None
    fault: str


def _scored(row: dict[str, Any]) -> _Scored:
    if row["sums"] is None:
        return _Scored(None, row["fault"])
    return _Scored(_Tally(row["scene"], Sums.from_plain(json.loads(row["sums"])), row["map"]), "")


def _labelled(row: dict[str, Any]) -> Labelled:
    if row["map"] is None:
        return Labelled(row["scene"], None, row["fault"])
    return Labelled(row["scene"], LabelRow(row["scene"], row["height"], row["width"], map=decode_map(row["map"])), "")


def _measured(row: dict[str, Any]) -> Measured:
    scene, data = row["scene"], row["values"]
    return Measured(scene, None if data is None else Row(scene, data), row["fault"] or "")
