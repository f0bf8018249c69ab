"""How processes that Ray started for us end: as they are.

Taking the libraries apart object by object, as Python does at its end, takes a second and more: longer than a small
stage, and the next one waits for the cores.
"""

import atexit
import gc

import ray

from segfrontier.lab import _libraries as _libraries  # which asks for it

if ray._private.worker.global_worker.mode == ray.WORKER_MODE:
    atexit.unregister(gc.unfreeze)
