"""Who is labelled, how, and who is not: nested series of images, bought with masks, then with tags, then not at all."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from segfrontier.errors import BadInput
from segfrontier.lab import WHOLE_IMAGE, Fine, Lab, LabelSet, Part, Tags, stable_seed

log = logging.getLogger(__name__)


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
    draw = lab.seed if draw is None else draw
    for_tags = round(split * lab.budget)
    masked = Part(images=lab.pool, labels=_masks(lab, labelled, draw, spend=lab.budget - for_tags))
    rest = _without(series(lab.pool.scenes(), draw), masked)
    tagged = _tagged(lab, rest, spend=for_tags) if split else None
    untagged = rest if tagged is None else _without(rest, tagged)
    return Data(masked=masked, tagged=tagged, unlabelled=_images(lab, rest), untagged=_images(lab, untagged))


def _masks(lab: Lab, labelled: float | None, draw: int, *, spend: int) -> LabelSet:
    """Masks of a share of the images, whatever they cost, or of as many as `spend` seconds pay for."""
    order = series(lab.sold("fine"), draw)
    if labelled is None:
        return lab.buy_masks("fine", spend=spend, scenes=order)
    if not order:
        raise BadInput(
            f"a labelled share must be one of images whose masks are sold; of the pool's {len(lab.pool.scenes())} none "
            "is. Import a world with labelled training scenes."
        )
    count = int(labelled * len(order))
    if not count:
        raise BadInput(
            f"a labelled share must be one image at least; {labelled} of {len(order)} images is none. Raise it."
        )
    return lab.buy(Fine(order[:count]))


def _tagged(lab: Lab, rest: list[str], *, spend: int) -> Part | None:
    """Tags of as many of these images as `spend` seconds pay for; None, and a warning that says why, of none."""
    sold = set(lab.sold("tag"))
    wanted = [scene for scene in rest if scene in sold]
    tags = lab.buy(Tags(wanted, WHOLE_IMAGE), at_most=spend) if wanted else None
    if tags is not None and len(tags):
        return Part(images=lab.pool, labels=tags)
    why = f"{spend} s do not pay for those of one image" if wanted else "tags are sold of none of those without a mask"
    log.warning(
        "a share `split` of the budget must buy tags; nothing was bought, for %s. The classifier learns from masks "
        "alone.",
        why if rest else "every image has a mask",
    )
    return None


def series(scenes: list[str], draw: int) -> list[str]:
    """The images in the order in which they are labelled."""
    return sorted(scenes, key=lambda scene: (stable_seed("high_low", draw, scene), scene))


def _without(scenes: list[str], part: Part) -> list[str]:
    known = set(part.names())
    return [scene for scene in scenes if scene not in known]


def _images(lab: Lab, scenes: list[str]) -> Part:
    return Part(images=lab.pool, scenes=tuple(scenes) or None)
