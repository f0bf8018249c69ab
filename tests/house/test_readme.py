"""What README tells users to write works as it stands there: own methods, own images, own prices."""

import importlib
import re
import sys
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest
from terminal import segfrontier
from toystudy import parsed

from segfrontier.study.run import run_study

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(mark):
    """The code after `<!-- mark -->`."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n+```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"README must have a block after <!-- {mark} -->"
    return found[1]


@pytest.fixture
def my_methods(tmp_path, monkeypatch):
    """The two files of README in a folder, installed as pip would: code on the path, entry points beside it."""
    folder = tmp_path / "my-methods"
    folder.mkdir()
    (folder / "my_methods.py").write_text(block("own-method: my_methods.py"))
    project = tomllib.loads(block("own-method: pyproject.toml"))["project"]
    info = folder / f"my_methods-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in names.items()) for group, names in groups]
    (info / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("my_methods", None)


def test_a_whole_method_takes_thirty_lines():
    assert len(block("own-method: my_methods.py").strip().splitlines()) <= 30


@pytest.mark.slow
def test_the_method_of_the_readme_trains_on_labels_that_it_bought(my_methods, tmp_path):
    listed = segfrontier("methods", folder=tmp_path)
    assert "sure_of_it  Buy coarse masks, train" in listed.stdout and "knobs: above=0.9" in listed.stdout
    world = "street:train=6,val=2,synthetic=0,size=64x128"
    ran = segfrontier(
        "train", "sure_of_it", "--world", world, "--hours", "0.5", "--pretrained", "never", "--steps", "2",
        "--knob", "above=0.1", "--device", "cpu", "--tracking", "none", folder=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "mIoU" in ran.stdout and "annotation: 0.5 h" in ran.stdout
    ledger = segfrontier("ledger", "runs", folder=tmp_path).stdout
    assert re.search(r"coarse +4 +4 +4", ledger) and "pseudo_labels" in ledger


@pytest.mark.slow
def test_images_of_ones_own_become_a_world_that_a_method_trains_on(tmp_path):
    (tmp_path / "my-city.yaml").write_text(block("own-images: my-city.yaml"))
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 2)):
        for kind in ("images", "labels"):
            (tmp_path / kind / split).mkdir(parents=True)
        for i in range(count):
            ids = np.full((64, 64), 7, np.uint8)
            ids[8:24, 8 + i : 30 + i], ids[:4] = 26, 255
            image = np.where(ids[..., None] == 26, 200, 90) + rng.integers(-20, 20, (64, 64, 3))
            cv2.imwrite(str(tmp_path / f"images/{split}/{i}.jpg"), image.astype(np.uint8))
            cv2.imwrite(str(tmp_path / f"labels/{split}/{i}.png"), ids)
    imported = segfrontier("world", "import", "my-city.yaml", "worlds/my-city", folder=tmp_path)
    assert imported.returncode == 0, imported.stderr
    (tmp_path / "my-prices.yaml").write_text(block("prices: my-prices.yaml"))
    ran = segfrontier(
        "train", "fine", "--world", "worlds/my-city", "--prices", "my-prices.yaml", "--hours", "1", "--steps", "2",
        "--pretrained", "never", "--batch", "2", "--device", "cpu", "--tracking", "none", folder=tmp_path,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert "road" in ran.stdout and "car" in ran.stdout and "annotation: 1.0 h" in ran.stdout


@pytest.mark.slow
def test_other_prices_bill_the_same_acts_anew(tmp_path):
    (tmp_path / "my-prices.yaml").write_text(block("prices: my-prices.yaml"))
    world = "street:train=6,val=2,synthetic=0,size=64x128"
    plain = {"name": "mine", "worlds": world, "methods": ["fine"], "budgets": [3, 6], "executor": {"kind": "local"},
             "recipe": {"pretrained": "never", "steps": 2, "norm": "frozen"}}  # fmt: skip
    run_study(parsed(plain), home=tmp_path / "runs", tracking="none")
    before = segfrontier("frontier", "mine", folder=tmp_path).stdout
    after = segfrontier("frontier", "mine", "--prices", "my-prices.yaml", folder=tmp_path).stdout
    assert re.search(r"fine +3 h +3\.00", before) and re.search(r"fine +3 h +1\.00", after), after
