"""What most tests of methods run on, where a file has no world of its own."""

import pytest
from pointhere import larger_toy


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return larger_toy(tmp_path_factory.mktemp("world") / "toy")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """One home for all tests of a file: what their variants share is trained once."""
    return tmp_path_factory.mktemp("home")
