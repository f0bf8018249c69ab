"""One step of the low branch: a segmenter that makes maps which a discriminator takes for real ones.

Letters: N image, K class, H W.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from segfrontier.lab import Batch, Loss, Moment, Nets, Network, Objective
from segfrontier.maths import (
    MatchingNorm,
    cross_entropy,
    feature_matching,
    real_or_fake,
    self_training_loss,
    trusted,
)
from segfrontier.models.discriminator import ImageVerdict

Pull = Literal["matching", "standard"]
"""What draws the segmenter's maps to the real ones: equation 2, or Goodfellow's loss of a generator (Table 6)."""
TruthMap = Literal["one_hot", "smooth"]
CriticImage = Literal["image", "batch", "plain"]
_SMOOTH = 0.9


@dataclass(frozen=True, kw_only=True)
class S4Gan(Objective):
    """Equations 1 to 5; see `Knobs` for the fields.

    Streams: `labelled`; `truth`, the same images in an order of their own, whose masks are the discriminator's real
    ones; `unlabelled`. Three critic passes a step: the one of the segmenter's maps gives both the features to match and
    the scores to select by, the one of the real maps both the features to be matched and the critic's own loss. The
    critic learns from a pass of its own: as in the code, dropout is drawn anew for it.
    """

    segmenter: Network
    critic: Network
    num_classes: int
    pull: Pull = "matching"
    pull_weight: float = 0.1
    matching_norm: MatchingNorm = "l1"
    self_training: float = 1.0
    self_training_from: int = 0
    gamma: float = 0.6
    gamma_strict: bool = False
    score_dropout: bool = True
    truth_map: TruthMap = "one_hot"
    critic_image: CriticImage = "image"

    def networks(self) -> Mapping[str, Network]:
        """The segmenter, then its critic."""
        return {"segmenter": self.segmenter, "critic": self.critic}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """The labels; the critic's view of true maps; the segmenter's pull and own labels; the critic's of its maps."""
        labelled = batch["labelled"]
        yield Loss("labelled", cross_entropy(_logits(nets, labelled), labelled.label, over=at))
        real: ImageVerdict = nets["critic"](self._true(batch["truth"]))
        yield Loss("critic/real", real_or_fake(real.logits, real=True) / 2)
        logits = _logits(nets, batch["unlabelled"])
        shown = torch.cat([logits.softmax(1), self._scaled(batch["unlabelled"].image)], dim=1)
        made: ImageVerdict = nets.frozen("critic")(shown)
        scores = made.score.detach() if self.score_dropout else _sober(nets, shown)
        chosen = trusted(scores, least=self.gamma, strict=self.gamma_strict) & (at.step >= self.self_training_from)
        pull = self._pull(real, made, at)
        own = self_training_loss(logits, chosen, over=at)
        yield Loss("unlabelled", self.pull_weight * pull + self.self_training * own)
        fake: ImageVerdict = nets["critic"](shown.detach())  # as the maps were before the segmenter's step
        yield Loss("critic/fake", real_or_fake(fake.logits, real=False) / 2)
        at.log(
            pull=pull.detach(), self_training=own.detach(), score_real=real.score.detach().mean(),
            score_fake=scores.mean(), selected=chosen.float().mean(),
        )  # fmt: skip

    def _pull(self, real: ImageVerdict, made: ImageVerdict, at: Moment) -> Tensor:
        if self.pull == "standard":
            return real_or_fake(made.logits, real=True)
        return feature_matching(real.features.detach(), made.features, norm=self.matching_norm, over=at)

    def _true(self, truth: Batch) -> Tensor:
        """Real masks as maps of K channels, beside their images; nothing is set where nothing is known."""
        known = truth.label != 255
        maps_NHWK = F.one_hot(torch.where(known, truth.label, 0), self.num_classes).float()
        if self.truth_map == "smooth":
            maps_NHWK = maps_NHWK * _SMOOTH + (1 - _SMOOTH) / self.num_classes
        maps_NKHW = (maps_NHWK * known[..., None]).permute(0, 3, 1, 2)
        return torch.cat([maps_NKHW, self._scaled(truth.image)], dim=1)

    def _scaled(self, images: Tensor) -> Tensor:
        """Images by their own range, or by that of the worker's share of their batch."""
        if self.critic_image == "plain":
            return images
        over = (1, 2, 3) if self.critic_image == "image" else (0, 1, 2, 3)
        low, high = images.amin(over, keepdim=True), images.amax(over, keepdim=True)
        return (images - low) / (high - low).clamp_min(1 / 255)


def _logits(nets: Nets, batch: Batch) -> Tensor:
    logits: Tensor = nets["segmenter"](batch.image).mean_logits
    return logits.float()


@torch.no_grad()
def _sober(nets: Nets, shown: Tensor) -> Tensor:
    """Scores without dropout."""
    critic = nets.bare("critic").eval()
    verdict: ImageVerdict = critic(shown)
    critic.train()
    return verdict.score
