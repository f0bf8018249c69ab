"""Training a model on the source and towards the target: AdvEnt and its relatives, without or with target labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from segfrontier.errors import BadInput
from segfrontier.lab import Adam, Argmax, Augment, Lab, Model, Network, Part, Recipe, Schedule, Sgd, Stream
from segfrontier.models.discriminator import PatchDiscriminatorSpec
from segfrontier_methods.active_points.acquisition import PatchEntropy
from segfrontier_methods.active_points.knobs import Knobs
from segfrontier_methods.active_points.objective import Adapt, Pull


def adapted(knobs: Knobs, lab: Lab, recipes: Sequence[Recipe]) -> Model:
    """G1: a model of the source, adapted to the target without labels as the knob `uda` says; a recipe a training."""
    recipe = recipes[0]
    source, target = source_of(lab), Part(images=lab.pool)
    if knobs.uda == "source":
        return trained(knobs, lab, recipe, source=source)
    if knobs.uda in ("images", "minent"):
        pull: Pull = "entropy" if knobs.uda == "minent" else "nothing"
        return trained(knobs, lab, recipe, source=source, target=[target], pull=pull)
    first = trained(knobs, lab, recipe, source=source, target=[target])
    return first if knobs.uda == "advent" else _intra_adapted(knobs, lab, recipes[1], first)


def _intra_adapted(knobs: Knobs, lab: Lab, recipe: Recipe, first: Model) -> Model:
    """IntraDA: the easy images of the target, with the first model's labels, are the source of a second adaptation."""
    measures = lab.measure(first, Part(images=lab.pool), PatchEntropy.of(knobs))
    order = np.argsort(measures.column("mean"), kind="stable")
    scenes, easy = measures.scenes(), int(knobs.easy * len(order))
    if not 0 < easy < len(order):
        raise BadInput(
            f"IntraDA needs an easy and a hard image at least; a share of {knobs.easy} makes {easy} of {len(order)} "
            f"images easy; use more images or another share"
        )
    calm, hard = (tuple(scenes[i] for i in half) for half in (order[:easy], order[easy:]))
    labels = lab.label(first, Part(images=lab.pool, scenes=calm), Argmax())
    return trained(
        knobs, lab, recipe, source=Part(images=lab.pool, labels=labels), target=[Part(images=lab.pool, scenes=hard)],
        source_size=knobs.target_size,
    )  # fmt: skip


def trained(
    knobs: Knobs,
    lab: Lab,
    recipe: Recipe,
    *,
    source: Part,
    target: list[Part] | None = None,
    pull: Pull = "critics",
    source_size: tuple[int, int] | None = None,
    draw: int = 0,
) -> Model:
    """A fresh segmenter with fresh critics; target parts that have labels are learned from.

    With the knob `rebn` its batch norm is then estimated anew on the pool, whatever it was trained on.
    """
    streams = {"source": _stream(recipe, [source], source_size or knobs.source_size)}
    segmenter = _segmenter(knobs, recipe, len(lab.classes))
    objective = Adapt(
        segmenter=segmenter, critic=_critic(knobs, segmenter, len(lab.classes)), pull=pull,
        seg_weights=(1.0, knobs.aux_weight)[: knobs.levels], target_weights=(), normalisation=knobs.normalisation,
    )  # fmt: skip
    if target is not None:
        streams["target"] = _stream(recipe, target, knobs.target_size)
        objective = replace(
            objective,
            target_weights=(knobs.target_weight, knobs.aux_target_weight)[: knobs.levels],
            label_weight=knobs.label_weight if target[0].labels is not None else 0.0,
        )
    model = lab.train(objective, streams, recipe.plan(draw=draw), looking=knobs.looking)
    if not knobs.rebn:
        return model
    return lab.renorm(model, _as_seen(_stream(recipe, [Part(images=lab.pool)], knobs.target_size)))


def source_of(lab: Lab) -> Part:
    """The labelled source, which every variant needs."""
    if lab.synthetic is None:
        raise BadInput(
            "active_points adapts from labelled source scenes; this world has none: name one as `source` in the study"
        )
    return lab.synthetic


def _stream(recipe: Recipe, parts: list[Part], size: tuple[int, int] | None) -> Stream:
    stream = recipe.stream(*parts)
    if size is None:
        return stream
    return replace(stream, augment=replace(stream.augment, resize=size, crop=recipe.crop or size))


def _as_seen(stream: Stream) -> Stream:
    """Images as a model is shown them when it predicts, but for crops that a batch needs."""
    return replace(stream, augment=Augment(resize=stream.augment.resize, crop=stream.augment.crop))


def _segmenter(knobs: Knobs, recipe: Recipe, classes: int) -> Network:
    network = recipe.network(classes, aux=knobs.levels == 2, align_corners=True)
    if knobs.lr is None:
        return network
    return replace(
        network,
        optimiser=Sgd(lr=knobs.lr, momentum=knobs.momentum, weight_decay=knobs.weight_decay),
        schedule=Schedule(shape="poly", power=0.9, over=round(recipe.plan().steps / knobs.schedule_share)),
        head_lr=knobs.head_lr,
        encoder_lr=knobs.encoder_lr,
        encoder_repeats=knobs.encoder_repeats,
    )


def _critic(knobs: Knobs, segmenter: Network, classes: int) -> Network:
    return Network(
        blueprint=PatchDiscriminatorSpec(channels=classes, width=knobs.critic_width),
        optimiser=Adam(lr=knobs.critic_lr, betas=knobs.critic_betas),
        schedule=segmenter.schedule,
    )
