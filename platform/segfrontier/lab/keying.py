"""The keys of stages: the hash of the kind, the arguments, the inputs' identities and the code that computes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segfrontier.lab.drawing import Sketch
from segfrontier.lab.handles import Model
from segfrontier.lab.labelling import Rule
from segfrontier.lab.measuring import Gauge
from segfrontier.lab.predict import Looking
from segfrontier.lab.store import code_digest, stage_key
from segfrontier.lab.streams import Part, Stream
from segfrontier.lab.training import Job
from segfrontier.scenes.files import digest

_SCIENCE = ("segfrontier.maths", "segfrontier.models")


def _code(*modules: str, of: object = None) -> str:
    """The digest of the science, of these modules of the lab, and of the package that defines `of`."""
    import importlib

    lab = [importlib.import_module(f"segfrontier.lab.{m}") for m in modules]
    home = type(of).__module__.rpartition(".")[0] if of is not None else ""
    packages = [*_SCIENCE, home] if home and not home.startswith("segfrontier.") else list(_SCIENCE)
    return code_digest(*lab, *([of] if of is not None else []), packages=packages)


def train_key(job: Job, start: Mapping[str, Model]) -> str:
    """Key of a training stage. Where and how fast it runs (`Bench`) is no part of it."""
    networks = job.objective.networks()
    arguments = {
        "objective": job.objective,
        "plan": job.plan,
        "streams": {name: _stream(stream) for name, stream in job.streams.items()},
        "weights": {name: network.blueprint.origin() for name, network in networks.items()},
    }
    inputs = {f"start/{n}": m.digest for n, m in start.items()}
    for name, stream in job.streams.items():
        for i, part in enumerate(stream.parts):
            inputs |= {f"{name}/{i}/{k}": v for k, v in _part(part).items()}
    modules = ("training", "learners", "loader", "streams", "augment", "optimisers", "objective")
    return stage_key("train", arguments, inputs, _code(*modules, of=job.objective))


def label_key(model: Model, part: Part, rule: Rule) -> str:
    """Key of a labelling stage."""
    return stage_key(
        "label",
        {"rule": rule},
        {"model": model.digest, **_part(part)},
        _code("labelling", "predict", of=rule),
    )


def quality_key(labels: str, truth: str) -> str:
    """Key of what the record keeps of a labelling stage; `truth` is the identity of the images and their truth."""
    return stage_key("quality", {}, {"labels": labels, "truth": truth}, _code("quality"))


def measure_key(model: Model, part: Part, gauge: Gauge) -> str:
    """Key of a measuring stage."""
    return stage_key(
        "measure", {"gauge": gauge}, {"model": model.digest, **_part(part)}, _code("measuring", "predict", of=gauge)
    )


def draw_key(sketch: Sketch, models: Mapping[str, Model], part: Part, scenes: Sequence[str]) -> str:
    """Key of a drawing stage."""
    inputs = {f"model/{name}": model.digest for name, model in models.items()}
    arguments = {"sketch": sketch, "scenes": scenes}
    return stage_key("draw", arguments, inputs | _part(part), _code("drawing", "predict", of=sketch))


def score_key(model: Model, truth: str, looking: Looking, pictures: int) -> str:
    """Key of a scoring stage."""
    inputs = {"model": model.digest, "truth": truth}
    return stage_key("score", {"looking": looking, "pictures": pictures}, inputs, _code("scoring", "predict"))


def _stream(stream: Stream) -> dict[str, Any]:
    return {"batch": stream.batch, "augment": stream.augment, "shares": stream.shares, "balance": stream.balance}


def _part(part: Part) -> dict[str, str]:
    labels = part.labels.digest if part.labels is not None else "none"
    return {"images": part.images.digest, "labels": labels, "scenes": digest("\n".join(part.names()).encode())}
