"""Keys: equal for equal values, different for different ones, the same in every process."""

from __future__ import annotations

import enum
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.errors import BadInput
from segfrontier.store import stage_key
from segfrontier.store.keys import dumps, plain


@dataclass(frozen=True)
class Rule:
    above: float
    views: tuple[object, ...] = ()
    cache: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class OtherRule:
    above: float
    views: tuple[object, ...] = ()


class Blend(enum.Enum):
    MEAN = 1
    MAX = 2


def key(**arguments: object) -> str:
    return stage_key("train", arguments, {}, "c0de")


def test_the_key_is_the_blake2b_of_a_canonical_text() -> None:
    text = '{"arguments":{"lr":0.1,"steps":[1,2]},"code":"c0de","format":2,"inputs":{"real":"ab"},"kind":"train"}'
    expected = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    assert stage_key("train", {"steps": (1, 2), "lr": 0.1}, {"real": "ab"}, "c0de") == expected


def test_each_ingredient_makes_the_key() -> None:
    base = ("train", {"a": 1}, {"x": "k"}, "c")
    others = [("label", *base[1:]), ("train", {"a": 2}, *base[2:]), (*base[:2], {"x": "l"}, "c"), (*base[:3], "d")]
    others += [("train", {"x": "k"}, {"a": "1"}, "c"), ("train", {"a": 1}, {"y": "k"}, "c")]
    assert len({stage_key(*args) for args in [base, *others]}) == 7


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ((1, 2), [1, 2]),
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float32(0.5), 0.5),
        (np.str_("a"), "a"),
        (PurePosixPath("a/b"), "a/b"),
        ({3, 1, 2}, frozenset({1, 2, 3})),
        ({1: "a", 2: "b"}, {2: "b", 1: "a"}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Rule(0.5, (1,), {"a": 1}), Rule(0.5, (1,), {"b": 2})),
    ],
    ids=repr,
)
def test_equal_values_have_equal_keys(one: object, same: object) -> None:
    assert key(x=one) == key(x=same)


def test_values_that_differ_have_different_keys() -> None:
    values: list[object] = [None, True, 1, 1.0, "1", "True", "None", 0, False, 0.0, -0.0, float("inf"), -float("inf")]
    values += ["inf", [], {}, [1], [[1]], {1}, {1: 2}, {"1": 2}, {"~map": [[1, 2]]}, {"~float": "inf"}, {"~set": [1]}]
    values += [0.1, 0.1 + 2**-55, np.float32(0.1), 2**53 + 1, float(2**53)]
    values += [Rule(0.5), OtherRule(0.5), {"above": 0.5, "views": []}, Blend.MEAN, Blend.MAX, "Blend.MEAN"]
    assert len({key(x=value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"lr": float("nan")}, "arguments.lr must be a number that equals itself"),
        ({"rule": Rule(0.5, (1, 2, np.float64("nan")))}, "arguments.rule.views[2] must"),
        ({"rule": {"a": [0, object()]}}, "arguments.rule.a[1] must"),
        ({"a b": {1: lambda: 0}}, "arguments['a b'][1] must"),
        ({"x": Rule}, "arguments.x must"),
        ({"x": np.zeros(3)}, "found a numpy.ndarray"),
        ({"x": {(1, b"2"): 0}}, "arguments.x key (1, b'2')[1] must"),
    ],
)
def test_what_has_no_stable_hash_is_named(arguments: dict[str, object], place: str) -> None:
    with pytest.raises(BadInput) as error:
        stage_key("train", arguments, {}, "")
    assert place in str(error.value)


def test_inputs_are_digests() -> None:
    with pytest.raises(BadInput, match=r"inputs\.model must be a key"):
        stage_key("train", {}, {"model": 3}, "")  # type: ignore[dict-item]


def test_hash_seeds_and_processes_do_not_matter() -> None:
    arguments = "{'words': {'a', 'b', 'c', 'dd'}, 'b': {2: 0.1, 'x': (1,)}, 'a': None}"
    code = f"from segfrontier.store.keys import stage_key as k; print(k('t', {arguments}, {{}}, 'c'))"
    here = stage_key("t", eval(arguments), {}, "c")
    env = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    there = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def shuffled(tree: object) -> object:
    """The same value with every mapping in reverse order and every list as a tuple."""
    if isinstance(tree, dict):
        return {k: shuffled(v) for k, v in reversed(tree.items())}
    return tuple(shuffled(v) for v in tree) if isinstance(tree, list) else tree


def exact(tree: object) -> object:
    """An independent canonical form: nested tuples that carry every type, so that == is identity of meaning."""
    if isinstance(tree, dict):
        return ("map", frozenset((k, exact(v)) for k, v in tree.items()))
    if isinstance(tree, list | tuple):
        return ("list", tuple(exact(v) for v in tree))
    return (type(tree).__name__, tree.hex() if isinstance(tree, float) else tree)


@settings(deadline=None, derandomize=True)
@given(trees)
def test_order_and_sequence_type_do_not_matter(tree: object) -> None:
    assert key(x=tree) == key(x=shuffled(tree))


@settings(deadline=None, derandomize=True)
@given(trees, trees)
def test_keys_are_equal_exactly_when_values_are(one: object, other: object) -> None:
    assert (key(x=one) == key(x=other)) == (exact(one) == exact(other))


@settings(deadline=None, derandomize=True)
@given(trees)
def test_plain_json_is_ascii_and_its_own_plain_form(tree: object) -> None:
    text = dumps(plain(tree))
    assert text.isascii()
    assert dumps(plain(shuffled(tree))) == text


def test_a_path_is_its_text() -> None:
    assert plain(Path("a") / "b") == "a/b"
