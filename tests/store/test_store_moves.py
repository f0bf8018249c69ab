"""The keys of real stages survive a move and a renamed import; an edited loss changes just the stages that use it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import segfrontier
import segfrontier_methods
from segfrontier.store.modules import Sources, Unit
from segfrontier.store.source import Digests

LAB = "segfrontier.lab"
LOOP = (f"{LAB}.training.loop", "run")
STAGES = {
    "train fine": [LOOP, ("segfrontier_methods.supervised.objective", "CrossEntropy")],
    "train hybrid": [LOOP, ("segfrontier_methods.coarse_to_fine.objective", "HybridSupervision")],
    "train adapted": [LOOP, ("segfrontier_methods.active_points.objective", "Adapt")],
    "label": [(f"{LAB}.passes.label", "LabelPass"), ("segfrontier_methods.coarse_to_fine.rule", "AgreeAndConfident")],
    "score": [
        (f"{LAB}.passes.scores", "counted"),
        (f"{LAB}.passes.scores", "Scores"),
        (f"{LAB}.passes.inference", "Predictor"),
    ],
    "network": [("segfrontier.models.model", "ModelSpec")],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of both packages."""
    for package in (segfrontier, segfrontier_methods):
        shutil.copytree(
            Path(package.__path__[0]), tmp_path / package.__name__, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


def digests(tree: Path, moved: dict[str, str] | None = None) -> dict[str, frozenset[str]]:
    code = Digests(Sources({name: tree / name for name in ("segfrontier", "segfrontier_methods")}))
    names = moved or {}
    return {
        stage: frozenset(code.of([Unit(names.get(module, module), name) for module, name in roots]))
        for stage, roots in STAGES.items()
    }


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_a_moved_module_and_renamed_imports_change_no_key(tree: Path) -> None:
    before = digests(tree)
    (tree / "segfrontier" / "lab" / "moved").mkdir()
    moves = {
        f"{LAB}.{name}": f"{LAB}.moved.{name.rpartition('.')[2]}"
        for name in ("passes.rules", "passes.scores", "passes.inference")
    }
    moves["segfrontier.maths.losses"] = "segfrontier.maths.pixel_losses"
    for old, new in moves.items():
        (tree / f"{old.replace('.', '/')}.py").rename(tree / f"{new.replace('.', '/')}.py")
    for file in tree.rglob("*.py"):
        text = file.read_text()
        for old, new in moves.items():
            text = re.sub(rf"\b{re.escape(old)}\b", new, text)
        file.write_text(text)
    learners = tree / "segfrontier/lab/training/learners.py"
    edit(learners, "import torch\n", "import torch as framework\n")
    learners.write_text(re.sub(r"\btorch\.", "framework.", learners.read_text()))
    assert digests(tree, moves) == before


def test_an_edited_loss_changes_just_the_stages_that_use_it(tree: Path) -> None:
    before = digests(tree)
    edit(tree / "segfrontier/maths/boundary_losses.py", "def boundary_loss(", "SHIFT = 1\n\n\ndef boundary_loss(")
    assert digests(tree) == before  # nobody uses it
    edit(tree / "segfrontier/maths/boundary_losses.py", "SHIFT = 1", "@functools.wraps(print)")
    edit(tree / "segfrontier/maths/boundary_losses.py", "from __future__", "import functools\nfrom __future__")
    after = digests(tree)
    assert {stage for stage in STAGES if after[stage] != before[stage]} == {"train hybrid"}


def test_engine_plumbing_is_in_no_key(tree: Path) -> None:
    before = digests(tree)
    for name in (
        "lab/_ray/health",
        "lab/_ray/data",
        "lab/training/checkpoints",
        "basics/atomic",
        "errors",
        "study/run",
    ):
        file = tree / "segfrontier" / f"{name}.py"
        file.write_text(file.read_text() + "\n\ndef more() -> None:\n    raise SystemExit\n")
    assert digests(tree) == before


def test_the_evaluator_is_in_the_key_of_scores_and_in_no_training(tree: Path) -> None:
    before = digests(tree)
    edit(tree / "segfrontier/maths/confusion.py", "num_classes", "class_count")
    after = digests(tree)
    assert after["score"] != before["score"]
    assert all(after[stage] == before[stage] for stage in STAGES if stage.startswith(("train f", "train h", "network")))
