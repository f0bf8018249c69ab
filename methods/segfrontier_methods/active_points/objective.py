"""One step of adaptation: learn from the source and from what is known of the target, and make the two look alike.

Letters: N image, K class, H W.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from segfrontier.lab import Batch, Loss, Moment, Nets, Network, Objective
from segfrontier.maths import Normalisation, cross_entropy, domain_loss, normalised_entropy, self_information

CRITICS = ("critic", "aux_critic")
Pull = Literal["entropy", "critics", "nothing"]


@dataclass(frozen=True, kw_only=True)
class Adapt(Objective):
    """Equations 1 to 4 without target labels, 7 to 10 with them, in the order and the form of AdvEnt's code.

    One weight for each output, the main one first; so many critics play as there are weights of the target term.
    """

    segmenter: Network
    critic: Network
    pull: Pull = "critics"
    """What makes the target's answers resemble the source's. `nothing`: batch norm sees the target, no loss does."""
    seg_weights: tuple[float, ...]
    target_weights: tuple[float, ...]
    """None where the source is all there is."""
    label_weight: float = 0.0
    """0: the target has no labels."""
    normalisation: Normalisation = "mean"

    def networks(self) -> Mapping[str, Network]:
        """The segmenter, then its critics."""
        return {"segmenter": self.segmenter} | dict.fromkeys(self._critics, self.critic)

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """The source's labels; then the target's labels and pull; then what the critics learn from both answers."""
        mine = _answers(nets, batch["source"])
        labelled = [cross_entropy(logits, batch["source"].label, over=at) for logits in mine]
        yield Loss("source", _weighted(self.seg_weights, labelled))
        if not self.target_weights:
            return
        if self.pull == "nothing":
            with torch.no_grad():
                _answers(nets, batch["target"])
            return
        theirs = _answers(nets, batch["target"])
        judged = [nets.once(name, _information(logits)) for name, logits in zip(self._critics, theirs, strict=False)]
        pull = _weighted(self.target_weights, list(self._pulls(theirs, [fooled for fooled, _ in judged])))
        known = self._known(theirs, batch["target"], at) if self.label_weight else torch.zeros_like(pull)
        at.log(target_pull=pull.detach(), target_labels=known.detach())
        yield Loss("target", known + pull)
        for name, source, (_, target) in zip(self._critics, mine, judged, strict=False):
            # Half of each domain's loss; the answers are those from before the segmenter's step.
            yield Loss(f"{name}/target", domain_loss(target, "target") / 2)
            yield Loss(f"{name}/source", domain_loss(nets[name](_information(source.detach())), "source") / 2)

    @property
    def _critics(self) -> Sequence[str]:
        return CRITICS[: len(self.target_weights)] if self.pull == "critics" else ()

    def _known(self, theirs: Sequence[Tensor], target: Batch, at: Moment) -> Tensor:
        each = [cross_entropy(x, target.label, normalisation=self.normalisation, over=at) for x in theirs]
        return self.label_weight * _weighted(self.seg_weights, each)

    def _pulls(self, theirs: Sequence[Tensor], fooled: Sequence[Tensor]) -> Iterator[Tensor]:
        if self.pull == "entropy":
            yield from (normalised_entropy(logits.float().softmax(1)).mean() for logits in theirs)
        yield from (domain_loss(verdict, "source") for verdict in fooled)


def _answers(nets: Nets, batch: Batch) -> Sequence[Tensor]:
    out = nets["segmenter"](batch.image)
    return out.logits if out.aux is None else (*out.logits, out.aux)


def _information(logits_NKHW: Tensor) -> Tensor:
    return self_information(logits_NKHW.float().softmax(1))


def _weighted(weights: Sequence[float], losses: Sequence[Tensor]) -> Tensor:
    return torch.stack([weight * loss for weight, loss in zip(weights, losses, strict=False)]).sum()
