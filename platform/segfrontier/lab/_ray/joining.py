"""How training workers find one another: a torch process group whose store listens where Ray does.

Ray Train's own set-up is left out, because the store that it opens listens on every interface, without a password.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
import torch.distributed as dist
from ray.train.backend import Backend, BackendConfig
from ray.train.collective import broadcast_from_rank_zero

from segfrontier.lab.worker import Worker


def own_group() -> BackendConfig:
    """Ray Train for torch, with the process group left to `joined`.

    Of classes made in here, which travel whole: Ray's controller, a process that each training starts, then imports
    neither torch nor this package, which takes several seconds.
    """

    class NoGroup(Backend):
        share_cuda_visible_devices = True  # as Ray's own for torch: NCCL talks between the GPUs of a node

    class OwnGroup(BackendConfig):
        backend = "own"  # `TorchTrainer` would name one

        @property
        def backend_cls(self) -> type[Backend]:  # what Ray runs before and after the workers' function
            return NoGroup

        @property
        def train_func_context(self) -> Any:  # as Ray's own for torch: a worker's GPU is its default
            from ray.train.torch.config import TorchConfigContextManager

            return TorchConfigContextManager

    return OwnGroup()


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
