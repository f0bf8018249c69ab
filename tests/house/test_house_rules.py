"""The house rules that a reader cannot see at a glance, each with the trap it guards against."""

import ast
import importlib
import inspect
import pickle
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import segfrontier.errors

ROOT = Path(__file__).parents[2]
ROOTS = [ROOT / "platform", ROOT / "methods"]
ROOMS = sorted(p.parent for p in (ROOT / "platform" / "segfrontier").glob("*/__init__.py"))
SOURCES = sorted(p for root in ROOTS for p in root.rglob("*.py"))


def test_the_standard_library_keeps_its_platform_module():
    import platform

    assert platform.system() and "segfrontier" not in (platform.__file__ or "")
    for root in ROOTS:
        assert not (root / "__init__.py").exists(), f"{root.name}/__init__.py would shadow or pollute imports"


def test_source_roots_hold_one_package_each_and_no_loose_modules():
    for root, package in zip(ROOTS, ("segfrontier", "segfrontier_methods"), strict=True):
        inside = [p.name for p in root.iterdir() if not p.name.startswith((".", "__pycache__"))]
        assert inside == [package], f"{root.name}/ must hold {package}/ and nothing else; found {inside}"
        assert package not in sys.stdlib_module_names
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    assert packages == ["platform/segfrontier", "methods/segfrontier_methods"]


def test_no_test_folder_is_called_platform():
    assert not [p for p in (ROOT / "tests").rglob("platform") if p.is_dir()]
    names = [p.name for p in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), "test files need unique names: pytest runs in prepend mode"


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_a_plan_comes_in_through_public_seams():
    """It brings a store, a backend and answers of its own; each may override what the seam offers, and nothing else."""
    files = (ROOT / "platform" / "segfrontier" / "plan").glob("[a-z]*.py")
    modules = [importlib.import_module(f"segfrontier.plan.{file.stem}") for file in files]
    own = [c for m in modules for c in vars(m).values() if inspect.isclass(c) and c.__module__ == m.__name__]
    assert {"RehearsalBackend", "RememberedAnswers", "Shadow"} <= {c.__name__ for c in own}
    for kind in own:
        private = {name for name, value in vars(kind).items() if re.match("_[^_]", name) and inspect.isfunction(value)}
        above = {name for base in kind.__mro__[1:] if base.__module__.startswith("segfrontier.") for name in vars(base)}
        assert not private & above, kind


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        (
            "ray",
            tuple(f"segfrontier/{place}" for place in ("lab/_ray/", "study/ray_tune.py", "doctor/", "cluster/")),
        ),
        ("mlflow", ("segfrontier/tracking/", "segfrontier/doctor/")),
    ],
)
def test_ray_and_mlflow_stay_in_their_rooms(package, allowed):
    strays = [str(p) for p in SOURCES if package in imports_of(p) and not any(a in str(p) for a in allowed)]
    assert strays == [], f"{package} may be imported in {allowed} alone"


def test_no_module_leads_back_to_itself():
    """The root and its lazy names included, which import-linter's contract cannot see."""
    graph = grimp.build_graph("segfrontier", cache_dir=None)
    assert len(graph.modules) > 300
    TopologicalSorter({m: graph.find_modules_directly_imported_by(m) for m in graph.modules}).prepare()


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_every_room_says_what_belongs_there_and_what_does_not(room):
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert said.count(".") >= 2, said
    assert re.search(r"\b(no|not|nothing|belongs?|other)\b|'s to say", said.partition("\n\n")[2], re.I), said


def test_help_imports_nothing_heavy():
    heavy = ("numpy", "torch", "ray", "mlflow", "pyarrow", "cv2", "pydantic", "rich")
    code = f"import sys, segfrontier.cli, segfrontier.commands.verbs; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_error_survives_pickling():
    tree = [c for _, c in inspect.getmembers(segfrontier.errors, inspect.isclass) if issubclass(c, Exception)]
    assert len(tree) >= 7
    for kind in tree:
        again = pickle.loads(pickle.dumps(kind("what must hold")))
        assert type(again) is kind and str(again) == "what must hold"
        assert kind.__name__ in (segfrontier.errors.__doc__ or ""), f"{kind.__name__} is missing in the drawn tree"


def test_files_and_functions_stay_small():
    for path in SOURCES:
        text = path.read_text()
        assert text.count("\n") <= 450, f"{path}: over 450 lines; does it still hold one idea?"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{path}: {node.name} has {length} lines; 60 is the stop"


def test_every_file_says_what_it_is():
    for path in SOURCES:
        assert ast.get_docstring(ast.parse(path.read_text())), f"{path} needs a docstring"


def test_a_class_name_names_one_thing():
    """Two classes of one name are taken for each other. Each method has its own `Knobs` and the like."""
    engine = ROOT / "platform"
    owners = {}
    for path in SOURCES:
        room = "the engine" if engine in path.parents else path.relative_to(ROOT / "methods").parts[1]
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                owners.setdefault((room, node.name), []).append(path.name)
    assert len(owners) > 400
    assert not {name: files for (_, name), files in owners.items() if len(files) > 1}
