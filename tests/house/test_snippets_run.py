"""Every command and every Python snippet of the documents and of help texts runs, in one small home, in their order.

A snippet that is new is run, too; what cannot be run here stands in `NOT_HERE` with the reason. So that minutes become
seconds, words are replaced and options added as `WORDS` and `FASTER` say, and nothing else.
"""

import contextlib
import json
import os
import re

import cv2
import numpy as np
import pytest
import yaml
from snippethere import ROOT, blocks, documented, helped, spans
from terminal import segfrontier

from segfrontier.scenes.classes import CAMVID

NOT_HERE = {
    r"demo\b": "takes five minutes; tests of the demo run its study",
    r"ui\b": "serves until it is stopped",
    r"claims run\b": "takes hours",
    r"world import (cityscapes|gta5)\b": "needs the data set; tests/scenes imports small ones in its layout",
    r".*--workers": "starts a Ray of its own; tests/lab has such",
    r".*--address": "needs a cluster",
    r".*/shared/runs": "needs a cluster's disk",
    r"run methods/": "takes five minutes a cell",
}
WORDS = {
    "street": "street:train=6,val=2,synthetic=4,size=64x128",
    "worlds/cityscapes": "worlds/my-city", "test": "val",
    "street-baselines": "masks-or-clicks", "NAME": "masks-or-clicks", "seeds=[0,1,2]": "seeds=[0,1]",
}  # fmt: skip
SMALL = {
    "worlds": WORDS["street"], "budgets": [4], "seeds": [0], "executor": {"kind": "local"},
    "recipe": {"pretrained": "never", "steps": 2, "lr": 0.05},
}  # fmt: skip
"""Takes the place of what README's study says."""
FASTER = {
    "train": "--pretrained never --steps 2 --batch 2 --device cpu --tracking none",
    "run": "--tracking none", "plan": "--no-probe", "predict": "--device cpu",
    "score": "--device cpu",
}  # fmt: skip
FEWER = {
    ("plan", "study:cityscapes-gta5"): "--set budgets=[50] --set seeds=[0]",
    ("plan", "coarse_to_fine:table-3"): "--set budgets=[58.3] --set seeds=[0]",  # tests/plan has all of it
    ("claims", "show"): "active_points",  # those of all methods need a minute of worlds to be rendered
}  # fmt: skip
"""Whole commands that would take minutes."""
TRAIN_WORLD = ("--world", WORDS["street"])
ENDS = {"doctor": (0, 1)}
"""Verbs that may end otherwise than with 0: this machine may lack something."""

RUN = list(dict.fromkeys([*documented(), *helped()]))


def why_not(words):
    return next((why for pattern, why in NOT_HERE.items() if re.match(pattern, " ".join(words))), "")


def test_no_reason_is_left_over():
    assert {why_not(words) for words in RUN} - {""} == set(NOT_HERE.values())


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all files that the snippets name, as small as can be."""
    folder = tmp_path_factory.mktemp("snippets")
    marked = {block.mark.partition(": ")[2]: block.text for block in blocks() if block.mark}
    for name in ("my-city.yaml", "my-prices.yaml"):
        (folder / name).write_text(marked[name])
    (folder / "cheap-clicks.yaml").write_text(marked["my-prices.yaml"])
    study = next(block.text for block in blocks() if block.text.startswith("name: masks-or-clicks"))
    (folder / "study.yaml").write_text(yaml.safe_dump(yaml.safe_load(study) | SMALL))
    one = {"name": "all", "paper": "ours", "where": "Table 1", "hours": 60, "score": 0.5}
    (folder / "papers.yaml").write_text(json.dumps({"references": [one]}))
    scores = [f"{m},{h},{0.1 * s + h / 100},{s}" for m in ("fine", "coarse") for h in (4, 12) for s in (0, 1, 2)]
    (folder / "points.csv").write_text("\n".join(["method,hours,score,seed", *scores]))
    write_images(folder / "images", folder / "labels", values=(7, 26), splits=(("train", 4), ("val", 2)), kind="jpg")
    write_images(folder / "photos", folder / "of-photos", values=(0,), splits=((".", 2),), kind="jpg")
    if not (given := os.environ.get("SEGFRONTIER_CAMVID")):
        for split, count in (("train", 4), ("val", 2)):
            both = (folder / "data/CamVid" / split, folder / "data/CamVid" / f"{split}annot")
            write_images(*both, values=range(len(CAMVID.classes)), splits=((".", count),), kind="png")
    else:
        (folder / "data").mkdir()
        (folder / "data/CamVid").symlink_to(given)
    return folder


def write_images(images, labels, *, values, splits, kind):
    rng = np.random.default_rng(0)
    for split, count in splits:
        for at in (images, labels):
            (at / split).mkdir(parents=True)
        for i in range(count):
            cv2.imwrite(str(images / split / f"{i}.{kind}"), rng.integers(0, 255, (64, 96, 3)).astype(np.uint8))
            cv2.imwrite(str(labels / split / f"{i}.png"), rng.choice(list(values), (64, 96)).astype(np.uint8))


def key_in(folder):
    """The key of a cell that is done in the home of the snippets: always that of the first one."""
    kept = folder / "key"
    if not kept.exists():
        kept.write_text(min(path.parent.name for path in (folder / "runs/cells").glob("*/record.json")))
    return kept.read_text()


def as_here(words, folder):
    """The words with what stands for something put in, and made faster."""
    words = [WORDS.get(word, word) for word in words]
    for stand_in in ("55faf96e…", "55faf96e", "KEY"):
        words = [word.replace(stand_in, key_in(folder)) if stand_in in word else word for word in words]
    words += FEWER.get(tuple(words), "").split()
    extra = FASTER.get(words[0], "").split()
    world = TRAIN_WORLD if words[0] == "train" and "--world" not in words else ()
    return [*words, *(() if extra[:1] and extra[0] in words else extra), *world]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*RANDOM weights")
def test_every_command_runs(place):
    for words in RUN:
        if not why_not(words):
            done = segfrontier(*as_here(words, place), folder=place)
            wanted = ENDS.get(words[0], (0,))
            assert done.returncode in wanted, f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    for code in [block.text for block in blocks() if block.kind == "python" and not block.mark] + python_spans():
        exec_here(code, place)


def python_spans():
    """Imports in the running text, with the calls that stand beside them."""
    calls = [span for span in spans() if re.match(r"run_study\(", span)]
    imports = [span for span in spans() if span.startswith("from segfrontier import ")]
    assert imports and calls
    return ["\n".join([*imports, "from pathlib import Path", *calls])]


def exec_here(code, folder):
    image = np.zeros((48, 64, 3), np.uint8)
    with contextlib.chdir(folder):
        exec(compile(code.replace("55faf96e", key_in(folder)), str(ROOT / "README.md"), "exec"), {"image": image})
