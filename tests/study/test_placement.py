"""How many cells run side by side, against a Ray that places them as badly as it may: none waits for another's end."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.study.config import Executor
from segfrontier.study.ray_tune import reserved, room

NODES = st.lists(
    st.fixed_dictionaries({"CPU": st.integers(0, 12).map(float), "GPU": st.integers(0, 4).map(float)}),
    min_size=1, max_size=5,
)  # fmt: skip
EXECUTORS = st.builds(
    Executor,
    kind=st.just("ray"),
    cpus_per_cell=st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0]),
    gpus_per_cell=st.sampled_from([0.0, 0.0, 0.25, 0.4, 0.5, 0.7, 1.0, 2.0]),
    workers_per_stage=st.integers(0, 5) | st.sampled_from([(1, 3), (2, 4)]),
)


class Free:
    """What a node has left: CPUs as one amount, in Ray's ten-thousandths, and each GPU for itself."""

    def __init__(self, node):
        self.cpu, self.gpus = round(1e4 * node["CPU"]), [10_000] * int(node["GPU"])

    def take(self, need):
        """Whether there was room; it is taken."""
        cpu, gpu = (round(1e4 * need.get(kind, 0)) for kind in ("CPU", "GPU"))
        whole, part = divmod(gpu, 10_000)
        empty = [i for i, left in enumerate(self.gpus) if left == 10_000]
        shared = next((i for i, left in enumerate(self.gpus) if part and left >= part), None)
        if self.cpu < cpu or len(empty) < whole or (part and shared is None):
            return False
        self.cpu -= cpu
        for i in empty[:whole]:
            self.gpus[i] = 0
        if part:
            self.gpus[shared] -= part
        return True


@settings(max_examples=100, deadline=None, derandomize=True)
@given(EXECUTORS, NODES, st.randoms(use_true_random=False))
def test_all_cells_that_are_begun_can_have_what_they_ask_for_at_once(executor, nodes, rng):
    cells, free = room(executor, nodes), [Free(node) for node in nodes]
    need = {"CPU": executor.cpus_per_worker, "GPU": executor.gpus_per_cell}

    def placed(what):
        rng.shuffle(free)
        return any(node.take(what) for node in free)

    assert all(placed(reserved(executor)) for _ in range(cells)), "every trial begins"
    assert all(placed(need) for _ in range(cells * executor.fewest_workers)), "and none waits for one that waits"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(EXECUTORS, NODES)
def test_a_cell_that_no_empty_cluster_could_hold_is_never_begun(executor, nodes):
    """And where nothing is begun, the cluster is at most a hair too small: the CPUs that waiting trials hold."""
    need = {"CPU": executor.cpus_per_worker, "GPU": executor.gpus_per_cell} if executor.workers else reserved(executor)
    free = [Free(node) for node in nodes]
    holds = all(any(node.take(need) for node in free) for _ in range(max(1, executor.fewest_workers)))
    if not holds:
        assert room(executor, nodes) == 0
    elif room(executor, nodes) == 0:
        slim = [Free(node | {"CPU": node["CPU"] - 0.01 * (math.ceil(sum(n["CPU"] for n in nodes) / need["CPU"]))})
                for node in nodes]  # fmt: skip
        assert not all(any(node.take(need) for node in slim) for _ in range(executor.fewest_workers))
