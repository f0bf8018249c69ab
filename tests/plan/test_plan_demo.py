"""The demo's study can run: every installed method with the knobs, and on the classes, that the demo gives it."""

import json
from importlib.resources import files

from segfrontier.lab.methods import demo_methods
from segfrontier.plan.planning import plan_study
from segfrontier.study.config import Study


def test_no_cell_of_the_demo_is_refused(tmp_path):
    """On fewer images of the same classes, which is what a method might refuse."""
    text = files("segfrontier.study").joinpath("examples/demo.yaml").read_text(encoding="utf-8")
    world = "street:train=12,val=2,synthetic=4,size=64x128,classes=groups7"
    changes = [f"methods={json.dumps(demo_methods())}", f"worlds={world}", "seeds=[0]"]
    plan = plan_study(Study.parse(text, changes, where="demo"), home=tmp_path / "runs", probe=False)
    assert "classes=groups7" in text, "the world here must be of the demo's classes"
    assert not plan.refused and len(plan.cells) > len(demo_methods())
