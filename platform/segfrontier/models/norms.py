"""Batch norm as the papers use it: plain, frozen, half frozen or synchronised, and safe on a batch of one."""

from __future__ import annotations

import torch
from timm.layers import BatchNormAct2d as TimmBatchNormAct2d
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from segfrontier.errors import BadInput


class BatchNorm2d(nn.BatchNorm2d):
    """Batch norm that also takes one value per channel in training.

    One value has no variance: it is normalised by the running statistics, which it does not change. It comes up in a
    batch of one, wherever features are pooled to a point (squeeze blocks of ResNeSt, SKNet, ReXNet) or tiny.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        if not _single(self, x):
            return super().forward(x)
        return nn.functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class BatchNormAct2d(TimmBatchNormAct2d):
    """The same for timm's batch norm with an activation in it."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise and activate (N, C, H, W)."""
        if not _single(self, x):
            result: Tensor = super().forward(x)
            return result
        x = nn.functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        activated: Tensor = self.act(self.drop(x))
        return activated


def allow_single_values(module: nn.Module) -> None:
    """Make every batch norm of a network take batches of one. Names, weights and all other results stay."""
    safe = {nn.BatchNorm2d: BatchNorm2d, TimmBatchNormAct2d: BatchNormAct2d}
    for norm in module.modules():
        if type(norm) in safe:
            norm.__class__ = safe[type(norm)]


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """All batch norms of a network."""
    return [m for m in module.modules() if isinstance(m, _BatchNorm)]


def freeze_affine(module: nn.Module) -> None:
    """Scales and shifts of all batch norms stay as they are."""
    for norm in batch_norms(module):
        for parameter in norm.parameters(recurse=False):
            parameter.requires_grad_(False)


def require_sync(*, workers: int, gpu: bool) -> None:
    """BadInput unless statistics can be shared between so many workers."""
    if workers > 1 and not gpu:
        raise BadInput(
            f"norm 'sync' needs a GPU for every worker; found {workers} workers on the CPU. Use norm 'batch' (each "
            f"worker has its own statistics), or one worker"
        )


def synchronise(module: nn.Module) -> None:
    """Share the statistics of all batch norms inside a network over the workers; alone, a worker has nothing to share.

    To be called in a worker, when its process group is up.
    """
    if not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return
    workers = torch.distributed.get_world_size()
    require_sync(workers=workers, gpu=torch.cuda.is_available())
    if workers > 1:
        convert_sync_batchnorm(module)  # torch's own would drop the activations inside timm's norms


def _single(norm: _BatchNorm, x: Tensor) -> bool:
    return norm.training and norm.track_running_stats and x.numel() == x.shape[1]
