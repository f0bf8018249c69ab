"""Batch-norm statistics of a trained model, estimated anew on other images: adaptation without any training.

What is left of an adaptation when nothing is learned. A method that looks at target images changes the statistics that
its model predicts with, so this is the control that could explain its gain away. As `torch.optim.swa_utils.update_bn`
does it: plain means of what the batches show, every image seen once; weights stay, and so does all else of the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.lab.handles import Model
from segfrontier.lab.objective import Batch, Blueprint, Loss, Moment, Nets, Network, Objective
from segfrontier.lab.optimisers import Sgd
from segfrontier.lab.streams import Stream
from segfrontier.lab.training.loop import Job, Plan
from segfrontier.models.norms import batch_norms


@dataclass(frozen=True, kw_only=True)
class Renorm(Objective):
    """A step shows a batch to the network and yields no loss.

    Norms that no batch reaches keep what they have, and so do frozen ones. Of several workers, each normalises by its
    own share, as in training, and all of them keep the mean.
    """

    name: str
    blueprint: Blueprint

    def networks(self) -> Mapping[str, Network]:
        """The one network; nothing trains it."""
        return {self.name: Network(blueprint=self.blueprint, optimiser=Sgd(lr=0.0))}

    @torch.no_grad()
    def _see(self, nets: Nets, batch: Batch, at: Moment) -> None:
        network = nets.bare(self.name)
        norms = [norm for norm in batch_norms(network) if norm.training and norm.track_running_stats]
        if not norms:
            raise BadInput(
                f"statistics can be estimated anew where a network has batch norms that are not frozen; found none in "
                f"{self.name!r}. Use norm: batch, or leave the estimation out."
            )
        network.eval()  # no dropout: statistics of the network that predicts
        counted: list[Tensor] = []
        for norm in norms:
            norm.train()
            norm.momentum = None  # the mean of all batches since the counter was 0, the first of which forgets the past
            assert norm.num_batches_tracked is not None
            if at.step == 0:
                norm.num_batches_tracked.zero_()
            counted += [s for s in (norm.running_mean, norm.running_var) if s is not None]
        network(batch.image)
        means = at.total(torch.cat(counted)) / at.shares
        for statistic, mean in zip(counted, means.split([len(s) for s in counted]), strict=True):
            statistic.copy_(mean)

    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Nothing to learn."""
        self._see(nets, batch["images"], at)
        yield from ()


def renorm_job(model: Model, stream: Stream, *, seed: int) -> Job:
    """One pass over a stream's scenes; where batches do not divide them, a few are seen twice."""
    name = model.network.partition("/")[0]
    return Job(
        objective=Renorm(name=name, blueprint=model.blueprints[name]), streams={"images": stream},
        plan=Plan(steps=-(-stream.scenes // stream.batch), seed=seed), start={model.network: str(model.file())},
    )  # fmt: skip
