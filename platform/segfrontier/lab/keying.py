"""The keys of stages: the hash of the kind, the arguments, the inputs' identities and the code that computes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segfrontier.lab import training
from segfrontier.lab.crew import Crew
from segfrontier.lab.drawing import Sketch, draw_sheet
from segfrontier.lab.handles import Model
from segfrontier.lab.labelling import Rule, label_scene
from segfrontier.lab.measuring import Gauge, measure_scene
from segfrontier.lab.predict import Looking, Predictor
from segfrontier.lab.quality import quality_of
from segfrontier.lab.scoring import Scores, score_image
from segfrontier.lab.streams import Part, Stream
from segfrontier.lab.training import Job
from segfrontier.scenes.files import digest
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Pool
from segfrontier.store import code_digest, stage_key
from segfrontier.store.source import classes_in

_LOOKING = (Predictor, Model)
ROOTS: Mapping[str, tuple[object, ...]] = {
    "train": (training.run, Crew),
    "label": (label_scene, *_LOOKING),
    "measure": (measure_scene, *_LOOKING),
    "draw": (draw_sheet, *_LOOKING),
    "score": (score_image, Scores, *_LOOKING),
    "quality": (quality_of,),
}
"""Where the code of each kind of stage begins; what it works with comes on top."""
_READ = (Pool, LabelSet)


def _code(kind: str, *brought: object, networks: Iterable[object]) -> str:
    """The digest of what a kind of stage does, with the classes of all values and networks that are brought to it."""
    classes = [cls for value in (*brought, *networks) for cls in classes_in(value)]
    return code_digest(*ROOTS[kind], *_READ, *classes)


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
    blueprints = [network.blueprint for network in networks.values()]
    code = _code("train", job.objective, job.plan, job.streams, networks, networks=blueprints)
    return stage_key("train", arguments, inputs, code)


def label_key(model: Model, part: Part, rule: Rule) -> str:
    """Key of a labelling stage."""
    code = _code("label", rule, networks=model.blueprints.values())
    return stage_key("label", {"rule": rule}, {"model": model.digest, **_part(part)}, code)


def quality_key(labels: str, truth: str) -> str:
    """Key of what the record keeps of a labelling stage; `truth` is the identity of the images and their truth."""
    return stage_key("quality", {}, {"labels": labels, "truth": truth}, _code("quality", networks=()))


def measure_key(model: Model, part: Part, gauge: Gauge) -> str:
    """Key of a measuring stage."""
    code = _code("measure", gauge, networks=model.blueprints.values())
    return stage_key("measure", {"gauge": gauge}, {"model": model.digest, **_part(part)}, code)


def draw_key(sketch: Sketch, models: Mapping[str, Model], part: Part, scenes: Sequence[str]) -> str:
    """Key of a drawing stage."""
    inputs = {f"model/{name}": model.digest for name, model in models.items()}
    arguments = {"sketch": sketch, "scenes": scenes}
    networks = [blueprint for model in models.values() for blueprint in model.blueprints.values()]
    code = _code("draw", sketch, networks=networks)
    return stage_key("draw", arguments, inputs | _part(part), code)


def score_key(model: Model, truth: str, looking: Looking, pictures: int) -> str:
    """Key of a scoring stage."""
    inputs = {"model": model.digest, "truth": truth}
    code = _code("score", looking, networks=model.blueprints.values())
    return stage_key("score", {"looking": looking, "pictures": pictures}, inputs, code)


def _stream(stream: Stream) -> dict[str, Any]:
    return {"batch": stream.batch, "augment": stream.augment, "shares": stream.shares, "balance": stream.balance}


def _part(part: Part) -> dict[str, str]:
    labels = {f"labels/{name}" if name else "labels": one.digest for name, one in part.sets().items()}
    known = labels or {"labels": "none"}
    return {"images": part.images.digest, **known, "scenes": digest("\n".join(part.names()).encode())}
