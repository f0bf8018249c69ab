"""Where malformed calls are made: a home with a study that ran, a toy world, prices, and files of the wrong kind."""

import json
import os

import yaml
from madestudy import baselines
from madestudy import study as made_study
from toystudy import PRICES, RECIPE
from toyworld import write_toy

STUDY = {
    "name": "toy", "worlds": "toy", "prices": "toy.yaml", "methods": ["fine"], "budgets": [0.1],
    "recipe": RECIPE, "executor": {"kind": "local"},
}  # fmt: skip


def fill(box):
    """The folder in which calls are made: everything that a call may name lies in it."""
    here = box / "here"
    here.mkdir()
    (box / "sentinel").write_text("untouched")
    write_toy(here / "toy")
    (here / "toy.yaml").write_text(PRICES)
    (here / "study.yaml").write_text(yaml.safe_dump(STUDY))
    (here / "nowhere.yaml").write_text(yaml.safe_dump(STUDY | {"worlds": "nowhere"}))
    made_study(here / "runs", baselines())
    (here / "file").write_text("a file\n")
    (here / "latin1.yaml").write_bytes("name: é\n".encode("latin-1"))
    (here / "binary.yaml").write_bytes(bytes(range(256)))
    (here / "empty.yaml").write_text("")
    (here / "list.yaml").write_text("- 1\n- 2\n")
    (here / "merge.yaml").write_text("base: &b {name: x}\n<<: *b\nmethods: fine\nbudgets: 1\n")
    (here / "deep.yaml").write_text("[" * 3000 + "]" * 3000)
    (here / "bomb.yaml").write_text(
        "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    )
    (here / "empty").mkdir()
    os.mkfifo(here / "pipe")
    (here / "loop").symlink_to("loop")
    (here / "gone").symlink_to("not-there")
    (here / "bad.json").write_text(json.dumps([1]))
    return here
