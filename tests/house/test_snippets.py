"""Every snippet of the documents and of help texts works: a new one is run, or names here why it cannot be."""

import re
import shlex
import tomllib

import pytest
import yaml
from ray.scripts.scripts import cli as rays_own
from snippethere import ROOT, blocks, commands_in, documented, helped, mentioned, options, parsed, shell_lines, spans

from segfrontier.market.prices import parse_prices
from segfrontier.scenes.folders import FolderSpec
from segfrontier.study.claims import parse_claims
from segfrontier.study.config import Study

STUDY_KEYS = ("recipe", "search", "limits", "executor", "models", "track", "prices")
"""Settings of a study that the text shows as `key: value`; `|` in them separates choices."""


@pytest.mark.parametrize("words", [*documented(), *helped()], ids=" ".join)
def test_every_command_is_one_that_the_command_line_takes(words):
    parsed(words)


@pytest.mark.parametrize("words", mentioned(), ids=" ".join)
def test_every_command_in_the_text_has_verbs_and_options_that_there_are(words):
    known, named = options(words)
    assert named <= known


def test_the_shell_is_told_to_do_nothing_else():
    """Installing and testing are done by `.ci/run` from these very blocks; `ray` is the cluster's own command."""
    others = [line for line in shell_lines() if not line.startswith("segfrontier ")]
    marked = [block.text.strip() for block in blocks() if block.mark in ("demo", "tests")]
    words = [line.split() for line in others if line not in marked]
    assert {first for first, *_ in words} == {"ray"}
    known = {"up", "down", "attach", "dashboard", "get-auth-token", "job"}
    assert {verb for _, verb, *_ in words} == known <= set(rays_own.commands)
    assert "<!-- tests -->" in (ROOT / ".ci/run").read_text()


def test_every_block_is_of_a_kind_that_is_tested():
    tested = ("python", "yaml", "toml")
    odd = [block for block in blocks() if not block.for_a_shell and block.kind not in tested and not is_tree(block)]
    assert not odd, [(block.where, block.text[:60]) for block in odd]


def is_tree(block):
    """README's list of folders: each of them is there."""
    if block.kind or not block.text.startswith("platform/"):
        return False
    top = ROOT
    for line in block.text.splitlines():
        for name in re.findall(r"(?<=\s)[\w/]+(?:/|\.py)(?=\s|$)", f" {line}"):
            top = top if line.startswith(" ") else ROOT / name
            assert (top / name if line.startswith(" ") else top).exists(), name
    return True


def test_every_yaml_is_what_it_says_it_is():
    kinds = {"own-images": lambda text: FolderSpec.model_validate(yaml.safe_load(text)),
             "prices": lambda text: parse_prices(text, where="README"), "": Study.parse,
             "claims": lambda text: parse_claims(text, where="docs")}  # fmt: skip
    found = [block for block in blocks() if block.kind == "yaml"]
    assert len(found) >= 3
    for block in found:
        kinds[block.mark.partition(":")[0]](block.text)


def test_every_toml_is_a_project_of_entry_points_that_are_looked_for():
    for block in blocks():
        if block.kind == "toml":
            groups = tomllib.loads(block.text)["project"]["entry-points"]
            assert set(groups) <= {"segfrontier.methods", "segfrontier.weights"}, block.where


def test_every_setting_in_the_text_is_taken_by_a_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-prices.yaml").write_text(next(b.text for b in blocks() if b.mark == "prices: my-prices.yaml"))
    found = [span for span in spans() if re.match(rf"({'|'.join(STUDY_KEYS)}): ", span)]
    assert len(found) > 6, found
    for span in found:
        key, text = span.split(": ", 1)
        for choice in re.findall(r"(\w+(?: \| \w+)+)", text) or [""]:
            for one in choice.split(" | "):
                value = yaml.safe_load(text.replace(choice, one))
                Study.of({"name": "s", "methods": ["fine"], "budgets": [1], key: value})


def test_every_folder_setting_in_the_text_is_taken_by_an_import():
    described = yaml.safe_load(next(b.text for b in blocks() if b.mark.startswith("own-images")))
    one = {"train": {"images": "{city}/{id}.png", "semantic": "labels/{city}/{id}.png"}}
    found = [span for span in spans() if re.match("val: ", span)]
    assert found
    for span in found:
        FolderSpec.model_validate(described | {"splits": one} | yaml.safe_load(span))


def test_a_command_in_a_text_is_found_whatever_stands_around_it():
    text = "Examples: segfrontier a; segfrontier b --x 'y; z' | jq .\nray job submit -- segfrontier c\nls segfrontier"
    assert [shlex.join(words) for words in commands_in(text)] == ["a", "b --x 'y; z'", "c"]
    with pytest.raises(AssertionError, match="there is no 'plam'"):
        parsed(("plam", "study.yaml"))
