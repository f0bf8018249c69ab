"""The digest of code: new for a new meaning, the same for new words or layout."""

from __future__ import annotations

import functools
import importlib
import linecache
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

from segfrontier.errors import BadInput
from segfrontier.lab.store import code_digest

BASE = '''
"""Module text."""
import math

RATE = 0.1
"""Field text."""

class Rule:
    """Class text."""
    above: float = 0.9

def apply(x):
    """Function text."""
    # a comment
    return math.sqrt(x) * RATE
'''

SAME = {
    "other docstrings": BASE.replace("text", "words, many of them"),
    "no docstring": BASE.replace('    """Function text."""\n', ""),
    "other comment": BASE.replace("# a comment", "# another\n    # comment"),
    "other layout": BASE.replace("math.sqrt(x) * RATE", "(\n        math.sqrt( x )\n        * RATE\n    )  # why"),
}
NEW = {
    "constant": BASE.replace("0.9", "0.91"),
    "type of a constant": BASE.replace("0.1", "'0.1'"),
    "name": BASE.replace("Rule", "Rules"),
    "operator": BASE.replace("* RATE", "/ RATE"),
    "constant that is None": BASE.replace("RATE = 0.1", "RATE = None"),
    "assigned text": BASE.replace('"""Field text."""', 'x = """Field text."""'),
    "order": BASE.replace("import math\n", "") + "import math\n",
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that writes a module and imports it afresh."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names = []

    def make(source: str, name: str = "store_probe") -> ModuleType:
        file = tmp_path / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        names.append(name)
        module = importlib.import_module(name)
        code_digest.__globals__["_parsed"].cache_clear()  # two writes in one test may share size and time
        return module

    yield make
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", SAME)
def test_words_and_layout_do_not_count(modules, name: str) -> None:
    assert code_digest(modules(BASE)) == code_digest(modules(SAME[name]))


@pytest.mark.parametrize("name", NEW)
def test_everything_else_counts(modules, name: str) -> None:
    assert code_digest(modules(BASE)) != code_digest(modules(NEW[name]))


def test_a_function_a_class_an_object_and_a_partial_stand_for_their_module(modules) -> None:
    module = modules(BASE)
    whole = code_digest(module)
    things = [
        module.apply,
        module.Rule,
        module.Rule(),
        functools.partial(module.apply, 1),
        functools.lru_cache(module.apply),
    ]
    assert [code_digest(thing) for thing in things] == [whole] * 5
    assert code_digest(module.apply, module.Rule) == whole


def test_order_does_not_count_but_each_module_does(modules) -> None:
    one, other = modules(BASE, "store_probe_one"), modules(NEW["name"], "store_probe_other")
    assert code_digest(one, other) == code_digest(other, one)
    assert len({code_digest(one, other), code_digest(one), code_digest(other)}) == 3


def test_a_package_counts_with_all_its_modules_and_is_not_imported(modules, tmp_path: Path) -> None:
    modules("", "store_pack.__init__")
    sys.modules.pop("store_pack", None)
    (tmp_path / "store_pack" / "deep").mkdir()
    hidden = tmp_path / "store_pack" / "deep" / "hidden.py"
    hidden.write_text("raise RuntimeError\n")
    before = code_digest(packages=["store_pack"])
    hidden.write_text("raise RuntimeError  # with a comment\n")
    assert code_digest(packages=["store_pack"]) == before
    hidden.write_text("raise RuntimeError('other')\n")
    assert code_digest(packages=["store_pack"]) != before
    assert "store_pack.deep.hidden" not in sys.modules


def test_installed_packages_and_single_modules_can_be_named() -> None:
    assert code_digest(packages=["segfrontier.errors"]) == code_digest(importlib.import_module("segfrontier.errors"))
    assert code_digest(packages=["segfrontier.lab.store"]) != code_digest(packages=["segfrontier.scenes"])


def test_a_notebook_function_counts_by_its_own_source() -> None:
    def define(source: str) -> object:
        name = f"<cell {len(linecache.cache)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        scope: dict[str, object] = {"__name__": "__main__"}
        exec(compile(source, name, "exec"), scope)
        return scope["f"]

    one, same, new = (define(f"def f(x):\n    return {body}\n") for body in ("x + 1", "x +  1  # one", "x + 2"))
    assert code_digest(one) == code_digest(same) != code_digest(new)


@pytest.mark.parametrize("thing", [math.sqrt, len, 3, math])
def test_code_without_source_is_an_error(thing: object) -> None:
    with pytest.raises(BadInput, match="must be readable as Python source"):
        code_digest(thing)


def test_code_typed_at_a_prompt_is_an_error() -> None:
    scope: dict[str, object] = {"__name__": "__main__"}
    exec("class Rule: pass\ndef apply(): pass", scope)
    for name in ("Rule", "apply"):
        with pytest.raises(BadInput, match=f"the code of __main__:{name} must be readable"):
            code_digest(scope[name])


@pytest.mark.parametrize("name", ["segfrontier.no_such", "no_such_package_at_all", "sys"])
def test_an_unknown_package_is_an_error(name: str) -> None:
    with pytest.raises(BadInput, match=name):
        code_digest(packages=[name])
