"""Mistakes in house words: the place, the nearest key, what was found, and not too much of it."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segfrontier.basics.wording import MANY, explain, shown, unknown


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Price(Strict):
    seconds: Annotated[float, Field(gt=0)]


class Listing(Strict):
    name: str
    acts: dict[str, Price] = {}
    more: tuple[Price, ...] | None = None


def mistakes(plain):
    with pytest.raises(ValidationError) as caught:
        Listing.model_validate(plain)
    return explain(caught.value, Listing, where="f.yaml").splitlines()


def test_a_wrong_key_names_the_nearest_one_of_its_own_place():
    assert mistakes({"name": "a", "acts": {"fine": {"seconds": 1, "secnds": 1}}}) == [
        "f.yaml: acts.fine.secnds: did you mean 'seconds'?"
    ]
    assert mistakes({"name": "a", "more": [{"seconds": 1, "secnds": 1}]}) == [
        "f.yaml: more.0.secnds: did you mean 'seconds'?"
    ]
    assert mistakes({"nam": "a", "name": "a"}) == ["f.yaml: nam: did you mean 'name'?"]


def test_what_was_found_is_told_but_not_at_length():
    assert mistakes({"name": "a", "acts": {"fine": {"seconds": -3}}}) == [
        "f.yaml: acts.fine.seconds: must be greater than 0; found -3"
    ]
    [line] = mistakes({"name": ["x" * 100_000]})
    assert line.startswith("f.yaml: name: must be a valid string; found ['xxx") and len(line) < 200
    assert "too large to be shown" in shown(int("f" * 9_000, 16))


def test_of_very_many_mistakes_only_the_number_is_told():
    lines = mistakes({"name": "a"} | {f"key{i}": 1 for i in range(1_000)})
    assert len(lines) == MANY + 1 and lines[-1] == f"f.yaml: and {1_000 - MANY} more mistakes"


def test_where_there_are_no_keys_none_is_named():
    assert unknown("x", ()) == "there is no such key, nor any other"
