"""What a method tells the training loop: which networks learn, and what one step computes.

An objective is a frozen dataclass of hyper-parameters. Its `step` is a generator: each loss that it yields is
back-propagated at once by the engine, which also owns wrapping for many processes, mixed precision, accumulation,
clipping, schedules, teachers and checkpoints. All optimisers step together when the generator is exhausted. A GAN:

    def step(self, nets, batch, at):
        out = nets["segmenter"](batch["target"].image).logits
        yield Loss("fool", bce(nets.frozen("critic")(out), 1))        # reaches the segmenter alone
        yield Loss("critic", bce(nets["critic"](out.detach()), 0))    # reaches the critic alone

`nets.once("critic", out)` gives both answers for one pass. Yield what a network's pass gives before its next pass: with
many processes a loss ends the exchange of gradients that the pass began, and workers that differ are refused.

A step sees one share of its batch: this worker's, and of that one accumulated part. The engine averages what the shares
yield. So a mean over samples or over all pixels is right as it is, for shares are equally large; a mean over what
differs from share to share, such as labelled pixels, is not. `at.mean(summed, mass)` is that of the whole batch, and
the losses of `segfrontier.maths` take it `over=at`: one worker, four, and accumulation then give the same gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from segfrontier.lab.optimisers import Optimiser, Schedule
from segfrontier.lab.shares import Shares
from segfrontier.lab.streams import stable_seed
from segfrontier.lab.worker import Worker
from segfrontier.maths.whole_batch import mean_over
from segfrontier.scenes.known import SceneLabels
from segfrontier.store.keys import LATER


class Blueprint(Protocol):
    """Anything that builds a network from plain settings, e.g. a `ModelSpec`; it is stored beside the weights."""

    def build(self, *, seed: int) -> nn.Module:
        """The network with its initial weights; must leave the global random state alone."""
        ...

    def origin(self) -> str:
        """Where the initial weights come from, e.g. `random`; part of the key of all that is trained from them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ema:
    """A teacher: the running mean of a network's parameters, alpha = min(1 - 1 / (updates + 1), decay).

    `buffers` says what becomes of batch-norm statistics: copied from the student (the usual reading), averaged like
    parameters, or kept as they were at the start.
    """

    decay: float = 0.999
    buffers: str = "copy"
    mode: str = "eval"  # how the teacher runs: "train" lets it normalise by its own batches

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError(f"an EMA decay lies in [0, 1); got {self.decay}")
        if self.buffers not in ("copy", "average", "keep"):
            raise ValueError(f"EMA buffers are one of copy, average, keep; got {self.buffers!r}")
        if self.mode not in ("eval", "train"):
            raise ValueError(f"an EMA teacher runs in mode eval or train; got {self.mode!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One network of an objective: how it is built and how it learns."""

    blueprint: Blueprint
    optimiser: Optimiser
    schedule: Schedule = field(default_factory=Schedule)
    head_lr: float = 1.0  # multiplies the learning rate of all but the encoder
    encoder_lr: float = 1.0  # multiplies that of the encoder
    decay_norm_and_bias: bool = True
    clip: float | None = None  # largest gradient norm
    ema: Ema | None = None
    encoder_repeats: bool = field(default=False, metadata=LATER)
    """SGD updates the encoder as the list of AdvEnt's and s4GAN's code has it: most of it three times a step."""


class Batch(NamedTuple):
    """One stream's share of a step. Images are RGB in [0, 1]; each network normalises them as its encoder wants."""

    image: Tensor  # N 3 H W float32
    label: Tensor  # N H W int64, 255 is void; all void where the stream has no labels
    instance: Tensor | None  # N H W int64, 0 is none
    scene: Sequence[str]
    views: Mapping[str, Tensor] = {}  # other views of the same samples, as `Stream.views` names them
    labels: Mapping[str, Sequence[SceneLabels]] = {}
    """By set, what is known of each sample at coordinates (points, boxes, detections) or as a whole (tags)."""


class Loss(NamedTuple):
    """A scalar to back-propagate, and the name it is logged under."""

    name: str
    value: Tensor


@dataclass(slots=True)
class Moment:
    """Where in the run a step stands; `log` takes scalars to record beside the losses."""

    step: int
    steps: int
    epoch: int
    steps_an_epoch: int
    seed: int = 0
    cut: Shares = field(default_factory=lambda: Shares(Worker(device=torch.device("cpu"))))
    logged: dict[str, Tensor | float] = field(default_factory=dict)
    _rng: np.random.Generator | None = None

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1)."""
        return self.step / self.steps

    def log(self, **values: Tensor | float) -> None:
        """Record scalars of this step's share; what is written is their mean over the shares that logged them."""
        self.logged.update(values)

    @property
    def rng(self) -> np.random.Generator:
        """Draws that are the same on every worker and in every accumulated part: (seed, step) alone decides them.

        `Objective.streams` and `Objective.step` each have it from its beginning: a domain that `streams` draws first is
        what `step` draws first. Torch's own generator differs from share to share.
        """
        if self._rng is None:
            self._rng = np.random.default_rng(stable_seed(self.seed, self.step, "alike"))
        return self._rng

    @property
    def shares(self) -> int:
        """How many shares the step's batch is cut into: workers times accumulated parts."""
        return self.cut.count

    def total(self, amount: Tensor) -> Tensor:
        """The sum over all shares of the step's batch, without a gradient.

        Every share must ask, in the same order, whatever its labels are. With accumulated parts, an amount must not
        depend on an earlier total.
        """
        return self.cut.total(amount)

    def mean(self, summed: Tensor, mass: Tensor) -> Tensor:
        """This share's part of a mean over the whole batch: its sum, divided by the mass of all; 0 over no mass."""
        return mean_over(self, summed, mass)

    def next_part(self) -> Moment:
        """The same moment, for the next accumulated part: shared draws and questions for totals begin anew."""
        self._rng = None
        self.cut.next_part()
        return self


class _BackTo(torch.autograd.Function):
    """An answer whose gradient goes through the pass that gave it to what was shown, and to no parameter."""

    @staticmethod
    def forward(ctx: Any, shown: Tensor, of: tuple[Tensor, Tensor]) -> Tensor:  # noqa: ARG004
        ctx.of = of  # in a tuple: as inputs of their own, what they come from would be walked back twice
        return of[1].detach().clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        seen, answer = ctx.of
        (back,) = torch.autograd.grad(answer, seen, gradient, retain_graph=True)
        return back, None


class Nets:
    """The networks of an objective by name, as a step sees them."""

    def __init__(
        self, called: Mapping[str, nn.Module], bare: Mapping[str, nn.Module], teachers: Mapping[str, nn.Module],
        *, compiled: bool = False,
    ) -> None:  # fmt: skip
        self._called, self._bare, self._teachers, self._compiled = called, bare, teachers, compiled

    def __getitem__(self, name: str) -> nn.Module:
        """The network; a loss through it trains it."""
        return self._called[name]

    def bare(self, name: str) -> nn.Module:
        """The plain network, to read its weights.

        No loss may go through it: with many workers its gradients would not be averaged.
        """
        return self._bare[name]

    def frozen(self, name: str) -> Callable[..., Any]:
        """The network with its parameters held fixed: gradients pass through it and do not reach it.

        Runs outside the wrapper for many processes, so a pass through here never counts as one of the network's own.
        """
        module = self._bare[name]
        fixed = {k: v.detach() for k, v in module.named_parameters()}

        def call(*args: Any, **kwargs: Any) -> Any:
            return torch.func.functional_call(module, fixed, args, kwargs)

        return call

    def once(self, name: str, shown: Tensor) -> tuple[Tensor, Tensor]:
        """One pass that two losses read: the first answer's reaches what made `shown`, the second's the network.

        Number for number `frozen(name)(shown)` and `self[name](shown.detach())`, without a second pass. Yield the
        second's loss before the network's next pass: with many processes a pass starts the exchange of its gradients.
        """
        if self._compiled:  # a compiled pass can be walked back once
            return self.frozen(name)(shown), self[name](shown.detach())
        seen = shown.detach().requires_grad_()
        answer: Tensor = self._called[name](seen)
        return cast(Tensor, _BackTo.apply(shown, (seen, answer))), answer

    def teacher(self, name: str) -> nn.Module:
        """The EMA teacher of a network; no gradient reaches it."""
        if name not in self._teachers:
            raise ValueError(f"network {name!r} has no teacher; give it one with Network(ema=Ema(...))")
        return self._teachers[name]


class Objective(ABC):
    """What one training step computes. Subclasses are frozen dataclasses whose fields are all its settings."""

    skips_parameters: ClassVar[bool] = False
    """True where a step may leave parameters of a network unused; many processes then look for them at each step."""

    gives_maps: ClassVar[bool] = True
    """False where the network that predicts answers with tags or boxes alone: no score of maps can stop it early."""

    @abstractmethod
    def networks(self) -> Mapping[str, Network]:
        """The networks that learn; the first one is the one that predicts."""

    @abstractmethod
    def step(self, nets: Nets, batch: Mapping[str, Batch], at: Moment) -> Iterator[Loss]:
        """Yield the losses of one step."""

    def streams(self, at: Moment, names: Sequence[str]) -> Sequence[str]:  # noqa: ARG002
        """Which streams this step needs; every process must answer alike. Default: all."""
        return names
