"""Random kills against an undisturbed run: `python benchmarks/chaos/kills.py --kills 50 --seed 0`, a line each.

A small study on a toy world runs once undisturbed, in one process and on Ray. Then, each time in a fresh home, it is
started, and at a random moment the driver gets SIGKILL, SIGTERM or SIGHUP, or a worker or one of Ray's servers and
agents gets SIGKILL. No process, listening port or lock of it may be left soon afterwards, a driver that was asked to
stop says 130, and one that says 0 has recorded every cell. The same command then goes on to the end: scores, curves,
acts, the ledger's totals and the content of every stored stage must be those of the undisturbed run, and no draft may
be left. Exit code 1 on any difference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from rayhere import SETTINGS  # noqa: E402
from toystudy import RECIPE, toy_study  # noqa: E402

from segfrontier.basics.locks import is_held  # noqa: E402
from segfrontier.cli import STOPPED  # noqa: E402
from segfrontier.home.layout import Home  # noqa: E402
from segfrontier.home.records import records  # noqa: E402
from segfrontier.market import Ledger  # noqa: E402

MARK = "SEGFRONTIER_CHAOS"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
VICTIMS = {
    "driver": lambda command: False,
    "worker": lambda command: command.startswith("ray::") and "Agent" not in command,
    "agent": lambda command: "Agent" in command or "raylet/raylet" in command or "gcs_server" in command,
}
GONE_SECONDS = 30.0
"""Within these, all that a driver started has ended with it."""


def main() -> int:
    """Kill, resume, compare; how many runs differ decides the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=120, help="of each training")
    parser.add_argument("--only", choices=("local", "ray"))
    given = parser.parse_args()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # else drivers started under `nohup` would rightly ignore it
    rng, kinds, wrong = random.Random(given.seed), [given.only] if given.only else ["local", "ray"], 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        whole = {kind: Undisturbed.run(Path(scratch), kind, given.steps) for kind in kinds}
        for number in range(1, given.kills + 1):
            kind = kinds[number % len(kinds)]
            told, faults = one_kill(Path(scratch), number, kind, whole[kind], given.steps, rng)
            wrong += bool(faults)
            say(f"[{number}/{given.kills}] {told}: {'; '.join(faults) or 'same'}")
    say(f"{given.kills} kills, {wrong} with differences")
    return int(wrong > 0)


@dataclass(frozen=True)
class Undisturbed:
    """What there is to compare with, and how long it took."""

    result: dict[str, Any]
    seconds: float
    hidden: frozenset[str]

    @classmethod
    def run(cls, scratch: Path, kind: str, steps: int) -> Undisturbed:
        """The study, from beginning to end."""
        driver = Driver.start(scratch, f"whole-{kind}", kind, steps)
        began = time.monotonic()
        code = driver.follow(600)
        assert code == 0, driver.log.read_text()[-3000:]
        seconds = time.monotonic() - began
        say(f"undisturbed, {kind}: {seconds:.0f} s")
        return cls(result(driver.home), seconds, frozenset(hidden(driver.home)))


def one_kill(
    scratch: Path, number: int, kind: str, whole: Undisturbed, steps: int, rng: random.Random
) -> tuple[str, list[str]]:
    """What was done, and all that is not as it must be."""
    what = rng.choice(("driver", "driver", "worker", "agent") if kind == "ray" else ("driver",))
    sent, moment = rng.choice(SIGNALS if what == "driver" else SIGNALS[:1]), rng.random() * whole.seconds
    driver = Driver.start(scratch, f"kill-{number}", kind, steps)
    driver.follow(moment)
    victim = driver.victim(what, rng)
    told = f"{kind}, {what} {sent.name} after {moment:.1f} s"
    if driver.process.poll() is None and victim is not None:
        with suppress(ProcessLookupError):
            os.kill(victim, sent)
    else:
        told += " (there was none)"
    faults = [] if driver.follow(300) is not None else ["the driver did not end"]
    code = driver.process.poll()
    told += f", exit {code}"
    faults += driver.left()
    if victim == driver.process.pid and sent != signal.SIGKILL and code not in (0, STOPPED):
        faults.append(f"a driver that {sent.name} asked to stop ended with {code}")
    if code == 0 and (missing := {n for n in whole.result if n.startswith("cell ")} - result(driver.home).keys()):
        faults.append(f"exit 0 without {', '.join(sorted(missing))}")
    again = Driver.start(scratch, f"kill-{number}", kind, steps)
    if (code := again.follow(600)) != 0:
        faults.append(f"the next run ended with {code}: {again.log.read_text()[-500:]!r}")
    faults += again.left() + drafts(again.home, whole.hidden)
    if not faults:
        faults += differences(whole.result, result(again.home))
    return told, faults


@dataclass
class Driver:
    """A driver of its own, and all that it has started so far, by pid and time of start."""

    process: subprocess.Popen[bytes]
    home: Path
    log: Path
    mark: str
    known: dict[int, str] = field(default_factory=dict)
    ports: dict[int, set[str]] = field(default_factory=dict)

    @classmethod
    def start(cls, scratch: Path, name: str, kind: str, steps: int) -> Driver:
        """Run the study in the home NAME."""
        methods = ["fine", {"name": "fine+coarse", "knobs": {"split": [0.6]}}]
        study = toy_study(
            scratch, methods=methods, budgets=[0.1, 0.2], seeds=[0], recipe=RECIPE | {"steps": steps},
            executor={"kind": kind},
        )  # fmt: skip
        file, log, mark = scratch / f"{kind}.yaml", scratch / f"{name}.log", f"{name}-{time.monotonic_ns()}"
        file.write_text(study.to_yaml())
        command = [sys.executable, "-c", "from segfrontier.cli import program; program()"]
        command += ["run", str(file), "--home", str(scratch / name)]
        paths = [str(ROOT / "platform"), str(ROOT / "methods"), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
        own = {"RAY_AUTH_TOKEN": SETTINGS["RAY_AUTH_TOKEN"], "PYTHONPATH": os.pathsep.join(paths), MARK: mark}
        environment = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI")} | own
        environment["SEGFRONTIER_CACHE"] = str(scratch / "cache")
        environment["RAY_memory_monitor_refresh_ms"] = "0"  # what else runs here may need the memory
        with log.open("ab") as out:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        return cls(process, scratch / name, log, mark)

    def follow(self, seconds: float) -> int | None:
        """Note its descendants for so long, or until it ends; the exit code, None where it lives on."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.process.poll() is None:
            stats = dict(processes())
            self.known |= {p: began for p, (_, began) in stats.items() if p == self.process.pid}
            before = -1
            while before != len(self.known):
                before = len(self.known)
                self.known |= {p: began for p, (parent, began) in stats.items() if parent in self.known}
            listening = listeners()
            for pid in self.known.keys() & stats.keys():
                for socket in sockets_of(pid) & listening.keys():
                    self.ports.setdefault(listening[socket], set()).add(socket)
            time.sleep(0.2)
        return self.process.poll()

    def victim(self, what: str, rng: random.Random) -> int | None:
        """A process to kill."""
        if what == "driver":
            return self.process.pid
        found = [pid for pid in sorted(self.living()) if VICTIMS[what](command_of(pid))]
        return rng.choice(found) if found else None

    def living(self) -> list[int]:
        """What of it lives."""
        wanted, stats = f"{MARK}={self.mark}".encode(), dict(processes())
        found = [pid for pid, began in self.known.items() if pid in stats and stats[pid][1] == began]
        return found + [pid for pid in stats if pid not in found and wanted in environment_of(pid)]

    def left(self) -> list[str]:
        """What is left running or locked once it has had its time."""
        until = time.monotonic() + GONE_SECONDS
        while self.living() and time.monotonic() < until:
            time.sleep(0.1)
        faults = [f"process {pid} is left: {command_of(pid)[:80]}" for pid in self.living()]
        listening = listeners()
        faults += [f"port {p} still listens" for p, known in sorted(self.ports.items()) if known & listening.keys()]
        held = [*self.home.glob("studies/*/lock"), *self.home.glob("store/staging/*.lock")]
        return faults + [f"{path} is locked" for path in held if is_held(path)]


def result(home: Path) -> dict[str, Any]:
    """All of a home that must not depend on what happened on the way."""
    found: dict[str, Any] = {}
    for record in records(Home(home).study("toy"), states=("done", "failed", "cut")):
        told = (record.state, record.seconds, record.acts, record.values, record.iou, record.scenes, record.curves)
        found[f"cell {record.key}"] = repr((*told, [(s.kind, s.key) for s in record.stages]))
    if (ledger := Ledger.find(Home(home).ledger)) is not None:
        found |= {f"ledger {cell}": repr(ledger.totals(cell)) for cell in sorted(ledger.cells())}
    for entry in sorted((home / "store").rglob("entry.json")):
        plain = json.loads(entry.read_text())
        found[f"stage {plain['key']}"] = repr(sorted((n, f["digest"]) for n, f in plain["files"].items()))
    return found


def differences(whole: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs."""
    return [f"{name} differs" for name in sorted(whole.keys() | other.keys()) if whole.get(name) != other.get(name)]


def drafts(home: Path, usual: frozenset[str]) -> list[str]:
    """Temporary files and folders that a finished run has left, and that an undisturbed one does not leave."""
    left = [*(hidden(home) - usual)]
    left += [str(p.relative_to(home)) for p in (*home.glob("store/staging/*"), *home.glob("studies/*/tune"))]
    return [f"{path} is left" for path in sorted(left)]


def hidden(home: Path) -> set[str]:
    """Files and folders of a home that no listing shows."""
    return {str(path.relative_to(home)) for path in home.rglob(".*")}


def processes() -> Iterator[tuple[int, tuple[int, str]]]:
    """Parent and time of start of all that lives, by pid."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                yield int(folder.name), (int(fields[1]), fields[19])


def listeners() -> dict[str, int]:
    """Ports that are listened to, by the number of their socket."""
    found: dict[str, int] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for fields in (line.split() for line in Path(table).read_text().splitlines()[1:]):
                if fields[3] == "0A":  # LISTEN
                    found[f"socket:[{fields[9]}]"] = int(fields[1].rpartition(":")[2], 16)
    return found


def sockets_of(pid: int) -> set[str]:
    """What a process holds open, as the kernel names it."""
    found = set()
    with suppress(OSError):
        for opened in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(opened.readlink()))
    return found


def command_of(pid: int) -> str:
    """A process's command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def environment_of(pid: int) -> list[bytes]:
    """What a process was started with."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def say(line: str) -> None:
    """A line at once, also into a pipe."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
