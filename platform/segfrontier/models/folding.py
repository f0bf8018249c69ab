"""Batch norms folded into the convolutions before them: in a trained network, a norm is a scale and a shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_CONVOLUTION = torch.ops.aten.convolution.default
_BATCH_NORMS = (torch.ops.aten.native_batch_norm.default, torch.ops.aten._native_batch_norm_legit_no_training.default)


def fold_norms(network: nn.Module, images: Tensor) -> int:
    """Fold every batch norm that alone reads what a convolution makes; how many these were.

    The network's answers stay the same up to rounding. Who reads what is seen in a run without numbers, so neither the
    order nor the kinds of modules matter; of `images` only the size counts. Norms in training mode are left alone.
    """
    modules = dict(network.named_modules())
    folded = 0
    for conv_name, norm_name in _pairs(network, images):
        conv, norm = modules.get(conv_name), modules.get(norm_name)
        if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d) or norm.training:
            continue
        assert norm.running_mean is not None and norm.running_var is not None  # the run has read them
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
        )
        parent, _, name = norm_name.rpartition(".")
        rest = nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity()
        setattr(modules[parent], name, rest)
        folded += 1
    return folded


def _pairs(network: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """The names of the modules that make something with weights of their own, and of those that alone norm it."""
    held = dict(network.named_parameters()) | dict(network.named_buffers())
    hollow = {name: torch.empty_like(tensor, device="meta") for name, tensor in held.items()}
    watch = _Watch({id(tensor): name for name, tensor in hollow.items()})
    with torch.inference_mode(False), torch.no_grad(), watch:
        functional_call(network, hollow, (torch.empty_like(images, device="meta"),))
    return watch.pairs()


class _Watch(TorchDispatchMode):
    """Notes which operation reads what."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__()
        self._names = names  # of weights and statistics
        self._read: Counter[int] = Counter()
        self._made: dict[int, Tensor] = {}  # a convolution's answer: its weight
        self._normed: list[tuple[int, Tensor]] = []  # what a norm reads, and its running mean
        self._alive: list[object] = []  # an id is only one tensor's as long as that lives

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and note what it was given."""
        answer = operation(*args, **(kwargs or {}))
        self._alive.append((args, kwargs, answer))
        self._read.update(id(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor))
        if operation is _CONVOLUTION:
            self._made[id(answer)] = args[1]
        elif operation in _BATCH_NORMS and id(args[0]) in self._made:
            self._normed.append((id(args[0]), args[3]))
        return answer

    def pairs(self) -> list[tuple[str, str]]:
        """See `_pairs`."""
        alone = [(self._made[made], mean) for made, mean in self._normed if self._read[made] == 1]
        return [
            (_owner(self._names[id(weight)]), _owner(self._names[id(mean)]))
            for weight, mean in alone
            if self._once(weight) and self._once(mean)
        ]

    def _once(self, tensor: Tensor) -> bool:
        """Whether it belongs to the network and is read once: not computed on the way, not shared."""
        return id(tensor) in self._names and self._read[id(tensor)] == 1


def _owner(parameter: str) -> str:
    return parameter.rpartition(".")[0]
