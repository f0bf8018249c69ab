"""The adversarial baseline of Hung et al. (BMVC 2018): a discriminator judges each pixel, and learns from labels alone.

Letters: N image, K class, H W.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab import Adam, Batch, Lab, Loss, Model, Moment, Nets, Network, Objective, Recipe
from segfrontier.maths import cross_entropy, real_or_fake, self_training_loss, trusted
from segfrontier.models.discriminator import PatchDiscriminatorSpec
from segfrontier_methods.high_low.data import bought
from segfrontier_methods.high_low.knobs import endless
from segfrontier_methods.high_low.networks import map_streams


@dataclass(frozen=True, kw_only=True)
class PixelGame(Objective):
    """Its code's step: labels and the pull on labelled images, pull and trusted pixels on unlabelled ones, the critic.

    Streams as for `S4Gan`.
    """

    segmenter: Network
    critic: Network
    num_classes: int
    labelled_pull: float
    unlabelled_pull: float
    self_training: float
    self_training_after: float
    trust: float

    def networks(self) -> Mapping[str, Network]:
        """The segmenter, then its critic."""
        return {"segmenter": self.segmenter, "critic": self.critic}

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Labelled images, unlabelled images, then the critic with the labelled answers and with true maps."""
        labelled, truth = batch["labelled"], batch["truth"]
        mine, known = nets["segmenter"](labelled.image).mean_logits.float(), labelled.label != 255
        fooled, fake = (_each_pixel(verdict, mine) for verdict in nets.once("critic", mine.softmax(1)))
        pull = real_or_fake(fooled, real=True, counts=known, over=at)
        yield Loss("labelled", cross_entropy(mine, labelled.label, over=at) + self.labelled_pull * pull)
        theirs = nets["segmenter"](batch["unlabelled"].image).mean_logits.float()
        judged = _each_pixel(nets.frozen("critic")(theirs.softmax(1)), theirs)
        sure = trusted(judged.detach().sigmoid(), least=self.trust) & (at.progress >= self.self_training_after)
        own = self.self_training * self_training_loss(theirs, sure, over=at)
        yield Loss("unlabelled", self.unlabelled_pull * real_or_fake(judged, real=True) + own)
        yield Loss("critic/fake", real_or_fake(fake, real=False, counts=known, over=at) / 2)
        shown = truth.label != 255
        maps_NHWK = F.one_hot(truth.label.where(shown, 0), self.num_classes) * shown[..., None]
        maps_NKHW = maps_NHWK.permute(0, 3, 1, 2).float()
        real = _each_pixel(nets["critic"](maps_NKHW), maps_NKHW)
        yield Loss("critic/real", real_or_fake(real, real=True, counts=shown, over=at) / 2)
        at.log(selected=sure.float().mean(), score_fake=judged.detach().sigmoid().mean())


def _each_pixel(logits: Tensor, of: Tensor) -> Tensor:
    """A critic's logits at every pixel (N, H, W) of what it was shown."""
    return F.interpolate(logits, size=of.shape[-2:], mode="bilinear", align_corners=False)[:, 0]


@dataclass(frozen=True, kw_only=True)
class AdversarialSemi:
    """Spend the budget on fine masks; the discriminator's trust in pixels makes the other images count."""

    demo: ClassVar[None] = None  # a rival of high_low, which the demo shows

    labelled: float | None = None  # as in high_low, whose series of labelled images this shares
    draw: int | None = None
    labelled_pull: float = 0.01
    unlabelled_pull: float = 0.001
    self_training: float = 0.1
    self_training_after: float = 0.25  # share of the run: step 5,000 of 20,000
    trust: float = 0.2
    critic_lr: float = 1e-4
    critic_betas: tuple[float, float] = (0.9, 0.99)
    critic_width: int = 64

    def __post_init__(self) -> None:
        shares = {"self_training_after": self.self_training_after, "trust": self.trust}
        weights = ("labelled_pull", "unlabelled_pull", "self_training", "critic_lr")
        wrong: dict[str, object] = {name: share for name, share in shares.items() if not 0 <= share <= 1}
        wrong |= {name: getattr(self, name) for name in weights if not getattr(self, name) >= 0} | endless(self)
        if self.labelled is not None and not 0 < self.labelled <= 1:
            wrong["labelled"] = self.labelled
        if not all(0 <= beta < 1 for beta in self.critic_betas):
            wrong["critic_betas"] = self.critic_betas
        if self.critic_width < 1:
            wrong["critic_width"] = self.critic_width
        if wrong:
            raise BadInput(
                "adversarial_semi needs shares in [0, 1], a labelled one above 0, finite weights of 0 or more, "
                f"critic_betas in [0, 1) and a critic_width of 1 or more; found {wrong}. Correct them."
            )

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train; the segmenter has the recipe's own optimiser."""
        data, classes = bought(lab, labelled=self.labelled, split=0.0, draw=self.draw), len(lab.classes)
        segmenter = recipe.network(classes, align_corners=True)
        critic = Network(
            blueprint=PatchDiscriminatorSpec(channels=classes, width=self.critic_width),
            optimiser=Adam(lr=self.critic_lr, betas=self.critic_betas), schedule=segmenter.schedule,
        )  # fmt: skip
        objective = PixelGame(
            segmenter=segmenter, critic=critic, num_classes=classes, labelled_pull=self.labelled_pull,
            unlabelled_pull=self.unlabelled_pull, self_training=self.self_training,
            self_training_after=self.self_training_after, trust=self.trust,
        )  # fmt: skip
        return lab.train(objective, map_streams(recipe, data), recipe.plan())
