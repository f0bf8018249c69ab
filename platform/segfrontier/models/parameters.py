"""Groups of parameters for optimisers: encoder and head learn at their own rates, and each parameter stands once."""

from __future__ import annotations

from typing import Any

from torch import nn


def parameter_groups(
    network: nn.Module,
    *,
    lr: float,
    weight_decay: float,
    encoder_factor: float = 1.0,
    head_factor: float = 10.0,
    decay_norm_and_bias: bool = True,
) -> list[dict[str, Any]]:
    """Groups named `encoder` and `head`, at `lr` times their factor; empty ones and constants are left out.

    The published code of AdvEnt and s4GAN lists every encoder convolution three or four times, and SGD then updates it
    as often; `encoder_factor=3` comes near to that with each parameter listed once. With `decay_norm_and_bias` off,
    vectors and what timm names (position embeddings, class tokens) form groups `encoder/no_decay` and `head/no_decay`.
    """
    exempt = set() if decay_norm_and_bias else _without_decay(network)
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        part, factor = ("encoder", encoder_factor) if name.startswith("encoder.") else ("head", head_factor)
        free = name in exempt
        key = f"{part}/no_decay" if free else part
        decay = 0.0 if free else weight_decay
        group = groups.setdefault(key, {"name": key, "params": [], "lr": lr * factor, "weight_decay": decay})
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def _without_decay(network: nn.Module) -> set[str]:
    names = {name for name, parameter in network.named_parameters() if parameter.ndim <= 1}
    for prefix, module in network.named_modules():
        listed = getattr(module, "no_weight_decay", None)
        if callable(listed):
            names |= {f"{prefix}.{name}" for name in listed()}
    return names
