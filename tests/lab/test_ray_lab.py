"""RayLab gives what LocalLab gives: bit for bit with one worker, within tolerance with two; and its faults are told."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rayhere import LOOPBACK, family, listening
from test_lab_measures import Portrait
from test_lab_undecodable import write_spoilt
from toylab import Adversarial, Plain, Recorder, fine_part
from toyworld import write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import Argmax, Bench, Fine, LabSettings, LocalLab, Part, Plan, Stream, Watcher, open_lab
from segfrontier.lab._ray import RayLab

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]

BENCH = Bench(device="cpu", threads=1, log_steps=5, checkpoint_seconds=0)


def noting():
    """A recorder and, filled while it hears, where the processes of a training listen."""
    addresses = set()

    def on_step(done, total, values):
        if "samples_a_second" in values:
            addresses.update(listening(family(os.getpid())))

    return Recorder(on_step=on_step), addresses


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("ray") / "toy", source_train=5, target_train=120, target_val=7)


def open_toy(home, world, kind, *, watcher=None, **more):
    settings = LabSettings(
        home=home, world=world, prices="street", hours=100.0, bench=BENCH, watcher=watcher or Watcher()
    )
    return open_lab(settings, kind=kind, **more)


def through_all_verbs(lab):
    labels = lab.buy(Fine(lab.pool.scenes()[:6]))
    part = Part(images=lab.pool, labels=labels)
    model = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=12, snapshots=2))
    backwards = Part(images=lab.pool, scenes=tuple(lab.pool.scenes()[::-7]))
    return SimpleNamespace(
        model=model, history=lab.history(model), made=lab.label(model.teacher(), backwards, Argmax(above=0.6)),
        renormed=lab.renorm(model, Stream(parts=(Part(images=lab.pool),), batch=8)),
        measures=lab.measure(model, backwards, Portrait()), scores=lab.score(model, pictures=6),
    )  # fmt: skip


def weights(model):
    return torch.load(model.file(), weights_only=True)


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        for key in a[name]:
            assert torch.equal(a[name][key], b[name][key]), f"{name}.{key} differs"


@pytest.mark.slow
def test_one_worker_gives_what_no_ray_gives_bit_for_bit(tmp_path):
    """Also where images do not decode, and where two actors share out the scenes."""
    world = write_spoilt(tmp_path / "spoilt", bad=(0, 122), train=120, val=7)
    with open_toy(tmp_path / "local", world, LocalLab) as lab:
        here = through_all_verbs(lab)
    watcher = Recorder()
    with open_toy(tmp_path / "ray", world, RayLab, watcher=watcher, workers=1, actors=2) as lab:
        there = through_all_verbs(lab)
    assert there.model.key == here.model.key and there.history == here.history
    assert_same(weights(there.model), weights(here.model))
    assert_same(weights(there.renormed), weights(here.renormed))
    assert there.made.digest == here.made.digest and there.made.scenes() == here.made.scenes()
    assert len(there.made) == 17, "one of eighteen is no image"
    assert there.measures.digest == here.measures.digest and there.measures.faults == here.measures.faults
    one, other = here.scores, there.scores
    assert other.sums == one.sums and other.values == one.values and other.left_out == one.left_out
    assert other.scenes == 6 and "target/val/122" in other.left_out[0]
    assert {(12, 12), (18, 18), (7, 7)} <= set(watcher.steps), "the end of every stage is told"
    pictures = [(Path(s.folder) / "pictures.png").read_bytes() for s in (one, other)]
    assert pictures[0] == pictures[1]
    watcher = Recorder()
    with open_toy(tmp_path / "ray", world, LocalLab, watcher=watcher) as lab:
        through_all_verbs(lab)
    assert watcher.reused_kinds == ["train", "label", "renorm", "measure", "score"], "one lab finds what another has"


def two_networks(lab, world, objective=None):
    """A source of which some scenes are all labelled, some at one pixel, some not at all."""
    objective = objective or Adversarial(norm=False, noise=0.0)
    source = fine_part(world, Path(world.uri).parent / "uneven", domain="source", uneven=True)
    streams = {
        "source": Stream(parts=(source,), batch=4),
        "target": Stream(parts=(Part(images=lab.pool),), batch=4),
    }
    return lab.train(objective, streams, Plan(steps=20))


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """The weights of two networks that two workers trained, and where its processes listened."""
    watcher, addresses = noting()
    with open_toy(tmp_path_factory.mktemp("two"), world, RayLab, workers=2, watcher=watcher) as lab:
        return weights(two_networks(lab, world)), addresses


def test_two_workers_agree_with_one_process(world, tmp_path, undisturbed):
    """The same global batch, split: gradients are means of two halves instead of one mean, so float32 rounds otherwise.

    No batch norm and no noise, which see a worker's share alone. Shares have very different numbers of labels.
    """
    with open_toy(tmp_path / "home", world, LocalLab) as lab:
        alone = weights(two_networks(lab, world))
    together, _ = undisturbed
    for name, tensors in alone.items():
        for key, value in tensors.items():
            torch.testing.assert_close(together[name][key], value, rtol=1e-4, atol=1e-5, msg=f"{name}.{key}")


def test_training_workers_listen_on_loopback_alone(undisturbed):
    _, addresses = undisturbed
    assert "0100007F" in addresses and addresses <= LOOPBACK


@dataclass(frozen=True, kw_only=True)
class Doomed(Adversarial):
    """Kills the second worker's process at step 12, once."""

    norm: bool = False
    noise: float = 0.0
    mark: str

    def step(self, nets, batch, at):
        if at.step == 12 and torch.distributed.get_rank() == 1 and not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().step(nets, batch, at)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_changes_nothing(world, tmp_path, undisturbed):
    mark = tmp_path / "killed"
    with open_toy(tmp_path / "home", world, RayLab, workers=2) as lab:
        assert_same(weights(two_networks(lab, world, Doomed(mark=str(mark)))), undisturbed[0])
    assert mark.exists()


@pytest.mark.slow
def test_what_workers_raise_reaches_the_caller_as_it_is(world, tmp_path):
    """A batch that two workers cannot share is no reason to try again."""
    told = r"batch of stream 'labelled' must divide .*found 3 over 2"
    with open_toy(tmp_path / "home", world, RayLab, workers=2) as lab, pytest.raises(BadInput, match=told):
        lab.train(Plain(), {"labelled": Stream(parts=(lab.synthetic,), batch=3)}, Plan(steps=3))


@pytest.mark.parametrize("settings", [{"workers": 3}, {"workers": 2, "cpus_per_worker": 1.5}])
def test_what_this_machine_can_never_hold_is_refused(world, tmp_path, settings):
    with open_toy(tmp_path / "home", world, RayLab, **settings) as lab:
        streams = {"labelled": Stream(parts=(lab.synthetic,), batch=6)}
        with pytest.raises(BadInput, match=r"processes on Ray need [23][.\d]* CPUs, there are 2\. Ask for fewer"):
            lab.train(Plain(), streams, Plan(steps=3))


def test_a_nonsensical_fleet_is_refused(world, tmp_path):
    with pytest.raises(BadInput, match="workers >= 1, actors >= 1"):
        open_toy(tmp_path / "home", world, RayLab, actors=0)
