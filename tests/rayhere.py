"""What tests of Ray share: the environment that its workers need, and a look at processes and their listeners."""

import os
import secrets
from pathlib import Path

TESTS = Path(__file__).parent
SETTINGS = {
    # Workers import the objectives and rules that tests define.
    "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS / "lab"), os.environ.get("PYTHONPATH", "")]),
    # A token for the tests alone: Ray would write one into the user's home.
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
}

CLUSTER = {
    "RAY_AUTH_MODE": "token",  # nobody else may talk to the test's cluster, whose nodes
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # all have the address 127.0.0.1 (see `start.loopback`)
}


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
