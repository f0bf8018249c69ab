"""What a study ran with: versions, machine and the commit of the code, so that a number can be made again."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("segfrontier", "ray", "torch", "timm", "numpy", "pyarrow", "opencv-python", "scipy", "mlflow", "optuna")


@cache
def environment() -> dict[str, str]:
    """Name -> version or description."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "host": platform.node()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def commit(folder: Path = Path(__file__).parent) -> str:
    """The git commit of the code that runs, with a + where files differ from it; empty outside of a checkout."""
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return f"{head}+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()
