"""The processes that train together: one alone, or many over torch.distributed. The only file that knows of ranks."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Worker:
    """This process's place among the workers of one training run."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0

    def wrap(self, module: nn.Module, *, skips_parameters: bool) -> nn.Module:
        """The network as a step calls it: as it is for one process, gradient-averaging for many."""
        if self.world == 1 or not any(p.requires_grad for p in module.parameters()):
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(
            module, device_ids=ids, find_unused_parameters=skips_parameters, gradient_as_bucket_view=True
        )

    def hold_gradients(self, modules: Iterable[nn.Module]) -> ExitStack:
        """A context in which gradients are summed here and not yet averaged over the workers."""
        stack = ExitStack()
        for module in modules:
            if isinstance(module, nn.parallel.DistributedDataParallel):
                stack.enter_context(module.no_sync())
        return stack

    def align(self, tensors: Iterable[Tensor]) -> None:
        """Give every worker the leader's values."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def total(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the workers; every worker must ask, in the same order."""
        if self.world == 1:
            return tensor
        added = tensor.detach().clone()
        dist.all_reduce(added)
        return added

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean of a tensor over the workers; every worker must ask, in the same order."""
        return tensor if self.world == 1 else self.total(tensor) / self.world

    def everyones(self, value: T) -> list[T]:
        """Every worker's plain value, in their order; every worker must ask."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def from_leader(self, flag: bool) -> bool:
        """The leader's answer, the same on every worker."""
        if self.world == 1:
            return flag
        answer = torch.tensor([int(flag)], device=self.device)
        dist.broadcast(answer, 0)
        return bool(answer.item())

    def wait(self) -> None:
        """Return when every worker has come here."""
        if self.world > 1:
            dist.barrier()
