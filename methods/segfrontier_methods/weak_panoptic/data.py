"""What is bought: fine masks of the first images, boxes of those after them, and tags of the same images."""

from __future__ import annotations

from dataclasses import dataclass

from segfrontier.errors import BadInput
from segfrontier.lab import PAPER_002, WHOLE_IMAGE, Boxes, Lab, LabelSet, Part, Pool, Tags, Tiling
from segfrontier_methods.weak_panoptic.cleaning import FIRST
from segfrontier_methods.weak_panoptic.knobs import Knobs
from segfrontier_methods.weak_panoptic.tags import BOXES, TAGS


@dataclass(frozen=True, kw_only=True)
class Data:
    """The bought label sets; None where none were bought."""

    pool: Pool
    boxes: LabelSet | None = None
    tags: LabelSet | None = None
    """Of the first of the boxed images: as many as the budget pays for."""
    masks: LabelSet | None = None
    tiling: Tiling = PAPER_002
    """The crops that the tags are of."""

    def boxed(self, **more: LabelSet) -> Part:
        """The images with boxes, what was bought of them, and further label sets by name."""
        assert self.boxes is not None
        bought = {BOXES: self.boxes} | ({} if self.tags is None else {TAGS: self.tags})
        return Part(images=self.pool, labels=bought | more, scenes=tuple(self.boxes.scenes()))

    def tagged(self) -> Part:
        """The images with tags, and their boxes."""
        assert self.boxes is not None and self.tags is not None
        return Part(images=self.pool, labels={TAGS: self.tags, BOXES: self.boxes}, scenes=tuple(self.tags.scenes()))

    def masked(self, labels: LabelSet | None = None, **more: LabelSet) -> tuple[Part, ...]:
        """What a network learns pixels from: the labels that were made of boxes, and masks."""
        parts = []
        if labels is not None and self.boxes is not None:
            parts.append(Part(images=self.pool, labels={BOXES: self.boxes, FIRST: labels} | more))
        if self.masks is not None:
            parts.append(Part(images=self.pool, labels={FIRST: self.masks} | more, scenes=tuple(self.masks.scenes())))
        return tuple(parts)


def background_of(knobs: Knobs, lab: Lab) -> int | None:
    """The label of what no box holds, where that is all that things stand before."""
    if knobs.background is None:
        return None
    label = lab.classes.index(knobs.background)
    if lab.classes.stuff != (label,):
        others = [lab.classes.names[one] for one in lab.classes.stuff if one != label]
        raise BadInput(
            f"a background is a class that cannot be counted, the only one; found {knobs.background!r} beside "
            f"{', '.join(others) or 'none'}. Leave `background` out, and stuff is tagged."
        )
    return label


def require_things(lab: Lab) -> None:
    """BadInput if there is nothing to box."""
    if not lab.classes.things:
        raise BadInput(
            "weak_panoptic needs a class whose objects can be boxed; this world has none that can be counted. Mark "
            "some as things, or choose another method."
        )


def needs_tags(lab: Lab, knobs: Knobs) -> bool:
    """Whether boxes leave classes for tags to tell of."""
    return background_of(knobs, lab) is None and len(lab.classes.stuff) > 0


def bought(lab: Lab, knobs: Knobs) -> Data:
    """Images in the seed's random order, so that a smaller budget's are among a larger one's."""
    require_things(lab)
    tagging = needs_tags(lab, knobs)
    order, masks = lab.shuffled(), None
    if knobs.split:
        masks = lab.buy_masks("fine", spend=round(knobs.split * lab.budget), scenes=order)
    boxable = set(lab.sold("box"))
    rest = [scene for scene in order if scene in boxable and (masks is None or scene not in masks)]
    if knobs.split == 1 or (masks is not None and not rest):
        return Data(pool=lab.pool, masks=masks)
    boxes = lab.buy(Boxes(rest), at_most=round(lab.budget * (knobs.box_share if tagging else 1)))
    tags, tiling = None, tiling_for(lab, boxes)
    if tagging and len(boxes):
        things, known = knobs.thing_tags == "tags", set(lab.sold("tag", tiling=tiling))
        taggable = [scene for scene in boxes.scenes() if scene in known]
        if not taggable:
            raise BadInput(
                f"weak_panoptic needs tags of stuff beside boxes; none of the {len(boxes)} images with boxes has any. "
                f"Import a table of tags (`existing: tags`), or name the class `background` of what no box holds."
            )
        tags = lab.buy(Tags(taggable, tiling, things=things), at_most=lab.budget)
    if not len(boxes) or (tags is not None and not len(tags)):
        raise BadInput(
            f"boxes{' and tags' if tagging else ''} of at least one image must be paid for; nothing could be bought "
            f"with box_share {knobs.box_share}. Raise the budget, or change that share."
        )
    return Data(pool=lab.pool, boxes=boxes, tags=tags, masks=masks, tiling=tiling)


def tiling_for(lab: Lab, boxes: LabelSet) -> Tiling:
    """The paper's crops where all of the boxed images can be tagged so; else whole images, as tags that exist are."""
    return PAPER_002 if set(boxes.scenes()) <= set(lab.sold("tag", tiling=PAPER_002)) else WHOLE_IMAGE
