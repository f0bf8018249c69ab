"""One step of supervised training: cross-entropy on every labelled pixel of every stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from segfrontier.lab import Batch, Loss, Moment, Nets, Network, Objective
from segfrontier.maths import cross_entropy


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(Objective):
    """Mean cross-entropy over the batch's labelled pixels, plus that of the auxiliary output where there is one."""

    network: Network
    class_weights: tuple[float, ...] | None = None
    aux_weight: float = 0.4

    def networks(self) -> Mapping[str, Network]:
        """One segmenter."""
        return {"segmenter": self.network}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Streams are laid side by side into one batch."""
        image = torch.cat([b.image for b in batch.values()])
        label = torch.cat([b.label for b in batch.values()])
        weights = None if self.class_weights is None else torch.tensor(self.class_weights, device=image.device)
        out = nets["segmenter"](image)
        each = [cross_entropy(logits, label, class_weights_K=weights, over=at) for logits in out.logits]
        loss = torch.stack(each).mean()
        if out.aux is not None:
            loss = loss + self.aux_weight * cross_entropy(out.aux, label, class_weights_K=weights, over=at)
        yield Loss("cross_entropy", loss)
