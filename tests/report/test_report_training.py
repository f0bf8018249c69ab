"""How long was trained stands beside the labels: said where it is equal, with the control that is missing where not."""

import json

import pytest
from madestudy import record, study

from segfrontier.report.as_json import to_json
from segfrontier.report.findings import findings
from segfrontier.report.load import harvest
from segfrontier.report.panel import panels
from segfrontier.report.plot_page import figure
from segfrontier.report.sentences import answers, caption, columns, rows
from segfrontier.report.tables import point_rows
from segfrontier.report.training import steps_words, training_words, unequal_training
from segfrontier.tracking.payload import cell_payload


def trained(method, steps, *, hours=6, score=0.4, batch=8, **more):
    """Three cells of a method, whose trainings come to so many steps of eight images."""
    return [
        record(method, hours, s, score + 0.01 * s, acts={"fine": 4}, steps=steps, images=batch * steps, **more)
        for s in (0, 1, 2)
    ]


def found(folder, records):
    (finding,) = findings(harvest(study(folder, records)))
    return finding


def test_equal_training_is_said_and_stands_in_every_output(tmp_path):
    finding = found(tmp_path, [*trained("fine", 400), *trained("twice", 400, hours=12)])
    assert training_words(finding) == ("all trained 400 steps",) and unequal_training(finding) == []
    place = columns(finding).index("steps")
    assert [row[place] for row in rows(finding)] == ["400", "400"] and "steps: of the optimiser" in caption(finding)
    assert [(row["steps"], row["images"]) for row in point_rows([finding])] == [(400, 3200)] * 2
    plain = json.loads(json.dumps(to_json(finding.harvest, [finding])))
    assert plain["facets"][0]["training"] == {"words": ["all trained 400 steps"], "unequal": []}
    (panel,) = panels([finding])
    assert [s.name for s in panel.series()] == ["fine", "twice"]
    text = json.dumps(figure(panel))
    assert text.count("400 steps in all, 3,200 images seen") == 2 + 6, "of the points and of their cells"


def test_equal_steps_that_saw_more_images_are_said_to(tmp_path):
    finding = found(tmp_path, [*trained("fine", 400), *trained("mixes", 400, batch=12)])
    assert training_words(finding) == ("all trained 400 steps that saw 3,200 to 4,800 images",)
    assert unequal_training(finding) == []


def test_unequal_training_names_the_control_that_is_missing(tmp_path):
    made = [*trained("fine", 400), *trained("thrice", 1200), *trained("odd", 500), *trained("less", 100)]
    finding = found(tmp_path, made)
    assert training_words(finding) == ("trained 100 to 1,200 steps",)
    assert set(unequal_training(finding)) == {
        "thrice trained 1,200 steps, 3 times those of fine; no row of fine has as many: add {name: fine, knobs: "
        "{trainings: 3}}, or give all the same by recipe.total_steps",
        "odd trained 500 steps, 1.25 times those of fine; no row of fine has as many: give all the same by "
        "recipe.total_steps",
    }
    assert dict(answers(finding))["Unequal training"] == unequal_training(finding)
    (panel,) = panels([finding])
    assert {s.name for s in panel.series()} == {
        "fine · 400 steps", "thrice · 1,200 steps", "odd · 500 steps", "less · 100 steps"
    }  # fmt: skip


def test_a_control_that_is_there_is_pointed_at(tmp_path):
    made = [*trained("fine", 400), *trained("fine", 1200, score=0.42, knobs={"trainings": 3}), *trained("thrice", 1200)]
    told = unequal_training(found(tmp_path, made))
    assert told == ["thrice trained 1,200 steps, 3 times those of fine; the control is the row of fine with as many"]


def test_where_one_is_not_known_nothing_is_said(tmp_path):
    made = [*trained("fine", 400), record("old", 6, 0, 0.5, acts={"fine": 4})]
    made[0] = record("fine", 6, 0, 0.4, acts={"fine": 4})  # by an earlier version
    finding = found(tmp_path, made)
    assert training_words(finding) == () and unequal_training(finding) == []
    assert steps_words(finding.entries, finding.entries) == ""
    assert {row["steps"] for row in point_rows([finding])} == {None}


@pytest.mark.parametrize(("steps", "told"), [(400, {"trained_steps": 400.0, "trained_images": 3200.0}), (0, {})])
def test_mlflow_holds_what_was_trained(steps, told):
    from dataclasses import asdict

    plain = asdict(record("fine", 6, 0, 0.4, steps=steps, images=8 * steps))
    plain["cell"] |= {"world": "street", "source": None, "recipe": {}}
    values = {v.name: v.value for v in cell_payload(plain, {}).values}
    assert {name: value for name, value in values.items() if name.startswith("trained")} == told
