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
    encoder_repeats: bool = False,
) -> list[dict[str, Any]]:
    """Groups named `encoder` and `head`, at `lr` times their factor; empty ones and constants are left out.

    The published code of AdvEnt and s4GAN lists every encoder convolution three or four times, and SGD then updates it
    as often; `encoder_factor=3` comes near to that in the long run. With `encoder_repeats`, groups `encoder x3` say by
    `times` how often that list has their parameters. With `decay_norm_and_bias` off, vectors and what timm names
    (position embeddings, class tokens) form groups `encoder/no_decay` and `head/no_decay`.
    """
    exempt = set() if decay_norm_and_bias else _without_decay(network)
    groups: dict[str, dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        part, factor = ("encoder", encoder_factor) if name.startswith("encoder.") else ("head", head_factor)
        free = name in exempt
        times = entries(name) if encoder_repeats and part == "encoder" else 1
        key = part + ("/no_decay" if free else "") + (f" x{times}" if times > 1 else "")
        settings = {"lr": lr * factor, "weight_decay": 0.0 if free else weight_decay}
        group = groups.setdefault(
            key, {"name": key, "params": [], **settings, **({"times": times} if times > 1 else {})}
        )
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups)]


def entries(name: str) -> int:
    """How often the published list has an encoder's parameter: once for each module around it, the stage the outermost.

    `get_1x_lr_params` of that code goes through the modules of conv1, layer1, ... and lists all parameters below each:
    a ResNet's first convolution once, those of its blocks three times, those of shortcuts four times.
    """
    *around, _ = name.removeprefix("encoder.").removeprefix("body.").split(".")
    return max(1, len(around))


def _without_decay(network: nn.Module) -> set[str]:
    names = {name for name, parameter in network.named_parameters() if parameter.ndim <= 1}
    for prefix, module in network.named_modules():
        listed = getattr(module, "no_weight_decay", None)
        if callable(listed):
            names |= {f"{prefix}.{name}" for name in listed()}
    return names
