"""The keys of stages: the hash of the kind, the arguments, the inputs' identities and the code that computes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segfrontier.lab.handles import Model
from segfrontier.lab.joining import Joining
from segfrontier.lab.passes.draw import DrawPass
from segfrontier.lab.passes.gauges import Gauge
from segfrontier.lab.passes.inference import Predictor, Predictors
from segfrontier.lab.passes.label import LabelPass
from segfrontier.lab.passes.measure import MeasurePass
from segfrontier.lab.passes.quality import quality_of
from segfrontier.lab.passes.rules import Rule
from segfrontier.lab.passes.score import ScorePass
from segfrontier.lab.passes.scores import Scores, counted
from segfrontier.lab.passes.sketches import Sketch
from segfrontier.lab.passes.tasks import Task
from segfrontier.lab.streams import Part, Stream
from segfrontier.lab.training import loop as training
from segfrontier.lab.training.loop import Job
from segfrontier.lab.worker import Worker
from segfrontier.scenes.files import digest
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Pool
from segfrontier.store import code_digest, stage_key
from segfrontier.store.source import classes_in

_LOOKING = (Predictor, Predictors, Model)
ROOTS: Mapping[str, tuple[object, ...]] = {
    "train": (training.run, Worker),
    "renorm": (training.run, Worker),
    "join": (Joining, Model),
    "label": (LabelPass, *_LOOKING),
    "measure": (MeasurePass, *_LOOKING),
    "draw": (DrawPass, *_LOOKING),
    "score": (ScorePass, counted, Scores, *_LOOKING),
    "quality": (quality_of,),
}
"""Where the code of each kind of stage begins; what it works with comes on top."""
_READ = (Pool, LabelSet)


def _code(kind: str, *brought: object, networks: Iterable[object]) -> str:
    """The digest of what a kind of stage does, with the classes of all values and networks that are brought to it."""
    classes = [cls for value in (*brought, *networks) for cls in classes_in(value)]
    return code_digest(*ROOTS[kind], *_READ, *classes)


def train_key(job: Job, start: Mapping[str, Model], *, kind: str = "train") -> str:
    """Key of a stage of the training loop. Where and how fast it runs (`Bench`) is no part of it."""
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
    code = _code(kind, job.objective, job.plan, job.streams, networks, networks=blueprints)
    return stage_key(kind, arguments, inputs, code)


def join_key(work: Joining) -> str:
    """Key of a model that is made of others."""
    inputs = {f"part/{name}": model.digest for name, model in work.models.items()}
    return stage_key("join", {"blueprint": work.blueprint}, inputs, _code("join", networks=[work.blueprint]))


def label_key(models: Mapping[str, Model], part: Part, rule: Rule) -> str:
    """Key of a labelling stage."""
    return _pass_key("label", models, {"rule": rule}, _part(part), rule)


def quality_key(labels: str, truth: str) -> str:
    """Key of what the record keeps of a labelling stage; `truth` is the identity of the images and their truth."""
    return stage_key("quality", {}, {"labels": labels, "truth": truth}, _code("quality", networks=()))


def measure_key(models: Mapping[str, Model], part: Part, gauge: Gauge) -> str:
    """Key of a measuring stage."""
    return _pass_key("measure", models, {"gauge": gauge}, _part(part), gauge)


def draw_key(sketch: Sketch, models: Mapping[str, Model], part: Part, scenes: Sequence[str]) -> str:
    """Key of a drawing stage."""
    return _pass_key("draw", models, {"sketch": sketch, "scenes": scenes}, _part(part), sketch)


def score_key(models: Mapping[str, Model], truth: str, rule: Rule, tasks: Sequence[Task], pictures: int) -> str:
    """Key of a scoring stage."""
    arguments = {"rule": rule, "tasks": {task.name: task for task in tasks}, "pictures": pictures}
    return _pass_key("score", models, arguments, {"truth": truth}, rule, *tasks)


def _pass_key(
    kind: str, models: Mapping[str, Model], arguments: Mapping[str, Any], inputs: Mapping[str, str], *brought: object
) -> str:
    """Key of a pass: what is done, on what, with which models, and how each of them is looked at."""
    looking = {name: model.looking for name, model in models.items()}
    networks = [blueprint for model in models.values() for blueprint in model.blueprints.values()]
    seen = {f"model/{name}": model.digest for name, model in models.items()}
    code = _code(kind, *brought, *looking.values(), networks=networks)
    return stage_key(kind, {**arguments, "looking": looking}, {**seen, **inputs}, code)


def _stream(stream: Stream) -> dict[str, Any]:
    settings = {"batch": stream.batch, "augment": stream.augment, "shares": stream.shares, "balance": stream.balance}
    return settings | ({"views": stream.views} if stream.views else {})


def _part(part: Part) -> dict[str, str]:
    labels = {f"labels/{name}" if name else "labels": one.digest for name, one in part.sets().items()}
    known = labels or {"labels": "none"}
    if part.measures is not None:
        known["measures"] = part.measures.digest
    return {"images": part.images.digest, **known, "scenes": digest("\n".join(part.names()).encode())}
