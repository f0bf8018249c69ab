"""The bench that a method works at. Eight verbs; each call is a stage whose result is stored and computed once.

lab.buy(request)                     the ledger is charged, the bought labels come back
lab.train(objective, streams, plan)  a trained model
lab.renorm(model, stream)            the model with batch-norm statistics of other images
lab.join(blueprint, models)          one model of several that were trained apart
lab.label(models, part, rule)        labels made by a model, several, or none
lab.measure(models, part, gauge)     numbers of fixed shapes for each image
lab.score(models)                    the evaluator's verdict on the validation split
lab.draw(sketch, models, part)       pictures of a few scenes
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from segfrontier.basics.atomic import write_json
from segfrontier.errors import BadInput, Stopped
from segfrontier.lab.backend import Backend
from segfrontier.lab.card import card_of
from segfrontier.lab.doors import (
    Models,
    require_evaluation,
    require_kinds,
    require_models,
    require_name,
    require_part,
    require_stream,
    require_tasks,
)
from segfrontier.lab.handles import Model
from segfrontier.lab.joining import Joining
from segfrontier.lab.keying import draw_key, join_key, label_key, measure_key, quality_key, score_key, train_key
from segfrontier.lab.leftout import sift
from segfrontier.lab.looking import Looking
from segfrontier.lab.passes.base import Outcome, Pass
from segfrontier.lab.passes.draw import DrawPass
from segfrontier.lab.passes.gauges import FILE, Gauge, Measures
from segfrontier.lab.passes.inference import spread
from segfrontier.lab.passes.label import ABOUT, LabelPass
from segfrontier.lab.passes.measure import MeasurePass
from segfrontier.lab.passes.quality import QUALITY
from segfrontier.lab.passes.rules import Argmax, Rule
from segfrontier.lab.passes.score import Address, ScorePass
from segfrontier.lab.passes.scores import Scores
from segfrontier.lab.passes.sketches import PICTURES, Sketch
from segfrontier.lab.passes.tasks import SEMANTIC, Task
from segfrontier.lab.peeking import Peek
from segfrontier.lab.places import FOR_SALE
from segfrontier.lab.renorm import renorm_job
from segfrontier.lab.sealed import Sealed, unseal
from segfrontier.lab.signals import heeding_signals
from segfrontier.lab.streams import Part, Stream, stable_seed
from segfrontier.lab.trained import Trained
from segfrontier.lab.training.history import Watch
from segfrontier.lab.training.loop import Bench, Job, Plan
from segfrontier.lab.watching import Watcher
from segfrontier.market import Coarse, Fine, MarketWindow, Request, Tiling
from segfrontier.market.requests import frozen
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import Pool
from segfrontier.store import Entry, Store

if TYPE_CHECKING:
    from segfrontier.lab.objective import Blueprint, Network, Objective
    from segfrontier.lab.places import Places


class Lab:
    """The seam between methods and machines, its backend: `LocalLab` has this process, `RayLab` a Ray cluster.

    Nothing that a method can reach from here leads to target truth: the market, the evaluator and the watcher, which
    hears of both, are sealed. `market.window` says what that guards against, and what not.
    """

    def __init__(
        self, *, backend: Backend, places: Sealed[Places], window: MarketWindow, pool: Pool, synthetic: Part | None,
        store: Store, seed: int, bench: Bench, watcher: Watcher, total_steps: int | None = None,
    ) -> None:  # fmt: skip
        self._backend, self._places, self._window, self._store = backend, places, window, store
        self.pool, self.synthetic = pool, synthetic
        self.seed, self.bench = seed, bench
        self._watcher = Sealed(watcher)  # it hears of truth that nobody bought: how good made labels are
        self.classes = unseal(places).classes
        self._bought = self._labelled = 0
        self.trained = Trained(total_steps)
        self._held: list[Entry] = []  # stored results in use: the store's garbage collection passes them by

    # ---------------------------------------------------------------------------------------------------- buy

    @property
    def budget(self) -> int:
        """Seconds of annotation that are left to spend; the same whenever a run comes here, also after a restart."""
        return self._window.left

    @property
    def spent(self) -> int:
        """Seconds of annotation that this run has come to spend so far."""
        return self._window.used

    def price(self, kind: str) -> float:
        """Seconds that one act of a kind (fine, coarse, point, box, tag) costs here."""
        return self._window.price(kind)

    def buy(self, request: Request, *, at_most: int | None = None) -> LabelSet:
        """Buy labels. With `at_most` (seconds), as many scenes as fit, in the request's order; else all or nothing."""
        request = frozen(request)
        self._bought += 1
        stage = f"buy-{self._bought}-{request.kind}"
        return self._window.buy(request, stage=stage, at_most=at_most).labels

    def buy_masks(
        self, kind: Literal["fine", "coarse"], *, spend: int, scenes: Sequence[str] | None = None
    ) -> LabelSet:
        """Buy as many fine or coarse masks as `spend` seconds pay for, in the given order or a seeded random one.

        The random order does not depend on the sum, so a smaller budget's scenes are always among a larger one's.
        Scenes that the data set has no such masks of are passed over.
        """
        if kind not in ("fine", "coarse"):
            raise BadInput(f"masks are fine or coarse; found {kind!r}. Buy other labels with lab.buy(...).")
        order = self._window.sold(kind, list(scenes) if scenes is not None else self.shuffled())
        if not order:
            raise BadInput(
                f"{kind} masks can be bought of scenes that the data set has such labels of; none of the images asked "
                f"for has any. Ask for another kind, or import a world with labelled training scenes."
            )
        request = (Fine if kind == "fine" else Coarse)(order)
        labels = self.buy(request, at_most=spend)
        if not len(labels):
            raise BadInput(
                f"{spend} s must pay for at least one {kind} mask; nothing could be bought. Raise the budget, or its "
                f"share for {kind} masks."
            )
        return labels

    def sold(self, kind: str, *, tiling: Tiling | None = None) -> list[str]:
        """All training scenes of which such labels can be bought: some may be labelled coarsely only, or not at all.

        `tiling`: of which tags of these crops can be bought; where tags exist already, they are of whole images.
        """
        return self._window.sold(kind, self.pool.scenes(), tiling=tiling)

    def shuffled(self) -> list[str]:
        """All training scenes, also those without any labels, in a random order that the seed alone decides."""
        names = self.pool.scenes()
        return [names[i] for i in np.random.default_rng(stable_seed(self.seed, "order")).permutation(len(names))]

    # ---------------------------------------------------------------------------------------------------- train

    def train(
        self,
        objective: Objective,
        streams: Mapping[str, Stream],
        plan: Plan,
        *,
        start: Mapping[str, Model] | None = None,
        looking: Looking | None = None,
    ) -> Model:
        """Train the objective's networks; `start` gives initial weights by network name (not a resumed run).

        `looking` is how the model is to be looked at: while it trains, for early stopping, and from then on.
        """
        start, looking = dict(start or {}), Looking() if looking is None else looking
        for stream in streams.values():
            require_stream(stream, self.pool)
        for model in start.values():
            require_kinds(start=(model, Model))
        plan = dataclasses.replace(plan, seed=stable_seed(self.seed, plan.seed))
        job = Job(objective=objective, streams=streams, plan=plan, start={n: str(m.file()) for n, m in start.items()})
        key, an_epoch = train_key(job, start), job.steps_an_epoch
        self.trained.require_room(key, plan.steps)
        peeks = tuple(unseal(self._watcher).peeks_at(plan.steps, an_epoch)) if objective.gives_maps else ()
        job = dataclasses.replace(job, looking=looking, peeks=peeks)
        model = self._model("train", key, job, start)
        self.trained.add(key, plan.steps, lambda: job.images)
        unseal(self._watcher).trained(plan.steps / an_epoch)
        self._note_pretraining(objective.networks())
        return model

    def renorm(self, model: Model, stream: Stream) -> Model:
        """The model with its batch-norm statistics estimated anew on a stream's images, each of which is seen once.

        Weights stay as they are, labels play no part, and no optimiser steps: `total_steps` counts none of it.
        """
        require_kinds(model=(model, Model))
        require_stream(stream, self.pool)
        job = renorm_job(model, stream, seed=stable_seed(self.seed, "renorm"))
        start = {model.network: model}
        return self._model("renorm", train_key(job, start, kind="renorm"), job, start).looked(model.looking)

    def join(self, blueprint: Blueprint, models: Mapping[str, Model]) -> Model:
        """One model, built by a blueprint, each part of which has the weights of the model of that name.

        Nothing is trained. What the parts together answer is the blueprint's to say.
        """
        work = Joining(blueprint=blueprint, models=require_models(dict(models)))
        key = join_key(work)
        world = unseal(self._places).world.name
        self._stage(
            "join", key, lambda out: self._backend.join(work, out, self.classes, world=world),
            inputs=_keys(work.models),
        )  # fmt: skip
        return Model(
            store=self._store.root, key=key, network=work.NAME, classes=self.classes, blueprints={work.NAME: blueprint}
        )

    def _model(self, kind: str, key: str, job: Job, start: Mapping[str, Model]) -> Model:
        """What a job of the training loop makes of its networks."""

        def compute(out: Path) -> None:
            self._train(job, self._store.scratch(key), out)
            card_of(job, start, self.classes, world=unseal(self._places).world.name).write(out)

        self._stage(kind, key, compute, inputs=_keys(start))
        networks = job.objective.networks()
        return Model(
            store=self._store.root, key=key, network=next(iter(networks)), classes=self.classes,
            blueprints={name: network.blueprint for name, network in networks.items()}, looking=job.looking,
        )  # fmt: skip

    def _note_pretraining(self, networks: Mapping[str, Network]) -> None:
        self._note_origins({name: network.blueprint.origin() for name, network in networks.items()})

    def _note_origins(self, origins: Mapping[str, str]) -> None:
        for name, origin in origins.items():
            if origin != "random":
                unseal(self._places).note_free("encoder_pretraining", detail=f"{name}: {origin}", count=1)

    def snapshots(self, model: Model) -> dict[int, Model]:
        """The weights that were kept on the way, by step (see `Plan.snapshots`)."""
        entry = self._store.get(model.key)
        assert entry is not None, "a model's stage is stored before the model is handed out"
        names = [f for f in entry.manifest.files if f.startswith("weights-")]
        return {int(f[8:-3]): dataclasses.replace(model, weights=f) for f in sorted(names)}

    def history(self, model: Model) -> list[dict[str, float]]:
        """The logged losses and learning rates of a model's training."""
        entry = self._store.get(model.key)
        assert entry is not None, "a model's stage is stored before the model is handed out"
        return [json.loads(line) for line in entry.local("log.jsonl").read_text().splitlines()]

    # ---------------------------------------------------------------------------------------------------- label

    def label(self, models: Models, part: Part, rule: Rule) -> LabelSet:
        """Label images with a model, several by name, or none; what the part's labels know is shown to the rule."""
        named = require_models(models)
        require_part(part, self.pool)
        key = label_key(named, part, rule)
        work = LabelPass(models=named, classes=self.classes, part=part, rule=rule)
        entry = self._look("label", key, work, named)
        unseal(self._places).note_free("pseudo_labels", detail=key, count=len(part.names()))
        self._note_origins(rule.origins())
        plain = json.loads(entry.local(ABOUT).read_text())
        labels = LabelSet(
            path=str(entry.local(plain["path"])), kind=plain["kind"], digest=plain["digest"], count=plain["count"],
            classes=self.classes,
        )  # fmt: skip
        self._labelled += 1
        for name, value in self._stored_quality(key, labels, part).items():
            unseal(self._watcher).noted(f"labels_{self._labelled}/{name}", value)
        return labels

    def _stored_quality(self, labelled: str, labels: LabelSet, part: Part) -> dict[str, float]:
        """How good labels are that a model made, computed once; nothing for images that are not the pool's."""
        places = unseal(self._places)
        if part.images.digest != places.world.pool().digest:
            return {}
        entry = self._store.once(
            quality_key(labelled, places.digest(FOR_SALE)),
            lambda out: write_json(out / QUALITY, self._backend.quality(labels, part, places)),
            about={"kind": "quality", "inputs": {"labels": labelled}},
        )
        found: dict[str, float] = json.loads(entry.local(QUALITY).read_text())
        entry.release()
        return found

    # ---------------------------------------------------------------------------------------------------- measure

    def measure(self, models: Models, part: Part, gauge: Gauge) -> Measures:
        """Measure images with a model, several by name, or none; what the part's labels know is shown to the gauge."""
        named = require_models(models)
        require_part(part, self.pool)
        work = MeasurePass(models=named, classes=self.classes, part=part, gauge=gauge)
        key = measure_key(named, part, gauge)
        entry = self._look("measure", key, work, named)
        return Measures.at(entry.local(FILE))

    # ---------------------------------------------------------------------------------------------------- score

    def score(
        self,
        models: Models,
        *,
        split: str = "val",
        rule: Rule | None = None,
        tasks: Sequence[Task] = SEMANTIC,
        pictures: int = 4,
    ) -> Scores:
        """Score what a rule makes of a split of the target domain that is no part of the pool, with a few pictures.

        Default: a model's likeliest classes, for the semantic tasks. Each model is looked at in its own way. Costs no
        annotation; its use is recorded in the ledger.
        """
        places = unseal(self._places)
        split, pictures = require_evaluation(split, pictures)
        named, rule, tasks = require_models(models), Argmax() if rule is None else rule, tuple(tasks)
        require_tasks(tasks)
        places.note_free("validation", detail=f"target/{split}", count=places.count(split))
        key = score_key(named, places.digest(split), rule, tasks, pictures)
        pool = places.world.pool(split=split)
        work = ScorePass(
            models=named, classes=self.classes, pool=pool, address=Address.of(places.world), split=split, rule=rule,
            tasks=tasks, pictures=frozenset(spread(pool.scenes(), pictures)),
        )  # fmt: skip
        entry = self._look("score", key, work, named)
        return Scores.read(entry.path, self.classes, tasks)

    def oracle_best(self, model: Model) -> tuple[int, Scores]:
        """The best of a training's snapshots and its end, chosen on the very split that scores it, and its step.

        To be shown beside the headline, which is always the last state; never to be ranked.
        """
        end = int(self.history(model)[-1]["step"])
        family = {**self.snapshots(model), end: model}
        scored = {step: self.score(one, pictures=0) for step, one in family.items()}
        step = max(scored, key=lambda s: (scored[s].miou, s))
        return step, scored[step]

    def draw(self, sketch: Sketch, models: Mapping[str, Model], part: Part, *, scenes: int = 4) -> Path:
        """Draw a fixed set of a part's scenes, as models see them; returns the folder that holds `pictures.png`."""
        named = require_models(models)
        require_part(part, self.pool)
        shown = tuple(spread(part.names(), scenes))
        key = draw_key(sketch, named, part, shown)
        work = DrawPass(models=named, classes=self.classes, part=part, sketch=sketch, scenes=shown)
        entry = self._look("draw", key, work, named)
        unseal(self._watcher).drawn(entry.path / PICTURES)
        return entry.path

    def note(self, name: str, value: float) -> None:
        """Tell a number by the way, such as the score of one iteration; it is recorded with the cell, not ranked."""
        unseal(self._watcher).noted(require_name(name), float(value))

    # ---------------------------------------------------------------------------------------------------- heeding

    def _train(self, job: Job, work: Path, out: Path) -> None:
        """Run a training job, resumable through `work`, into `out`, until a signal or the watcher asks for its end."""
        with heeding_signals() as signalled:
            self._backend.train(
                job, work=work, out=out, watch=self._watching(job, work),
                stop=lambda: signalled() or unseal(self._watcher).stop(),
            )  # fmt: skip

    def _on_progress(self, done: int, total: int) -> None:
        """One image of a pass is done; here the pass ends if that is asked for, and will begin anew."""
        unseal(self._watcher).step(done, total, {})
        if unseal(self._watcher).stop():
            raise Stopped(f"a pass over images was asked to stop and did, after {done} of {total}; run it again")

    def _watching(self, job: Job, work: Path) -> Watch:
        """Pass on what a training reports and, where the watcher wants it, how well its weights do on the way."""
        if not job.peeks:
            return unseal(self._watcher).step
        peek = Peek(job, work, unseal(self._places), self.classes, self.bench.torch_device())

        def on_step(done: int, total: int, values: Mapping[str, float]) -> None:
            unseal(self._watcher).step(done, total, values)
            for epochs, miou in peek.fresh():
                unseal(self._watcher).peeked(epochs, miou)

        return on_step

    # ---------------------------------------------------------------------------------------------------- below

    def close(self) -> None:
        """Shut the market's window and forget the evaluator."""
        self._window.close()
        self._places.drop()
        self._watcher.drop()
        for entry in self._held:
            entry.release()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stage(self, kind: str, key: str, compute: Callable[[Path], None], *, inputs: Mapping[str, str]) -> Entry:
        computed = False

        def timed(out: Path) -> None:
            nonlocal computed
            computed = True
            unseal(self._watcher).begin(kind, key)
            began = time.perf_counter()
            compute(out)
            unseal(self._watcher).end(kind, key, seconds=time.perf_counter() - began)

        devices, gpu = self._backend.power(kind)
        about: dict[str, Any] = {"kind": kind, "inputs": dict(inputs), "devices": devices, "gpu": gpu}
        entry = self._store.once(key, timed, about=about, waiting=unseal(self._watcher).waiting)
        if not computed:
            unseal(self._watcher).found(kind, key)
        unseal(self._watcher).used(entry.manifest, entry.path)
        self._held.append(entry)
        return entry

    def _look(self, kind: str, key: str, work: Pass[Any], models: Mapping[str, Model]) -> Entry:
        """The stage of a pass."""

        def stage() -> Entry:
            return self._stage(kind, key, lambda out: self._pass(work, out), inputs=_keys(models))

        return self._backend.pass_stage(kind, key, work, stage)

    def _pass(self, work: Pass[Any], out: Path) -> None:
        """Run a pass into `out`; scenes whose images are at fault are left out and named."""
        faults: list[str] = []
        with closing(self._outcomes(work)) as outcomes:
            rows = sift(outcomes, faults, total=len(work.names()), done=work.done)
            self._backend.write(work, out, rows, faults)

    def _outcomes(self, work: Pass[Any]) -> Generator[Outcome, None, None]:
        total = len(work.names())
        with closing(self._backend.outcomes(work)) as outcomes:
            for done, outcome in enumerate(outcomes, start=1):
                yield outcome
                self._on_progress(done, total)


def _keys(models: Mapping[str, Model]) -> dict[str, str]:
    return {name: model.key for name, model in models.items()}
