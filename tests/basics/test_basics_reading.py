"""What a file may hold, and how it is refused: by a sentence, and at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from segfrontier.basics.reading import load_json, load_yaml, parse_json, parse_yaml, read_bounded, read_json
from segfrontier.errors import BadInput, BadStudy


@pytest.fixture(autouse=True)
def _in_a_second() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 5  # a second on a quiet machine


def yaml_of(text: str) -> object:
    return parse_yaml(text, where="here", what="a thing", error=BadStudy)


def test_plain_yaml_and_merges() -> None:
    assert yaml_of("a: 1\nb: [x, 2.5, null]") == {"a": 1, "b": ["x", 2.5, None]}
    assert yaml_of("base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}") == {
        "base": {"x": 1, "y": 2},
        "mine": {"x": 1, "y": 3},
    }
    assert yaml_of("") is None


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2", "twice: a"),
        ("a: [1", "valid YAML"),
        ("[" * 3000, "64 levels"),
        ("{a: " * 3000, "64 levels"),
        ("- " * 3000, "64 levels"),
        (BOMB, "100000 values"),
        ("&a [*a]", "contain itself"),
        ("x: *nothing", "contain itself|undefined"),
        ("? [1, 2]\n: 3", "valid YAML"),
        ("2024-99-99", "valid YAML"),
        ("x: " + "9" * 5000, "400 digits"),
        ("\x00", "valid YAML"),
        ("!!python/object:os.system {}", "valid YAML"),
        ("<<: 3", "valid YAML"),
        ("x: !!int x", "valid YAML"),
    ],
)
def test_yaml_that_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadStudy, match=told) as caught:
        yaml_of(text)
    assert str(caught.value).startswith("here: a thing ") and len(str(caught.value)) < 600


def test_many_keys_take_no_square_of_time() -> None:
    assert len(dict(yaml_of("".join(f"k{i}: 1\n" for i in range(20_000))))) == 20_000  # type: ignore[call-overload]


def test_files_that_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes("é: 1".encode("latin-1"))
    (tmp_path / "large").write_bytes(b" " * (2**20 + 1))
    (tmp_path / "loop").symlink_to("loop")
    for name, told in (
        ("pipe", "no regular file"), ("latin", "UTF-8; found the byte 0xe9 at 0"), ("large", "more than the 1048576"),
        ("loop", "readable"), (".", "folder"), ("nothing", "readable"), ("a\0b", "readable"), ("a" * 300, "readable"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=told):
            load_yaml(tmp_path / name, what="a thing")
    (tmp_path / "fits").write_bytes(b" " * 2**20)
    assert len(read_bounded(tmp_path / "fits")) == 2**20
    (tmp_path / "bom").write_bytes(b"\xef\xbb\xbfa: 1")
    assert load_yaml(tmp_path / "bom", what="a thing") == {"a": 1}


def test_json_that_is_refused(tmp_path: Path) -> None:
    for text in ("", "{", "[" * 100_000, "9" * 5000, '{"a": 1} x'):
        with pytest.raises(BadInput, match="a thing"):
            parse_json(text, where="here", what="a thing")
    (tmp_path / "deep").write_text("[" * 100_000)
    assert read_json(tmp_path / "deep") is None and read_json(tmp_path / "none") is None
    (tmp_path / "good").write_text("[1]")
    assert load_json(tmp_path / "good", what="a thing") == [1]


@pytest.mark.parametrize("number", ["9" * 500, ":".join(["1"] * 300_000), "0x" + "f" * 900_000])
def test_endless_numbers_are_refused_before_they_are_computed(number):
    began = time.monotonic()
    with pytest.raises(BadInput, match="numbers of 400 digits"):
        parse_yaml(f"a: {number}", where="f", what="a file")
    assert time.monotonic() - began < 1


def test_half_a_character_is_no_text():
    with pytest.raises(BadInput, match="must be JSON"):
        parse_json(r'{"a": "\ud800"}', where="f", what="a file")
    assert parse_json(r'{"a": "\ud83d\ude00"}', where="f", what="a file") == {"a": "\U0001f600"}
