"""A local Ray listens on 127.0.0.1 alone, is started once, and ends when it should. Also: what other Ray tests use."""

import os
import secrets
from pathlib import Path

import pytest

from segfrontier.lab._ray import start_ray, stop_ray

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_here")]

TESTS = Path(__file__).parents[1]
SETTINGS = {
    # Workers import the objectives and rules that tests define.
    "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "lab"), os.environ.get("PYTHONPATH", "")]),
    # A token for the tests alone: Ray would write one into the user's home.
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}


@pytest.fixture(scope="session")
def ray_here(own_cache):
    """One local Ray of two CPUs for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        start_ray(num_cpus=2)
        yield
        stop_ray()


def family(root: int) -> dict[int, str]:
    """The processes that descend from one, itself included, with their command lines."""
    parents, commands = {}, {}
    for folder in Path("/proc").iterdir():
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (ValueError, OSError):
            continue
    found, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in commands:
            found[pid] = commands[pid]
            todo += [child for child, parent in parents.items() if parent == pid]
    return found


def listening(pids) -> set[str]:
    """The addresses, as the kernel writes them, on which these processes listen for TCP connections."""
    sockets = set()
    for pid in pids:
        try:
            sockets |= {str(fd.readlink()) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                found.add(fields[1].rpartition(":")[0])
    return found


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}  # 127.0.0.1, plain and inside IPv6


def test_everything_listens_on_loopback_alone():
    processes = family(os.getpid())
    assert any("gcs_server" in c for c in processes.values()) and any("raylet" in c for c in processes.values())
    assert "0100007F" in listening(processes) and listening(processes) <= LOOPBACK
    assert not any("dashboard/dashboard.py" in c and "--head" in c for c in processes.values())


def test_starting_again_changes_nothing():
    import ray

    before = ray.get_runtime_context().get_job_id()
    start_ray(num_cpus=7)
    assert ray.get_runtime_context().get_job_id() == before and ray.cluster_resources()["CPU"] == 2


def test_workers_inherit_the_cache_and_import_the_engine():
    import ray

    @ray.remote
    def seen():
        import segfrontier
        import segfrontier_methods

        return os.environ["SEGFRONTIER_CACHE"], segfrontier.__file__, segfrontier_methods.__file__

    import segfrontier
    import segfrontier_methods

    assert ray.get(seen.remote()) == (
        os.environ["SEGFRONTIER_CACHE"],
        segfrontier.__file__,
        segfrontier_methods.__file__,
    )
