"""House rules of the maths room, read from its source: imports, keyword-only options, docstrings, lazy loading."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import segfrontier.maths

ROOM = Path(segfrontier.maths.__file__).parent
MODULES = sorted(ROOM.glob("*.py"))
ALLOWED = {"torch", "numpy", "scipy", "cv2", "math", "dataclasses", "typing", "collections", "enum", "functools"}
ALLOWED |= {"operator"}
ALLOWED |= {"__future__", "segfrontier"}


def trees() -> list[pytest.param]:
    return [pytest.param(path, ast.parse(path.read_text()), id=path.stem) for path in MODULES]


def imported(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def test_the_room_is_where_we_think() -> None:
    assert len(MODULES) > 10 and ROOM.name == "maths"


@pytest.mark.parametrize(("path", "tree"), trees())
def test_only_arrays_and_the_pure_standard_library_are_imported(path: Path, tree: ast.Module) -> None:
    names = imported(tree)
    assert {name.split(".")[0] for name in names} <= ALLOWED
    rooms = {".".join(name.split(".")[:2]) for name in names if name.startswith("segfrontier")}
    # The room's door alone loads a module when it is first asked for.
    assert rooms <= {"segfrontier.maths", "segfrontier.errors"} | (
        {"segfrontier.basics"} if path.stem == "__init__" else set()
    )


@pytest.mark.parametrize(("path", "tree"), trees())
def test_options_are_keyword_only(path: Path, tree: ast.Module) -> None:
    assert [f.name for f in functions(tree) if not f.name.startswith("_") and f.args.defaults] == []


@pytest.mark.parametrize(("path", "tree"), trees())
def test_modules_and_public_things_have_docstrings(path: Path, tree: ast.Module) -> None:
    assert ast.get_docstring(tree)
    things = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert [t.name for t in things if not t.name.startswith("_") and not ast.get_docstring(t)] == []


@pytest.mark.parametrize(("path", "tree"), trees())
def test_functions_and_files_stay_small(path: Path, tree: ast.Module) -> None:
    assert len(path.read_text().splitlines()) <= 350
    assert [f.name for f in functions(tree) if (f.end_lineno or 0) - f.lineno >= 60] == []


@pytest.mark.parametrize(("path", "tree"), trees())
def test_everything_is_annotated(path: Path, tree: ast.Module) -> None:
    for f in functions(tree):
        arguments = [a for a in (*f.args.args, *f.args.kwonlyargs) if a.arg not in ("self", "cls")]
        assert f.returns is not None and all(a.annotation is not None for a in arguments), f.name


def test_the_door_says_the_same_to_readers_and_to_python() -> None:
    door = (ROOM / "__init__.py").read_text()
    lines = re.findall(r"^    from (segfrontier\.maths\.\w+) import (\w+) as \2$", door, re.MULTILINE)
    typed = {name: module for module, name in lines}
    assert len(typed) > 80
    for name, module in typed.items():
        assert getattr(segfrontier.maths, name) is getattr(importlib.import_module(module), name)
        assert name in dir(segfrontier.maths)
    # A submodule of the same name would hide the function once it is imported.
    assert not set(typed) & {path.stem for path in MODULES}
    with pytest.raises(AttributeError, match="no attribute 'dice'"):
        segfrontier.maths.dice  # noqa: B018


def test_a_schedule_loads_no_torch() -> None:
    code = (
        "import sys; from segfrontier.maths import poly; sys.exit(bool({'torch', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
