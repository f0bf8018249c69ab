"""Public names that load their module when they are asked for: written once, for readers and for Python."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

PACKAGES = ("segfrontier", "segfrontier.market", "segfrontier.maths")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_that_readers_see_is_there_and_others_are_not(package):
    module = import_module(package)
    tree = ast.parse(Path(module.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.col_offset]
    assert len(imports) >= 4
    for node in imports:
        for alias in node.names:
            assert alias.asname == alias.name, "a public name, for type checkers"
            assert getattr(module, alias.name) is getattr(import_module(node.module), alias.name)
            assert alias.name in dir(module)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nobody'"):
        module.nobody  # noqa: B018


def test_asking_for_one_name_loads_nothing_of_the_others():
    code = (
        "import sys, segfrontier, segfrontier.market as market\nmarket.load_prices('street'), segfrontier.__version__\n"
        "print(*{m.partition('.')[0] for m in sys.modules} & {'torch', 'cv2', 'scipy', 'pyarrow'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
