"""One step of the instance stage: the CRF's answer against true instances, whichever way these are numbered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab import Batch, Detections, Loss, Moment, Nets, Network, Objective
from segfrontier.maths import cross_entropy, matched_cross_entropy, permuted_targets
from segfrontier_methods.weak_panoptic.instance_crf import Boxed, PanopticSpec

PANOPTIC = "joined"
"""As `lab.join` calls what it makes, so that a joined model can be where this training starts."""
DETECTIONS = "detections"


@dataclass(frozen=True, kw_only=True)
class MatchedInstances(Objective):
    """Cross-entropy after the best permutation, over the matched pixels of the whole batch.

    One stream: its labels are masks with instances, and detections in a set named `detections`. `semantic` weighs a
    cross-entropy of the segmenter's own logits beside it.
    """

    panoptic: Network
    semantic: float = 0.0

    def __post_init__(self) -> None:
        spec = self.panoptic.blueprint
        if not isinstance(spec, PanopticSpec) or not self.semantic >= 0:
            raise BadInput(
                f"an instance stage trains a PanopticSpec, with semantic >= 0; found a {type(spec).__name__} and "
                f"{self.semantic}. Correct them."
            )

    def networks(self) -> Mapping[str, Network]:
        """The joined network."""
        return {PANOPTIC: self.panoptic}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Images differ in the number of their labels, so the CRF takes one after another."""
        (shown,) = batch.values()
        if shown.instance is None or DETECTIONS not in shown.labels:
            raise BadInput(
                f"an instance stage needs an instance map of each image and a label set named {DETECTIONS!r}; found "
                f"sets {', '.join(shown.labels) or 'none'}. Give its part both."
            )
        found = [boxed(known.detections, shown.image) for known in shown.labels[DETECTIONS]]
        united = nets[PANOPTIC](shown.image, found)
        sums = [
            matched_cross_entropy(scores, self._targets(scores, each.labels_D, label, instance))
            for scores, each, label, instance in zip(united.scores, found, shown.label, shown.instance, strict=True)
        ]
        matched, pixels = (torch.stack(list(each)).sum() for each in zip(*sums, strict=True))
        loss = at.mean(matched, pixels)
        at.log(instances=loss.detach(), matched=at.total(pixels) / (at.shares * shown.label.numel()))
        if self.semantic:
            loss = loss + self.semantic * cross_entropy(united.logits_NKHW, shown.label, over=at)
        yield Loss("instances_and_semantic" if self.semantic else "instances_matched", loss)

    def _targets(self, scores_LHW: Tensor, labels_D: Tensor, label_HW: Tensor, instance_HW: Tensor) -> Tensor:
        spec = self.panoptic.blueprint
        assert isinstance(spec, PanopticSpec)
        if not len(scores_LHW):  # nothing is found where there is no stuff: nothing can be matched
            return torch.full_like(label_HW, -1)
        predicted = scores_LHW.detach().argmax(0).cpu().numpy()
        targets = permuted_targets(
            predicted, [*labels_D.tolist(), *spec.stuff], label_HW.cpu().numpy(), instance_HW.cpu().numpy(),
            things=spec.detector.things,
        )  # fmt: skip
        return torch.from_numpy(targets).to(label_HW.device)


def boxed(found: Detections | None, image: Tensor) -> Boxed:
    """Detections of one sample; none where its set lacks the scene."""
    if found is not None:
        return Boxed.of(found, image.device)
    none = torch.zeros(0, device=image.device)
    return Boxed(none.bool().reshape(0, *image.shape[-2:]), none.long(), none)
