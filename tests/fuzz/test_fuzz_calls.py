"""Malformed calls of every verb: a documented exit code, a sentence, no traceback, no hang, nothing elsewhere."""

import pytest
from callhere import call, contained, snapshot
from corpus import BASES, KNOWN, generated, verbs
from sandbox import fill
from slowcalls import SLOW

CODES = (0, 1, 2, 3, 130)
OWN = ("cache", "tmp", "user")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The folder of all calls; a refused one leaves it as it was."""
    box = tmp_path_factory.mktemp("box")
    with contained(box):
        yield fill(box)


def parameters():
    for one in ({one.words: one for one in generated()} | {one.words: one for one in KNOWN}).values():
        marks = [pytest.mark.slow] if one.id in SLOW or one.rare else []
        yield pytest.param(one, id=one.id.encode("ascii", "backslashreplace").decode(), marks=marks)


@pytest.mark.parametrize("one", parameters())
def test_a_malformed_call_ends_in_a_sentence(one, here):
    box = here.parent
    before = snapshot(box, but=(*OWN, "here/runs"))
    ended = call(*one.words, folder=here)
    assert ended.code in CODES and ended.code in one.codes, ended.told
    assert "Traceback" not in ended.told and "not foreseen" not in ended.told, ended.told
    assert one.found in ended.told
    if ended.code == 3 and not one.found:
        assert any(hint in ended.told for word in one.words[1:] for hint in hints(word)), ended.told
    after = snapshot(box, but=(*OWN, "here/runs"))
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    free = ended.code in (0, 1) or "--home" in one.words
    assert not {name for name in changed if not (free and name.startswith("here/"))}


def hints(word):
    """How a refusal may tell a word."""
    yield from (word[:60], repr(word)[1:60].strip("'"), " ".join(word.split()), word.removesuffix(".yaml"))
    if word.startswith("1e"):
        yield f"{float(word):g}"


def test_every_verb_is_here():
    assert {name for name, _ in verbs()} == set(BASES)
    quick = [p for p in parameters() if not any(mark.name == "slow" for mark in p.marks)]
    assert len(quick) >= 300 and {one.id for one in KNOWN} >= SLOW - {one.id for one in generated()}
