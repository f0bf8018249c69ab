"""LocalLab under SIGTERM, Ctrl-C and SIGKILL: the next run continues and ends with exactly the undisturbed weights."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toyworld import write_toy

TESTS = Path(__file__).parents[1]
SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
from dataclasses import dataclass, replace
import torch
from toylab import Plain, toy_lab
from segfrontier.errors import Stopped
from segfrontier.lab import Bench, Fine, Part, Plan, Stream
from segfrontier.scenes.world import World

@dataclass(frozen=True, kw_only=True)
class Slow(Plain):
    def step(self, nets, batch, at):
        time.sleep({pause})
        yield from super().step(nets, batch, at)

bench = Bench(device="cpu", threads=1, checkpoint_seconds=0.2, log_steps=2)
with toy_lab({home!r}, World.open({world!r}), bench=bench) as lab:
    streams = {{"labelled": Stream(parts=(Part(images=lab.pool, labels=lab.buy(Fine(lab.pool.scenes()))),), batch=2)}}
    print("begins", flush=True)
    try:
        model = lab.train(Slow(), streams, Plan(steps=40))
    except Stopped as stopped:
        print("stopped", stopped, flush=True)
        sys.exit(5)
    weights = torch.load(model.file(), weights_only=True)["segmenter"]
    print("ends", sum(v.double().sum().item() for v in weights.values()).hex(), lab.spent, flush=True)
"""


def start(tmp_path, home, world, *, pause):
    script = tmp_path / f"{home}.py"  # a module file: stages are stored under the digest of their code
    script.write_text(SCRIPT.format(tests=str(TESTS), home=str(tmp_path / home), world=world.uri, pause=pause))
    return subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)


def finish(process):
    out, _ = process.communicate(timeout=120)
    return process.returncode, out.strip().rpartition("\n")[2]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    code, line = finish(start(folder, "home", write_toy(folder / "toy"), pause=0.05))
    assert code == 0 and line.startswith("ends")
    return line


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_goes_on_to_the_same_end(tmp_path, undisturbed, number):
    world = write_toy(tmp_path / "toy")
    process = start(tmp_path, "home", world, pause=0.05)
    assert process.stdout.readline() == "begins\n"
    scratch = tmp_path / "home" / "store"
    until = time.monotonic() + 60
    while not list(scratch.rglob("step-*.pt")) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(number)
    code, line = finish(process)
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == 5 and "asked to stop" in line and "run it again" in line
    saved = [int(p.name[5:14]) for p in scratch.rglob("step-*.pt")]
    assert saved and max(saved) < 40, "the state must have been saved before the end"
    assert finish(start(tmp_path, "home", world, pause=0.05)) == (0, undisturbed)
