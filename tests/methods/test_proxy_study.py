"""proxy_curriculum in a study: its warnings reach log, record, report and MLflow; its facet says how long it trains."""

import pytest
from toystudy import parsed

from segfrontier.basics.installed import installed
from segfrontier.home.layout import LOG, Home
from segfrontier.home.records import Record
from segfrontier.report.load import harvest
from segfrontier.study.cells import expand
from segfrontier.study.keys import Atlas, keyed
from segfrontier.study.run import run_study
from segfrontier.tracking.payload import cell_payload

pytestmark = pytest.mark.skipif("proxy_curriculum" not in installed(), reason="install the package anew to register it")

LEAK = "the classes that weigh double were chosen on the target's validation labels"
PLAIN = {
    "name": "proxy", "worlds": "street:train=4,val=2,synthetic=4,size=64x128",
    "methods": [
        {"name": "proxy_curriculum", "knobs": {"weighting": ["named", "rare"], "beta": [0.0, 0.01], "looks": 2,
                                               "pictures": 1, "look_scenes": 2}},
        "synthetic",
    ],
    "seeds": [0], "executor": {"kind": "local"},
    "recipe": {"encoder": "test_resnet", "head": "pspnet", "head_knobs": {"reduce": "quarter", "hidden": 0},
               "pretrained": "never", "total_steps": 6, "batch": 2},
}  # fmt: skip


def test_a_study_of_it_says_all_that_its_reader_must_know(tmp_path):
    study, home = parsed(PLAIN), tmp_path / "runs"
    run_study(study, home=home, tracking="none")
    keys = keyed(expand(study), Atlas())
    found = {key: Record.read(Home(home).cell(key)) for key in keys}
    assert [r.state for r in found.values()] == ["done"] * 5, [r.error for r in found.values()]
    assert {r.seconds for r in found.values()} == {0} and len({r.facet for r in found.values()}) == 1
    assert all("6 steps in all, batch 2" in r.facet_words for r in found.values())
    for key, record in found.items():
        knobs = record.cell["knobs"]
        named = record.cell["method"] == "proxy_curriculum" and knobs["weighting"] == "named"
        assert any(LEAK in words for words in record.warnings) == named
        assert (LEAK in (Home(home).cell(key) / LOG).read_text()) == named
        assert (LEAK in cell_payload(record.plain(), {}).note) == named
        assert len(record.pictures) == (record.cell["method"] == "proxy_curriculum")
    read = harvest(Home(home).study("proxy"))
    assert [f"{fault[-9:]}" for fault in read.faults if LEAK in fault] == ["(2 cells)"]
    assert len(read.entries) == 5, "one point for each setting of what was swept, in one facet"


def test_a_class_that_starves_is_told_of_wherever_its_cell_is_told_of(tmp_path):
    """Only target batches and a rate far too high: the proxy labels end in few classes, while steps are logged."""
    knobs = {"gamma": 0.0, "gamma_end": 0.0, "target_pixels": "all", "weighting": "none", "looks": 0, "pictures": 0}
    changes = {"methods": [{"name": "proxy_curriculum", "knobs": knobs}]}
    study, home = parsed(PLAIN, **changes, recipe=PLAIN["recipe"] | {"total_steps": 40, "lr": 0.5}), tmp_path / "runs"
    run_study(study, home=home, tracking="none")
    (key,) = keyed(expand(study), Atlas())
    record = Record.read(Home(home).cell(key))
    gone = [words for words in record.warnings if words.endswith("has vanished from the proxy labels")]
    assert record.state == "done" and gone, "none starved: the setting shows nothing"
    for words in gone:
        assert words in (Home(home).cell(key) / LOG).read_text() and words in cell_payload(record.plain(), {}).note
        assert any(words in fault for fault in harvest(Home(home).study("proxy")).faults)
