"""Running the command line as a user does, in a process of its own."""

import subprocess
import sys


def segfrontier(*words, folder, timeout=180):
    """The finished process, with what it printed."""
    run = [sys.executable, "-c", "from segfrontier.cli import main; main()", *map(str, words)]
    return subprocess.run(run, capture_output=True, text=True, cwd=folder, timeout=timeout)
