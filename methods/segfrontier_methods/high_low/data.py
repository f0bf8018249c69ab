"""Who is labelled, how, and who is not: nested series of images, bought with masks, then with tags, then not at all."""

from __future__ import annotations

from dataclasses import dataclass

from segfrontier.errors import BadInput
from segfrontier.lab import WHOLE_IMAGE, Fine, Lab, Part, Tags, stable_seed


@dataclass(frozen=True, kw_only=True)
class Data:
    """The pool in its three parts; `tagged` is None where no tags were bought."""

    masked: Part
    tagged: Part | None
    unlabelled: Part
    """Images without a mask; all of them where every image has one (the paper's `Full`)."""
    untagged: Part
    """Images without mask or tags, likewise."""


def bought(lab: Lab, *, labelled: float | None, split: float, draw: int | None) -> Data:
    """Masks of the first images of a series with what is not set aside for tags, then tags of those after them.

    The series depends on names alone, by a hash of (draw, name): a smaller share's images are among a larger one's, and
    images that join a pool later move none of the others.
    """
    order = series(lab.sold("fine"), lab.seed if draw is None else draw)
    for_tags = round(split * lab.budget)
    if labelled is None:
        masks = lab.buy_masks("fine", spend=lab.budget - for_tags, scenes=order)
    else:
        count = int(labelled * len(order))
        if not count:
            raise BadInput(
                f"a labelled share must be one image at least; {labelled} of {len(order)} images is none. Raise it."
            )
        masks = lab.buy(Fine(order[:count]))
    masked = Part(images=lab.pool, labels=masks)
    rest = _without(series(lab.pool.scenes(), lab.seed if draw is None else draw), masked)
    tagged = None
    if split and rest:
        sold = set(lab.sold("tag"))
        tags = lab.buy(Tags([scene for scene in rest if scene in sold], WHOLE_IMAGE), at_most=lab.budget)
        tagged = Part(images=lab.pool, labels=tags) if len(tags) else None
    untagged = rest if tagged is None else _without(rest, tagged)
    return Data(masked=masked, tagged=tagged, unlabelled=_images(lab, rest), untagged=_images(lab, untagged))


def series(scenes: list[str], draw: int) -> list[str]:
    """The images in the order in which they are labelled."""
    return sorted(scenes, key=lambda scene: (stable_seed("high_low", draw, scene), scene))


def _without(scenes: list[str], part: Part) -> list[str]:
    known = set(part.names())
    return [scene for scene in scenes if scene not in known]


def _images(lab: Lab, scenes: list[str]) -> Part:
    return Part(images=lab.pool, scenes=tuple(scenes) or None)
