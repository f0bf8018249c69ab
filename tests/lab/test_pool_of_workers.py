"""How many workers a training gets, where, and when it moves: decisions, against nodes that are told and not there."""

from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError
from ray.train import PreemptionError

from segfrontier.errors import BadInput
from segfrontier.lab._ray import fleet as fleets
from segfrontier.lab._ray import moves, nodes
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab._ray.moves import Moves
from segfrontier.lab._ray.nodes import Process, free_for, times
from segfrontier.lab._ray.policy import taken_back

GIB = 2**30


@pytest.fixture
def cluster(monkeypatch):
    """Five nodes: one that leaves, one that is dead, two of a kind with room, one of another kind."""
    told = [("gone", "b", True), ("dead", "b", False), ("b1", "b", True), ("b2", "b", True), ("a1", "a", True)]
    free = {name: {"CPU": 2.0, "memory": 3.0 * GIB} for name, _, _ in told} | {"b2": {"CPU": 1.0, "memory": 8.0 * GIB}}
    listed = [{"NodeID": name, "Alive": alive, "Labels": {"kind": kind}} for name, kind, alive in told]
    monkeypatch.setattr(nodes.ray, "nodes", lambda: listed)
    monkeypatch.setattr(nodes.state, "available_resources_per_node", lambda: free)
    monkeypatch.setattr(nodes.state, "state", SimpleNamespace(get_draining_nodes=lambda: {"gone": 0}))


def test_room_is_on_nodes_that_live_stay_and_have_the_labels(cluster):
    assert free_for(Process(cpus=0.9)) == 2 + 1 + 2
    assert free_for(Process(cpus=0.9, labels={"kind": "b"})) == 2 + 1
    assert free_for(Process(cpus=0.9, memory=2.0, labels={"kind": "b"})) == 1 + 1, "two of 2 GiB need 4"
    assert free_for(Process(cpus=0.9, labels={"kind": "c"})) == 0
    assert free_for(Process(cpus=0.9, gpus=1.0)) == 0


def test_a_part_of_a_gpu_is_one_of_a_single_gpu():
    assert times({"CPU": 1.0, "GPU": 0.4}, {"CPU": 9.0, "GPU": 2.0}) == 4
    assert times({"GPU": 2.0}, {"GPU": 3.0}) == 1 and times({"GPU": 1.0}, {}) == 0


def test_a_process_reserves_what_it_is_given():
    assert Process(cpus=0.9, gpus=0.5, memory=2.0).resources == {"CPU": 0.9, "GPU": 0.5, "memory": 2.0 * GIB}
    assert WorkerPool(gpus=0.5).process(gpu=False).resources == {"CPU": 0.9}


@pytest.mark.parametrize(
    ("most", "fewest", "batches", "sizes"),
    [
        (4, 1, [4], (1, 2, 4)),
        (4, 2, [12], (2, 3, 4)),
        (4, 1, [12, 8], (1, 2, 4)),
        (3, None, [4], (3,)),  # the loader refuses it, as ever
        (3, 3, [4], (3,)),
    ],
)
def test_sizes_are_those_over_which_every_batch_divides(most, fewest, batches, sizes):
    assert WorkerPool(workers=most, fewest=fewest).sizes(batches) == sizes


def test_bounds_that_no_batch_divides_over_are_refused():
    with pytest.raises(BadInput, match="some number of workers from 3 to 5; found 4, 6. Change a batch or the bounds"):
        WorkerPool(workers=5, fewest=3).sizes(iter([4, 6, 4]))
    with pytest.raises(BadInput, match="fewest workers must be at most 2, the most; found 3"):
        WorkerPool(workers=2, fewest=3)
    for wrong in ({"fewest": 0}, {"memory": -1.0}, {"workers": 0}):
        with pytest.raises(BadInput, match="a lab on Ray needs"):
            WorkerPool(**wrong)


@pytest.mark.parametrize(("free", "held", "size"), [(0, 0, 1), (1, 0, 1), (3, 0, 2), (2, 2, 4), (9, 0, 4)])
def test_as_many_train_as_find_room_and_the_fewest_wait_for_it(monkeypatch, free, held, size):
    monkeypatch.setattr(fleets, "free_for", lambda process: free)
    assert WorkerPool(workers=4, fewest=1).size_now((1, 2, 4), gpu=False, held=held) == size
    assert WorkerPool(workers=4).size_now((4,), gpu=False) == 4, "a number that is fixed is waited for"


@pytest.mark.parametrize(("free", "count"), [(0, 1), (2, 2), (7, 3)])
def test_as_many_label_side_by_side_as_find_room(monkeypatch, free, count):
    monkeypatch.setattr(fleets, "free_for", lambda process: free)
    assert WorkerPool(workers=3, actors=3, fewest=1).side_by_side(gpu=False) == count
    assert WorkerPool(workers=3, actors=3).side_by_side(gpu=False) == 3


@pytest.fixture
def moving(monkeypatch):
    """A training of one worker on node n, and what its surroundings say."""
    now = SimpleNamespace(seconds=0.0, leaving=frozenset(), room=1, nodes=frozenset({"n"}))
    monkeypatch.setattr(moves, "leaving", lambda: now.leaving)
    monkeypatch.setattr(moves.time, "monotonic", lambda: now.seconds)
    fleet = SimpleNamespace(size_now=lambda sizes, gpu, held: min(max(sizes), now.room))
    attempt = SimpleNamespace(nodes=lambda: now.nodes)
    now.reason = Moves(attempt, fleet, (1, 2), 1, gpu=False).reason
    return now


def test_a_training_moves_off_a_node_that_is_taken_back_and_off_no_other(moving):
    moving.seconds, moving.leaving = 1.5, frozenset({"other"})
    assert moving.reason() == ""
    moving.seconds, moving.leaving = 1.9, frozenset({"n"})
    assert moving.reason() == "", "nobody asks more often than once a second"
    moving.seconds = 2.6
    assert moving.reason() == "1 of the 1 nodes that train will be taken back"


def test_a_training_grows_once_a_minute_at_most_and_only_when_it_has_begun(moving):
    moving.room, moving.seconds = 2, 59.0
    assert moving.reason() == "", "too early: to begin anew takes seconds"
    moving.seconds, moving.nodes = 61.0, frozenset()
    assert moving.reason() == "", "its workers have not even begun"
    moving.seconds, moving.nodes = 63.0, frozenset({"n"})
    assert moving.reason() == "there is room for 2 workers, 1 trained"
    moving.room, moving.seconds = 1, 190.0
    assert moving.reason() == ""


def test_a_cluster_that_gives_no_answer_ends_no_training(moving, monkeypatch):
    def no_answer():
        raise ConnectionError("no GCS")

    moving.seconds, moving.leaving = 2.0, frozenset({"n"})
    with monkeypatch.context() as patch:
        patch.setattr(moves, "leaving", no_answer)
        assert moving.reason() == ""
    moving.seconds = 4.0
    assert moving.reason(), "and it is asked again"


def test_a_node_that_was_taken_back_is_no_failure_of_its_workers():
    preempted, died = ActorDiedError(), ActorDiedError()
    preempted._preempted = True
    assert taken_back({0: RuntimeError("connection reset by peer"), 1: preempted}), "the other's error is an echo"
    assert not taken_back({0: died}) and not taken_back({0: RuntimeError("a bug")})
    assert taken_back({0: PreemptionError.__new__(PreemptionError)})
