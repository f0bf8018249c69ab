"""One step of (pre- and re-)training: cross-entropy on everything, the boundary loss on synthetic images alone.

Letters: B image of the batch, N image of one of its parts, K class, H W image size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segfrontier.lab import Batch, Loss, Moment, Nets, Network, Objective
from segfrontier.maths import (
    Border,
    Selection,
    boundary_loss,
    choose_classes,
    class_mask,
    classes_present,
    cross_entropy,
    paste,
)


@dataclass(frozen=True, kw_only=True)
class HybridSupervision(Objective):
    """L = CE(real, synthetic, mixed) + boundary * L_bd(synthetic); see `Knobs` for the fields.

    Streams: `real`; `synthetic` where the batch has a share of it; `partner`, as large as `real`, where it is mixed.
    """

    network: Network
    num_classes: int
    aux_weight: float = 0.4
    mixing: float
    selection: Selection
    mixed: Literal["instead", "beside"]
    boundary: float
    boundary_noise: bool
    boundary_temperature: float
    boundary_border: Border
    boundary_epsilon: float
    boundary_normalise: bool
    boundary_threshold: float
    boundary_weights: tuple[float, float]

    def networks(self) -> Mapping[str, Network]:
        """One segmenter."""
        return {"segmenter": self.network}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Synthetic samples come last in the batch."""
        pairs = [(batch["real"].image, batch["real"].label)]
        if "partner" in batch:
            pairs = self._augmented(batch["real"], batch["partner"])
        if "synthetic" in batch:
            pairs.append((batch["synthetic"].image, batch["synthetic"].label))
        images, labels = (torch.cat(each) for each in zip(*pairs, strict=True))
        out = nets["segmenter"](images)
        loss = torch.stack([cross_entropy(logits, labels, over=at) for logits in out.logits]).mean()
        if out.aux is not None:
            loss = loss + self.aux_weight * cross_entropy(out.aux, labels, over=at)
        if self.boundary and "synthetic" in batch:
            edges = self._boundary(out.mean_logits, batch["synthetic"].label, at)
            at.log(cross_entropy=loss.detach(), boundary=edges.detach())
            loss = loss + self.boundary * edges
        yield Loss("hybrid", loss)

    def _augmented(self, real: Batch, partner: Batch) -> list[tuple[Tensor, Tensor]]:
        """The real samples, some of them with classes of their partners pasted over."""
        # Drawn on the CPU: the same samples and classes whatever the device.
        picked_N = torch.rand(len(real.image)) < self.mixing
        uniform_NK = torch.rand(len(real.image), self.num_classes).to(partner.label.device)
        present_NK = classes_present(partner.label, num_classes=self.num_classes)
        mask_NHW = class_mask(partner.label, choose_classes(present_NK, uniform_NK, selection=self.selection))
        if self.mixed == "beside":
            chosen = picked_N.nonzero()[:, 0].to(mask_NHW.device)
            mask_NHW, over, under = mask_NHW[chosen], _taken(partner, chosen), _taken(real, chosen)
            return [(real.image, real.label), _pasted(mask_NHW, over, under)]
        mask_NHW &= picked_N.to(mask_NHW.device)[:, None, None]
        return [_pasted(mask_NHW, (partner.image, partner.label), (real.image, real.label))]

    def _boundary(self, logits_BKHW: Tensor, labels_NHW: Tensor, at: Moment) -> Tensor:
        """Of the last N images of the batch, which are the synthetic ones."""
        noise: Literal["gumbel"] | None = "gumbel" if self.boundary_noise else None
        return boundary_loss(
            logits_BKHW, labels_NHW, noise_NKHW=noise, temperature=self.boundary_temperature,
            border=self.boundary_border, epsilon=self.boundary_epsilon, normalise=self.boundary_normalise,
            threshold=self.boundary_threshold, weights=self.boundary_weights, over=at,
        )  # fmt: skip


def _taken(batch: Batch, which: Tensor) -> tuple[Tensor, Tensor]:
    return batch.image[which], batch.label[which]


def _pasted(mask: Tensor, over: tuple[Tensor, Tensor], under: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return paste(mask, over[0], under[0]), paste(mask, over[1], under[1])
