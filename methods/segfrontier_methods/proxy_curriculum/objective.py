"""One step: a batch of one domain, drawn by chance, with the labels that the curriculum leaves of it.

Letters: E branch, N image, K class, H W.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from segfrontier.lab import Batch, Loss, Moment, Nets, Network, Objective, stable_seed
from segfrontier.maths import (
    Averaging,
    Dropping,
    Normalisation,
    Similarity,
    branch_labels,
    cross_entropy,
    dropped_pixels,
    mean_similarity,
    proxy_labels,
    ramp,
    spell,
    variation_ratio,
)
from segfrontier_methods.proxy_curriculum.starvation import alarms

_VOID = 255


@dataclass(frozen=True, kw_only=True)
class Curriculum(Objective):
    """Eq. 4 over the pixels that gradient filtering keeps; see `Knobs` for the fields that it has, too.

    Streams: `source`, and `target` where proxy labels are learned from. A step has one of the two.
    """

    segmenter: Network
    classes: tuple[str, ...]
    class_weights: tuple[float, ...] | None
    average: Averaging
    easy_up_to: float
    epochs: int
    counted_from: Literal[0, 1]
    gamma: float
    gamma_end: float
    gamma_over: int
    masked: float
    masked_end: float
    masked_over: int
    target_pixels: Literal["easy", "all"]
    target_weight: float
    hard: Literal["agreement", "correctness"]
    dropping: Dropping
    normalisation: Normalisation
    beta: float
    similarity: Similarity
    similar: Literal["decoder", "last"]

    def networks(self) -> Mapping[str, Network]:
        """One segmenter of several branches."""
        return {"segmenter": self.segmenter}

    def streams(self, at: Moment, names: Sequence[str]) -> Sequence[str]:
        """A whole batch of the source with chance gamma, else one of the target; every worker draws alike."""
        if "target" not in names:
            return names
        return ["source"] if at.rng.random() < self.gamma_at(at) else ["target"]

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """The branches' losses, added up, on labels that the network itself decides about; and the penalty, once."""
        ((domain, shown),) = batch.items()
        logits = nets["segmenter"](shown.image).logits
        with torch.no_grad():
            labels_NHW, easy_NHW = self._labels(domain, shown, logits, at)
            known_NHW = shown.label != _VOID if domain == "source" else torch.ones_like(easy_NHW)
            self._note(domain, labels_NHW, easy_NHW, known_NHW, at)
        weights_K = None if self.class_weights is None else torch.tensor(self.class_weights, device=shown.image.device)
        each = [
            cross_entropy(x, labels_NHW, class_weights_K=weights_K, normalisation=self.normalisation, over=at)
            for x in logits
        ]
        loss = torch.stack(each).sum() * (1.0 if domain == "source" else self.target_weight)
        # Read, not run: with many workers the gradient of these very weights is the same everywhere, and part of the
        # one backward pass in which their gradients are averaged.
        alike = self._similarity(nets)
        at.log(similarity=alike.detach(), gamma=self.gamma_at(at), masked=self.masked_at(at))
        yield Loss(domain, loss + self.beta * alike if self.beta else loss)

    def gamma_at(self, at: Moment) -> float:
        """The chance of a source batch."""
        return ramp(self._epoch(at), start=self.gamma, end=self.gamma_end, over=self.gamma_over)

    def masked_at(self, at: Moment) -> float:
        """The share of easy source pixels that are left out."""
        return ramp(self._epoch(at), start=self.masked, end=self.masked_end, over=self.masked_over)

    def _epoch(self, at: Moment) -> int:
        return self.counted_from + spell(at.step, steps=at.steps, spells=self.epochs)

    def _labels(self, domain: str, shown: Batch, logits: Sequence[Tensor], at: Moment) -> tuple[Tensor, Tensor]:
        """What is learned from, void where nothing is, and which pixels are easy."""
        easy_NHW = variation_ratio(branch_labels(logits)) <= self.easy_up_to
        if domain == "target":
            proxies_NHW = proxy_labels(logits, of=self.average)
            keep_NHW = easy_NHW if self.target_pixels == "easy" else torch.ones_like(easy_NHW)
            return torch.where(keep_NHW, proxies_NHW, _VOID), easy_NHW
        # Void pixels are neither: to drop one would drop nothing, and spare another.
        easy_NHW = easy_NHW & (shown.label != _VOID)
        if self.hard == "correctness":
            easy_NHW = easy_NHW & (proxy_labels(logits, of=self.average) == shown.label)
        share = self.masked_at(at)
        if not share:
            return shown.label, easy_NHW
        dropped_NHW = dropped_pixels(easy_NHW, _draws(shown, at), share=share, how=self.dropping)
        return torch.where(dropped_NHW, _VOID, shown.label), easy_NHW

    def _similarity(self, nets: Nets) -> Tensor:
        decoders: Any = nets.bare("segmenter").decoders
        filters = [d.filters() if self.similar == "decoder" else d.last_filters() for d in decoders]
        with torch.set_grad_enabled(self.beta > 0 and torch.is_grad_enabled()):
            return mean_similarity(filters, form=self.similarity)

    def _note(self, domain: str, labels_NHW: Tensor, easy_NHW: Tensor, known_NHW: Tensor, at: Moment) -> None:
        """Of what is known in the whole batch, the share that is easy and that teaches; and which classes starve."""
        counts_K = torch.bincount(labels_NHW.flatten(), minlength=_VOID + 1)[: len(self.classes)]
        totals = at.total(torch.cat([counts_K, torch.stack([easy_NHW.sum(), known_NHW.sum()])]))
        known = totals[-1].clamp_min(1)
        at.log(**{f"easy/{domain}": totals[-2] / known, f"learned/{domain}": totals[:-2].sum() / known})
        if domain == "target":
            at.log(**alarms(self.classes, totals[:-2]))


def _draws(shown: Batch, at: Moment) -> Tensor:
    """(N, H, W) a uniform draw for every pixel: of the step and the scene, whichever worker has it."""
    height, width = shown.label.shape[-2:]
    drawn = [
        np.random.default_rng(stable_seed(at.seed, at.step, scene, "mining")).random((height, width), np.float32)
        for scene in shown.scene
    ]
    return torch.from_numpy(np.stack(drawn)).to(shown.label.device)
