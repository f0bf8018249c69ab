"""Studies on the toy world: cells that take a fraction of a second."""

import yaml
from toyworld import write_toy

from segfrontier.study.config import Study

PRICES = """
format: 1
name: toy
version: 1
acts:
  fine: {seconds: 100, per: image, source: made up}
  coarse: {seconds: 10, per: image, source: made up}
"""
RECIPE = {"pretrained": "never", "steps": 3, "batch": 2, "lr": 0.001, "norm": "frozen", "scale": [1.0, 1.0]}


def parsed(plain, **changes):
    """A study from the plain values of its file, some of them changed."""
    return Study.parse(yaml.safe_dump(plain | changes))


def toy_study(folder, **changes):
    """A study of 8 cells on a toy world in `folder`; budgets buy two and four of its six fine masks."""
    if not (folder / "toy").exists():
        write_toy(folder / "toy")
        (folder / "toy.yaml").write_text(PRICES)
    plain = {
        "name": "toy", "worlds": str(folder / "toy"), "prices": str(folder / "toy.yaml"),
        "methods": ["fine", {"name": "fine+coarse", "knobs": {"split": [0.6]}}],
        "budgets": [200 / 3600, 400 / 3600], "seeds": [0, 1], "recipe": RECIPE, "executor": {"kind": "local"},
    }  # fmt: skip
    return parsed(plain, **changes)


def outcome(record):
    """What of a record must not depend on how it came about."""
    stages = {(s.kind, s.key) for s in record.stages}
    return (
        record.state,
        record.cell["label"],
        record.seconds,
        record.acts,
        str(record.values),
        str(record.iou),
        stages,
    )
