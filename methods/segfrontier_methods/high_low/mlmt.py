"""One step of the high branch: which classes an image shows, learned from few tags and a teacher's consistency.

Letters: N image, K class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.lab import Batch, Loss, Moment, Nets, Network, Objective
from segfrontier.maths import Consistency, Ramp, classes_present, ramp_up, tag_consistency

STRONG = "strong"
"""The student's view of a sample; the teacher has the stream's own, which is only moved."""


@dataclass(frozen=True, kw_only=True)
class TagTeacher(Objective):
    """Equation 6, with binary cross-entropy for its class term; see `Knobs` for the fields.

    Streams: `labelled`, whose tags are bought or read off a mask; `unlabelled` where its consistency counts. Both have
    a view `strong`. Without consistency this is the supervised classifier of Table 5.
    """

    gives_maps: ClassVar[bool] = False

    classifier: Network
    num_classes: int
    consistency: float = 1.0
    consistency_form: Consistency = "mse"
    consistency_on_labelled: bool = True
    ramp: Ramp = "linear"

    def networks(self) -> Mapping[str, Network]:
        """One classifier, with a teacher where there is anything to teach."""
        return {"classifier": self.classifier}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """The student sees all of a step's images at once."""
        tags = tags_of(batch["labelled"], self.num_classes)
        student = nets["classifier"](torch.cat([each.views[STRONG] for each in batch.values()])).logits.float()
        loss = F.binary_cross_entropy_with_logits(student[: len(tags)], tags)
        if self.consistency:
            weight = self.consistency * ramp_up(at.progress, ramp=self.ramp)
            apart = self._apart(nets, batch, student)
            at.log(tags=loss.detach(), consistency=apart.detach(), consistency_weight=weight)
            loss = loss + weight * apart
        yield Loss("tags_and_consistency", loss)

    def _apart(self, nets: Nets, batch: Mapping[str, Batch], student: Tensor) -> Tensor:
        taught = [b.image for name, b in batch.items() if self.consistency_on_labelled or name != "labelled"]
        with torch.no_grad():
            teacher = nets.teacher("classifier")(torch.cat(taught)).logits
        return tag_consistency(student[len(student) - len(teacher) :], teacher, form=self.consistency_form)


def tags_of(batch: Batch, num_classes: int) -> Tensor:
    """(N, K) 1 where a sample shows a class, 0 elsewhere: as its bought tags say, else as its mask does."""
    tags_NK = classes_present(batch.label, num_classes=num_classes).float()
    for known in batch.labels.values():
        for number, scene in enumerate(known):
            if scene.tags is not None:
                tags_NK[number] = 0
                tags_NK[number, torch.from_numpy(scene.tags[:, 1]).long()] = 1
    return tags_NK
