"""The digest of code: new for a new meaning, the same for new words or layout."""

from __future__ import annotations

import functools
import importlib
import itertools
import linecache
import math
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from segfrontier.errors import BadInput
from segfrontier.store import code_digest, still_sources
from segfrontier.store.modules import Sources, Unit
from segfrontier.store.source import Digests

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
    "renamed import": BASE.replace("import math", "import math as m").replace("math.sqrt", "m.sqrt"),
    "import by name": BASE.replace("import math", "from math import sqrt").replace("math.sqrt", "sqrt"),
    "import in the function": BASE.replace("import math\n", "")
    .replace("# a comment", "from math import sqrt")
    .replace("math.sqrt", "sqrt"),
    "typed arguments": BASE.replace("apply(x)", "apply(x: float) -> float"),
    "other layout": BASE.replace("math.sqrt(x) * RATE", "(\n        math.sqrt( x )\n        * RATE\n    )  # why"),
}
NEW = {
    "constant": BASE.replace("0.9", "0.91"),
    "type of a constant": BASE.replace("0.1", "'0.1'"),
    "name": BASE.replace("Rule", "Rules"),
    "operator": BASE.replace("* RATE", "/ RATE"),
    "constant that is None": BASE.replace("RATE = 0.1", "RATE = None"),
    "assigned text": BASE.replace('"""Field text."""', 'x = """Field text."""'),
    "base of a class": BASE.replace("class Rule:", "class Rule(dict):"),
    "default": BASE.replace("apply(x)", "apply(x=1)"),
    "decorator": BASE.replace("def apply", "@math.sqrt\ndef apply").replace("@math.sqrt", "@staticmethod"),
    "another import": BASE.replace("import math", "import cmath as math"),
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that writes a module and imports it afresh."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names, ticks = [], itertools.count()

    def make(source: str, name: str = "store_probe") -> ModuleType:
        file = tmp_path / f"{name.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
        os.utime(file, ns=(0, next(ticks)))  # two writes in one test may share size and time
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        names.append(name)
        return importlib.import_module(name)

    yield make
    for name in names:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", SAME)
def test_words_and_layout_do_not_count(modules, name: str) -> None:
    assert code_digest(modules(BASE)) == code_digest(modules(SAME[name]))


@pytest.mark.parametrize("name", NEW)
def test_everything_else_counts(modules, name: str) -> None:
    assert code_digest(modules(BASE)) != code_digest(modules(NEW[name]))


def test_an_object_and_a_partial_stand_for_their_class_and_function(modules) -> None:
    module = modules(BASE)
    assert code_digest(module.Rule()) == code_digest(module.Rule)
    for same in (functools.partial(module.apply, 1), functools.lru_cache(module.apply), "store_probe:apply"):
        assert code_digest(same) == code_digest(module.apply)
    assert code_digest(module.apply) != code_digest(module.Rule) != code_digest(module)


def test_only_what_is_used_counts(modules) -> None:
    module = modules(BASE)
    before = code_digest(module.apply), code_digest(module.Rule)
    module = modules(BASE.replace("0.9", "0.8"))
    assert code_digest(module.apply) == before[0] and code_digest(module.Rule) != before[1]
    module = modules(BASE.replace("RATE = 0.1", "RATE = 0.2"))
    assert code_digest(module.apply) != before[0] and code_digest(module.Rule) == before[1]


def test_order_does_not_count_but_each_object_does(modules) -> None:
    one, other = modules(BASE, "store_probe_one"), modules(NEW["name"], "store_probe_other")
    assert code_digest(one, other) == code_digest(other, one)
    assert len({code_digest(one, other), code_digest(one), code_digest(other)}) == 3


USER = """
from {package}.{home} import {name} as {alias}
import {package}.{home}
RATE = 3

def use(x, RATE):
    RATE = RATE + 1
    return {alias}(x) + RATE

def ring(x):
    return rung(x)

def rung(x):
    return ring(x) or {package}.{home}.{name}(x)

class Lazy:
    def __call__(self):
        from {package}.{home} import {name}
        return [{name}(i) for i in self]
"""
HOME = "def helper(x):\n    return x {sign} other(x)\n\ndef other(x):\n    raise ValueError('{words}')\n{loose}"


def written(folder: Path, **how: str) -> Digests:
    """A package of two modules, and the digests of its code."""
    given = {"package": "pack", "home": "home", "name": "helper", "alias": "helper"} | how
    package = folder / given["package"]
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(how.get("init", ""))
    home = HOME.format(sign=how.get("sign", "+"), words=how.get("words", "no"), loose=how.get("loose", ""))
    (package / f"{given.get('file', given['home'])}.py").write_text(home)
    (package / "user.py").write_text(USER.format(**given) + how.get("more", ""))
    return Digests(Sources({given["package"]: package}))


def test_names_are_followed_through_moves_and_renamed_imports(tmp_path: Path) -> None:
    roots = ("use", "ring", "rung", "Lazy")

    def digests(number: int, **how: str) -> dict[str, frozenset[str]]:
        code = written(tmp_path / str(number), **how)
        return {name: frozenset(code.of([Unit(f"{how.get('package', 'pack')}.user", name)])) for name in roots}

    base = digests(0)
    assert len(set(base.values())) == 4
    assert digests(1, home="moved") == base
    assert digests(2, alias="renamed") == base
    assert digests(3, package="another") == base
    assert digests(4, words="another sentence") == base  # the words of an error
    assert digests(5, more="\ndef unused():\n    return 1\n") == base
    reexported = "from pack.deep import helper as helper\nfrom pack import deep as home\n"
    assert digests(6, file="deep", home="deep", init=reexported) == base
    changed = digests(7, sign="-")
    assert all(changed[name] != base[name] for name in roots)
    local = digests(8, more="\nRATE = 4\n")  # `use` has a RATE of its own
    assert local == base
    loose = digests(9, loose="print('when it is imported')\n")
    assert all(loose[name] != base[name] for name in roots)
    plumbing = digests(10, loose="DECIDES_NOTHING = True\n")
    assert digests(11, sign="-", loose="DECIDES_NOTHING = True\n") == plumbing != base


def test_files_are_looked_at_once_where_sources_stand_still_and_each_time_elsewhere(tmp_path, monkeypatch) -> None:
    package = tmp_path / "stillpack"
    package.mkdir()
    file = package / "__init__.py"
    monkeypatch.syspath_prepend(tmp_path)

    def digest(body: str) -> str:
        file.write_text(f"def use():\n    return {body}\n")
        return code_digest("stillpack:use")

    before, after = digest("1"), digest("1 + 1")
    assert before != after
    with still_sources():
        assert digest("1 + 1 + 1") not in (before, after), "what changed before is seen"
        assert digest("2") == code_digest("stillpack:use") == digest("1 + 1 + 1"), "what changes within is not"
    assert digest("1") == before


def test_names_that_a_package_imports_late_are_followed(tmp_path: Path) -> None:
    init = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from pack.home import helper as helper
def __getattr__(name):
    return name
"""

    def digest(number: int, sign: str) -> set[str]:
        code = written(tmp_path / str(number), init=init, sign=sign, more="\nfrom pack import helper as h\nlate = h\n")
        return code.of([Unit("pack.user", "late")])

    assert digest(0, "+") != digest(1, "-")


def test_a_definition_that_is_not_there_is_an_error() -> None:
    for name in ("segfrontier.errors:NoSuch", "segfrontier.no_such:it", "no_such_package_at_all:it"):
        with pytest.raises(BadInput, match=f"the code of {name} must be readable"):
            code_digest(name)


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
