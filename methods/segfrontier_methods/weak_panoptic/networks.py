"""The networks of the method's trainings and how they learn: the paper's fixed rates, or the recipe's own."""

from __future__ import annotations

from dataclasses import replace

from segfrontier.lab import Blueprint, Network, Recipe, Schedule, Sgd
from segfrontier_methods.weak_panoptic.detector import detector_network
from segfrontier_methods.weak_panoptic.knobs import Knobs
from segfrontier_methods.weak_panoptic.tags import classifier_network


def segmenter_of(knobs: Knobs, recipe: Recipe, classes: int, *, number: int) -> Network:
    """The recipe's network in its training of this number, from 0; each further one is slower."""
    return _learning(knobs, recipe.network(classes), knobs.lr, knobs.round_lr**number)


def classifier_of(knobs: Knobs, recipe: Recipe, classes: int) -> Network:
    """On the segmenter's trunk, as the paper's is."""
    given = recipe if knobs.tag_stride is None else replace(recipe, output_stride=knobs.tag_stride)
    return _learning(knobs, classifier_network(given, classes), knobs.tag_lr, 1.0)


def detector_of(knobs: Knobs, recipe: Recipe, things: tuple[int, ...]) -> Network:
    """On the recipe's encoder and with its optimiser, for the paper's was trained elsewhere."""
    network = detector_network(
        recipe, things, width=knobs.detector_width, hidden=knobs.detector_hidden, anchor=knobs.anchor
    )
    return replace(network, clip=knobs.detector_clip)


def panoptic_of(knobs: Knobs, recipe: Recipe, blueprint: Blueprint) -> Network:
    """The joined network, which learns more slowly than the segmenter did."""
    network = replace(recipe.network(1), blueprint=blueprint, head_lr=1.0)
    return _learning(knobs, network, knobs.lr, knobs.instance_lr)


def _learning(knobs: Knobs, network: Network, lr: float | None, factor: float) -> Network:
    """At a fixed rate, or with the network's own optimiser and schedule; times a factor."""
    if lr is None:
        return replace(network, optimiser=replace(network.optimiser, lr=network.optimiser.lr * factor))
    optimiser = Sgd(lr=lr * factor, momentum=knobs.momentum, weight_decay=knobs.weight_decay)
    return replace(network, optimiser=optimiser, schedule=Schedule(shape="constant"))
