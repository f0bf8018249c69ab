"""A study on labels that exist already: what its plan says, and what its bill tells apart."""

import pytest
from mixedhere import pool_with_boxes_and_tags
from toystudy import toy_study

from segfrontier.home.records import records
from segfrontier.plan.planning import plan_study
from segfrontier.plan.words import sentences
from segfrontier.report.load import harvest
from segfrontier.report.spending import spending
from segfrontier.scenes.importing import import_folders
from segfrontier.study.run import StudyWatcher, run_study

PRICES = """
format: 1
name: mixed
version: 1
acts:
  fine: {seconds: 100, per: image, source: made up}
  box: {seconds: 7, per: instance, source: made up}
  tag: {seconds: 1, per: present class and crop, source: made up}
"""
SMALL = {
    "box_share": 0.4,
    "lr": None,
    "tag_lr": None,
    "regions": [4, 8],
    "side": 24,
    "grabcut_rounds": 1,
    "instances": "none",
    "rounds": 0,
    "pictures": 0,
    "judged_scenes": 0,
}


@pytest.fixture
def study(tmp_path):
    """Two budgets: eight boxes at nothing and eight tags at half a second cost 4 s in both."""
    import_folders(pool_with_boxes_and_tags(tmp_path / "data"), tmp_path / "toy")
    (tmp_path / "toy.yaml").write_text(PRICES)
    return toy_study(tmp_path, methods=[{"name": "weak_panoptic", "knobs": SMALL}], budgets=[0.01, 0.02], seeds=[0])


def test_a_plan_says_what_they_cost(study, tmp_path):
    plan = plan_study(study, home=tmp_path / "runs", probe=False)
    assert not plan.refused and [cell.seconds for cell in plan.cells] == [4, 4]
    for cell in plan.cells:
        assert {kind: counts.units for kind, counts in cell.acts.items()} == {"existing_box": 8, "existing_tag": 8}
    (told,) = (line for line in sentences(plan) if line.startswith("Labels that exist already"))
    assert told.endswith("existing_box up to 8, existing_tag up to 8; they took 4 s elsewhere, in its hours.")


@pytest.mark.slow
def test_a_bill_tells_them_apart(study, tmp_path):
    finished = run_study(study, home=tmp_path / "runs", watcher=StudyWatcher(), tracking="none")
    for record in records(finished.study):
        assert record.seconds == 4 and record.acts["existing_box"].units == record.acts["existing_tag"].units == 8
    _, rows = spending(harvest(finished.study))
    assert [row[1:5] for row in rows] == [
        ["existing_box", "8", "16", "0 s per instance"],
        ["existing_tag", "8", "16", "0.5 s per present class"],
        ["all", "", "", ""],
    ]
