"""What the nodes of a cluster can still give, and which of them are about to be taken away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import ray
from ray._private import state  # no public call tells of one node what is free there, nor that it leaves


@dataclass(frozen=True, kw_only=True)
class Process:
    """What one process of a stage reserves, and the labels of the nodes that it may run on."""

    cpus: float
    gpus: float = 0.0
    memory: float = 0.0  # GiB
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def resources(self) -> dict[str, float]:
        """As Ray counts them."""
        gpus = {"GPU": self.gpus} if self.gpus else {}
        return {"CPU": self.cpus, **gpus, **({"memory": self.memory * 2**30} if self.memory else {})}


def free_for(process: Process) -> int:
    """How many such processes could start now, side by side, on nodes that stay."""
    free, going = state.available_resources_per_node(), leaving()
    return sum(
        times(process.resources, free.get(node["NodeID"], {}))
        for node in ray.nodes()
        if node["Alive"] and node["NodeID"] not in going and carries(node, process.labels)
    )


def free_gpus() -> dict[str, int]:
    """By node, its GPUs of which nobody has a part."""
    return {node: int(free.get("GPU", 0)) for node, free in state.available_resources_per_node().items()}


def leaving() -> frozenset[str]:
    """Nodes of which the provider has said that it takes them back."""
    return frozenset(state.state.get_draining_nodes() or ())


def carries(node: Mapping[str, Mapping[str, str]], labels: Mapping[str, str]) -> bool:
    """Whether a node, as `ray.nodes` tells of it, has these labels."""
    own = node.get("Labels") or {}
    return all(own.get(key) == value for key, value in labels.items())


def times(need: Mapping[str, float], there: Mapping[str, float]) -> int:
    """How often what one process needs can be had on a node.

    A part of a GPU is one of a single GPU: of two, 0.4 can be had four times.
    """
    return max(0, min(_shares(kind, there.get(kind, 0.0), asked) for kind, asked in need.items() if asked > 0))


def _shares(kind: str, there: float, asked: float) -> int:
    if kind == "GPU" and asked < 1:
        return math.floor(there) * math.floor(1 / asked + 1e-9)
    return math.floor(there / asked + 1e-9)
