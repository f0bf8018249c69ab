"""Two processes that train together without Ray: gloo over the loopback device, met through a file."""

import multiprocessing
import os

import torch
import torch.distributed as dist

from segfrontier.lab.worker import Worker


def in_two_processes(work, folder, *more):
    """Run `work(worker, *more)` on two workers side by side; returns their exit codes."""
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_join, args=(rank, str(folder / "meet"), work, more)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        if process.is_alive():
            process.kill()
    return [process.exitcode for process in processes]


def _join(rank, file, work, more):
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", store=dist.FileStore(file, 2), rank=rank, world_size=2)
    work(Worker(device=torch.device("cpu"), rank=rank, world=2), *more)
    dist.barrier()
    dist.destroy_process_group()
