"""What RayLab decides when workers fail, and how driver and workers talk; no Ray is started."""

import pickle
import socket

import numpy as np
import pytest
from ray.exceptions import ActorDiedError, RayActorError, RayTaskError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError
from toyworld import TOY

from segfrontier.errors import BadInput, StageError, Stopped
from segfrontier.lab._ray import attempt as attempts
from segfrontier.lab._ray.attempt import Attempt, open_attempt
from segfrontier.lab._ray.policy import verdict
from segfrontier.lab._ray.start import require_answer
from segfrontier.lab.passes.score import Address
from segfrontier.scenes.classes import ClassTable

pytestmark = pytest.mark.ray

LOST = WorkerHealthCheckFailedError("worker 0 is gone", RayActorError())
GLOO, BUG, MISTAKE = RuntimeError("Connection closed by peer"), KeyError("label"), BadInput("batch 3 over 2")


@pytest.mark.parametrize(
    ("failures", "workers", "raised"),
    [
        ({0: LOST}, 1, None),
        ({1: LOST, 0: GLOO}, 2, None),
        ({0: GLOO}, 2, None),
        ({0: GLOO}, 1, GLOO),
        ({0: GLOO, 1: BUG}, 2, BUG),
        ({1: LOST, 0: BUG}, 2, None),
        ({0: LOST, 1: MISTAKE}, 2, MISTAKE),
        ({0: BUG}, 1, BUG),
    ],
    ids=["lost", "lost and told", "told", "alone", "bug", "bug of a loss", "mistake", "plain bug"],
)
def test_lost_workers_are_replaced_and_errors_raised_as_they_are(failures, workers, raised):
    assert verdict(failures, workers=workers, retries_left=1) is raised


def test_what_cannot_start_is_not_tried_again():
    """The long error of a process whose imports fail ends with the cause."""
    cause = RayTaskError("init", "Traceback ...\nModuleNotFoundError: No module named 'mine'", ImportError())
    for failure in (cause, ActorDiedError(cause)):
        error = verdict({0: failure}, workers=1, retries_left=2)
        assert isinstance(error, StageError) and "could not start: ModuleNotFoundError: No module named 'mine'." in str(
            error
        )


def test_attempts_end():
    error = verdict({0: LOST}, workers=1, retries_left=0)
    assert isinstance(error, StageError) and "worker 0 is gone" in str(error)
    assert verdict({0: GLOO}, workers=2, retries_left=0) is GLOO


def test_driver_and_workers_talk_through_the_attempts_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(attempts, "_ASK_SECONDS", 0.0)
    heard = []
    with open_attempt(tmp_path) as mine:
        worker = Attempt(mine.path)
        worker.require_shared()
        mine.pass_on(lambda *news: heard.append(news))
        worker.report(1, 10, {"loss": 2.0})
        worker.report(2, 10, {"loss": 1.5})  # too soon
        mine.pass_on(lambda *news: heard.append(news))
        mine.pass_on(lambda *news: heard.append(news))
        worker.report(10, 10, {"loss": 1.0})
        mine.pass_on(lambda *news: heard.append(news))
        assert heard == [(1, 10, {"loss": 2.0}), (10, 10, {"loss": 1.0})]
        assert not worker.halted()
        mine.halt()
        assert worker.halted()
    assert list(tmp_path.iterdir()) == [] and worker.halted()


def test_a_new_attempt_halts_the_workers_of_one_before_it(tmp_path):
    before = Attempt(str(tmp_path / "ray-0123456789ab"))
    before.folder.mkdir()
    before.go.touch()
    with open_attempt(tmp_path) as mine:
        assert before.halted() and not mine.halted()


def test_a_folder_that_is_not_shared_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(attempts, "_APPEAR_SECONDS", 0.0)
    with pytest.raises(BadInput, match="must lie on a disk that all nodes .* share; node .* does not see"):
        Attempt(str(tmp_path / "elsewhere")).require_shared()


def test_stopped_is_no_failure():
    assert verdict({0: Stopped("asked to")}, workers=1, retries_left=2).args == ("asked to",)


def test_an_address_where_nothing_answers_is_refused_at_once():
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        require_answer(f"127.0.0.2:{port}")
    with pytest.raises(BadInput, match=f"found 127.0.0.2:{port}, and nothing answers"):
        require_answer(f"127.0.0.2:{port}")
    require_answer("auto")
    with pytest.raises(BadInput, match="found ray://127.0.0.2:1, and nothing answers"):
        require_answer("ray://127.0.0.2:1")


def test_a_worlds_address_travels_where_the_world_does_not(toy_world):
    other = ClassTable(name="two", classes=TOY.classes[:2], void_ids=())
    mapped = toy_world.mapped_to(other, {"ground": "wall", "wall": "ground"})
    with pytest.raises(TypeError, match="a world stays where it is"):
        pickle.dumps(mapped)
    again = pickle.loads(pickle.dumps(Address.of(mapped))).open()
    assert again.digest == mapped.digest and again.classes == other
    scene = again.pool().scenes()[0]
    np.testing.assert_array_equal(again.truth().semantic(scene), mapped.truth().semantic(scene))
