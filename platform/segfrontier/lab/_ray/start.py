"""Starting Ray: a local one that listens on 127.0.0.1 alone, or the cluster that the user names, as it is."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private import ray_constants

from segfrontier.basics.addresses import ray_host
from segfrontier.errors import BadInput, StageError
from segfrontier.lab._ray.guard import Guard, gone, last_words
from segfrontier.lab.signals import kept_handlers, own_handlers

LOOPBACK = "127.0.0.1"
_CACHE = "SEGFRONTIER_CACHE"
_ours = False
_guard: Guard | None = None


def start_ray(address: str | None = None, *, num_cpus: int | None = None, dashboard: bool = False) -> None:
    """Connect this process to Ray; nothing happens where it is connected already.

    Without an address (and without RAY_ADDRESS, which `ray job submit` sets) a Ray of this process's own is started; it
    ends with the process, however that ends, or with `stop_ray`. Workers print into Ray's log folder, not here; their
    errors arrive as exceptions.
    """
    global _ours, _guard
    # Ray Train asks its workers how they are this often: its default of 2 s is added to every start and every end.
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")  # relative paths mean the same in workers
    if ray.is_initialized():
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = address or os.environ.get("RAY_ADDRESS")
    if address is not None:
        require_answer(address)
        # What a submitted job is given has reached its workers already, and must not be given twice.
        given = _CACHE in os.environ and "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ
        workers = {"env_vars": {_CACHE: os.environ[_CACHE]}} if given else None
        with own_handlers():
            ray.init(address=address, runtime_env=workers, **quiet)
        atexit.register(_leave)
        _guard = Guard()
        _guard.watch(*_servers(), _logs())
        return
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")  # nobody takes this machine back; a process less
    # Gloo would choose the interface that the machine's name resolves to.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    with Guard() as _guard, loopback(), own_handlers():
        ray.init(address="local", num_cpus=num_cpus, include_dashboard=dashboard, _node_ip_address=LOOPBACK, **quiet)
    _ours = True
    atexit.register(stop_ray)
    started = ray._private.worker._global_node.all_processes.values()
    _guard.watch(*_servers(), _logs(), [one.process.pid for several in started for one in several])
    if (found := ray.util.get_node_ip_address()) != LOOPBACK:
        stop_ray()
        raise StageError(
            f"a local Ray must listen on {LOOPBACK} alone; this version of Ray chose {found}. Start one yourself where "
            f"you trust the network, and give its address."
        )


def stop_ray() -> None:
    """Stop the Ray that `start_ray` started in this process; any other is left alone."""
    global _ours, _guard
    if _ours:
        _leave()
        _ours = False
        atexit.unregister(stop_ray)
        if _guard is not None:
            _guard.close()
            _guard = None


def _leave() -> None:
    """Disconnect from Ray, with whatever this process started of it."""
    with kept_handlers():
        ray.shutdown()


def what_died() -> StageError | None:
    """The sentence about Ray's servers on this node, where they have ended under this process."""
    what = gone(*_servers())
    return StageError(last_words(what, _logs())) if what else None


def _servers() -> tuple[str, str]:
    node = ray._private.worker._global_node
    return str(node.raylet_socket_name), str(node.gcs_address)


def _logs() -> str:
    return str(ray._private.worker._global_node.get_logs_dir_path())


def require_answer(address: str) -> None:
    """Refuse what is no address, or one at which nothing listens; Ray would go on trying for a quarter of an hour."""
    place = ray_host(address)
    if place is None:
        return
    host, port = place
    if host in ("localhost", LOOPBACK, "[::1]"):
        host = ray.util.get_node_ip_address()  # as Ray will
    try:
        socket.create_connection((host.strip("[]"), port), timeout=10).close()
    except OSError as error:
        raise BadInput(
            f"the address of Ray must be that of a running cluster; found {address}, and nothing answers at "
            f"{host}:{port} ({error}). Start one with `ray start --head`, or give none for a Ray on this machine alone."
        ) from error


@contextmanager
def loopback() -> Iterator[None]:
    """Let Ray take 127.0.0.1 at its word.

    On Linux it exchanges that for the machine's public address, with which its servers then listen on all interfaces;
    on systems that it builds no clusters on, it does not. This switch is read when a node starts.
    """
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def is_ours() -> bool:
    """Whether this process uses a Ray that `start_ray` started, of a size that will not change."""
    return _ours
