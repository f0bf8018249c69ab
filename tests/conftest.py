"""What every test gets: a cache of its own, one thread, a toy world."""

import gc
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import pytest
from rayhere import SETTINGS
from toyworld import write_toy

cv2.setNumThreads(0)


def pytest_collection_modifyitems(config, items):
    """What is marked `soak` runs where it is asked for by that word alone."""
    if "soak" not in config.option.markexpr:
        soaked = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=soaked)


def pytest_collection_finish(session):
    """The collector looked through all that was loaded again and again: a quarter of a test's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 20)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Mirrors and built-in worlds of the tests never touch the user's cache."""
    before = os.environ.get("SEGFRONTIER_CACHE")
    os.environ["SEGFRONTIER_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["SEGFRONTIER_CACHE"]
    else:
        os.environ["SEGFRONTIER_CACHE"] = before


@pytest.fixture
def toy_world(tmp_path):
    """Five source, six training and three validation scenes of 24x32 in three classes, in several shards."""
    return write_toy(tmp_path / "toy")


@pytest.fixture(scope="session")
def pools(own_cache):
    """Two processes for all tests that need some beside their own: each takes five seconds to import what it runs."""
    from elsewhere import processes

    with processes(2) as two:
        yield two


@pytest.fixture(scope="session")
def ray_here(own_cache):
    """One local Ray of two CPUs for all tests that need one."""
    from segfrontier.lab._ray import start_ray, stop_ray

    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        patch.delenv("RAY_ADDRESS", raising=False)
        start_ray(num_cpus=2)
        yield
        stop_ray()
