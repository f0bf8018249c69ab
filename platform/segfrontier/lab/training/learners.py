"""The networks of an objective with their optimisers, schedules and teachers: stepping, saving, loading."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from segfrontier.errors import BadInput
from segfrontier.lab.objective import Batch, Ema, Loss, Moment, Nets, Network, Objective
from segfrontier.lab.streams import stable_seed
from segfrontier.lab.worker import Worker
from segfrontier.models.parameters import parameter_groups
from segfrontier.models.tensors import read_tensors

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Learners:
    """All that changes during training, and how."""

    def __init__(
        self, objective: Objective, worker: Worker, *, seed: int, precision: str = "fp32", compiled: bool = False,
        channels_last: bool = False, fused: bool = False,
    ) -> None:  # fmt: skip
        self.worker, self.settings = worker, dict(objective.networks())
        self.bare = {
            n: s.blueprint.build(seed=stable_seed(seed, n)).to(worker.device) for n, s in self.settings.items()
        }
        if channels_last:
            for module in self.bare.values():
                module.to(memory_format=torch.channels_last)
        self.teachers = {n: _teacher_of(self.bare[n], s.ema) for n, s in self.settings.items() if s.ema}
        self.updates = 0
        self.optimisers = {n: _optimiser(self.bare[n], s, fused=fused) for n, s in self.settings.items()}
        self._base = {n: [g["lr"] for g in o.param_groups] for n, o in self.optimisers.items()}
        self.dtype = _DTYPES.get(precision)
        self.scaler = torch.amp.GradScaler(
            worker.device.type, enabled=precision == "fp16" and worker.device.type == "cuda"
        )
        self._wrap(objective, compiled)

    def _wrap(self, objective: Objective, compiled: bool) -> None:
        self.called = {
            n: self.worker.wrap(m, skips_parameters=objective.skips_parameters) for n, m in self.bare.items()
        }
        if compiled:
            self.called = {n: cast(nn.Module, torch.compile(m)) for n, m in self.called.items()}
        self.nets = Nets(self.called, self.bare, self.teachers, compiled=compiled)
        for module in self.bare.values():
            module.train()

    def losses(
        self, objective: Objective, batch: Mapping[str, Batch], at: Moment, *, share: float, hold: bool
    ) -> Iterator[Loss]:
        """Run one step of the objective and back-propagate each loss as it comes."""
        with self.worker.hold_gradients(self.called.values()) if hold else nullcontext():
            step = objective.step(self.nets, batch, at)
            while True:
                with self._autocast():
                    loss = next(step, None)
                if loss is None:
                    return
                if loss.value.requires_grad:
                    self.scaler.scale(loss.value * share).backward()
                yield loss

    @torch.no_grad()
    def count(self, objective: Objective, batch: Mapping[str, Batch], at: Moment) -> None:
        """Run one step of the objective for the totals it asks for; nothing learns, running statistics included."""
        modules = [*self.bare.values(), *self.teachers.values()]
        kept = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
        step = objective.step(Nets(self.bare, self.bare, self.teachers), batch, at)
        while True:
            with self._autocast():
                if next(step, None) is None:
                    break
        for buffer, before in kept:
            buffer.copy_(before)

    def _autocast(self) -> Any:
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.worker.device.type, dtype=self.dtype)

    def gradient_sizes(self) -> dict[str, Tensor]:
        """Sums of absolute gradients, by network; none where fp16 scales them: it skips a step that it scaled too far.

        They are finite where all gradients are; of the norms that see this, it is a quick one that does not overflow.
        """
        if self.scaler.is_enabled():
            return {}
        found = {n: [p.grad for p in m.parameters() if p.grad is not None] for n, m in self.bare.items()}
        none = torch.zeros((), device=self.worker.device)
        return {n: torch.stack(torch._foreach_norm(g, 1)).sum().float() if g else none for n, g in found.items()}

    def update(self, *, step: int, steps: int, steps_an_epoch: int) -> dict[str, float]:
        """Let every optimiser step with the gradients at hand, then the teachers; returns the learning rates."""
        rates = {}
        for name, optimiser in self.optimisers.items():
            settings = self.settings[name]
            factor = settings.schedule.factor(step=step, steps=steps, steps_an_epoch=steps_an_epoch)
            for group, base in zip(optimiser.param_groups, self._base[name], strict=True):
                group["lr"] = base * factor
            rates[f"lr/{name}"] = settings.optimiser.lr * factor
            if settings.clip is not None:
                self.scaler.unscale_(optimiser)
                nn.utils.clip_grad_norm_(self.bare[name].parameters(), settings.clip)
            if any(p.grad is not None for p in self.bare[name].parameters()):
                self.scaler.step(optimiser)
            optimiser.zero_grad(set_to_none=True)
        if self.scaler.is_enabled():
            self.scaler.update()
        self._teach()
        return rates

    def _teach(self) -> None:
        self.updates += 1
        for name, teacher in self.teachers.items():
            ema = self.settings[name].ema
            assert ema is not None
            follow(teacher, self.bare[name], ema, updates=self.updates)
            # Each worker's batch statistics differ; the leader's are the ones that count.
            self.worker.align(b for b in teacher.buffers() if b.is_floating_point())

    def weights(self) -> dict[str, dict[str, Any]]:
        """Network name -> its tensors, teachers as `name/teacher`."""
        named = {n: m.state_dict() for n, m in self.bare.items()}
        return named | {f"{n}/teacher": t.state_dict() for n, t in self.teachers.items()}

    def state(self) -> dict[str, Any]:
        """Everything needed to go on exactly."""
        return {
            "weights": self.weights(),
            "optimisers": {n: o.state_dict() for n, o in self.optimisers.items()},
            "updates": self.updates,
            "scaler": self.scaler.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state()`."""
        for name, module in self.bare.items():
            module.load_state_dict(state["weights"][name])
        for name, teacher in self.teachers.items():
            teacher.load_state_dict(state["weights"][f"{name}/teacher"])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.updates = int(state["updates"])
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])

    def begin_with(self, files: Mapping[str, str]) -> None:
        """Initial weights from files, by network name; optimisers, schedules and teachers' counters start anew."""
        for name, file in files.items():
            network, _, _ = name.partition("/")
            if network not in self.bare:
                raise BadInput(
                    f"initial weights are named by network; found {name!r}, there are {', '.join(self.bare)}"
                )
            stored = read_tensors(Path(file), device=self.worker.device)
            if name not in stored:
                raise BadInput(f"{file} holds weights of {', '.join(stored)}; {name!r} is not among them")
            self.bare[network].load_state_dict(stored[name])
            if network in self.teachers:
                self.teachers[network].load_state_dict(stored[name])


def _optimiser(module: nn.Module, settings: Network, *, fused: bool) -> torch.optim.Optimizer:
    groups = parameter_groups(
        module, lr=settings.optimiser.lr, weight_decay=settings.optimiser.weight_decay,
        encoder_factor=settings.encoder_lr, head_factor=settings.head_lr,
        decay_norm_and_bias=settings.decay_norm_and_bias, encoder_repeats=settings.encoder_repeats,
    )  # fmt: skip
    return settings.optimiser.build(groups, fused=fused)


def _teacher_of(student: nn.Module, ema: Ema | None) -> nn.Module:
    teacher = copy.deepcopy(student).requires_grad_(False)
    return teacher.train(ema is not None and ema.mode == "train")


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, ema: Ema, *, updates: int) -> None:
    """One EMA update; `updates` counts from 1."""
    alpha = min(1 - 1 / (updates + 1), ema.decay)
    ours, theirs = list[Tensor](teacher.parameters()), list[Tensor](student.parameters())
    torch._foreach_lerp_(ours, theirs, 1 - alpha)
    if ema.buffers == "keep":
        return
    for mine, other in zip(teacher.buffers(), student.buffers(), strict=True):
        if ema.buffers == "average" and mine.is_floating_point():
            mine.lerp_(other, 1 - alpha)
        else:
            mine.copy_(other)
