"""Running the command line as a user does, in this process: a fresh interpreter would import torch each time."""

import contextlib
import io
import sys
from types import SimpleNamespace
from unittest import mock

from segfrontier import cli


def segfrontier(*words, folder):
    """The exit code and what was printed."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["segfrontier", *map(str, words)]),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())
