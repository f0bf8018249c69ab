"""How training workers find one another: a torch process group whose store listens where Ray does.

Ray Train's own set-up is left out, because the store that it opens listens on every interface, without a password.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import ray
import torch.distributed as dist
from ray.train.backend import Backend
from ray.train.collective import broadcast_from_rank_zero
from ray.train.torch import TorchConfig

from segfrontier.lab.worker import Worker


class _NoGroup(Backend):
    share_cuda_visible_devices = True  # as Ray's own for torch: NCCL talks between the GPUs of a node


@dataclass
class OwnGroup(TorchConfig):
    """Ray Train for torch, with the process group left to `joined`."""

    @property
    def backend_cls(self) -> type[Backend]:
        """What Ray runs before and after the workers' function."""
        return _NoGroup


@contextmanager
def joined(worker: Worker) -> Iterator[None]:
    """A process group of all workers; none for one alone. After an error it is left to end with its process."""
    if worker.world == 1:
        yield
        return
    host = ray.util.get_node_ip_address()
    listener = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    host, port = broadcast_from_rank_zero((host, listener.getsockname()[1]))
    if not worker.leads:
        listener.close()
    store = dist.TCPStore(
        host, port, worker.world, is_master=worker.leads, master_listen_fd=listener.detach() if worker.leads else None
    )
    backend = "nccl" if worker.device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=worker.rank, world_size=worker.world)
    yield
    dist.destroy_process_group()
