"""From records to points: what is grouped, what it costs, what is missing; and the stars of papers beside them."""

import shutil
from dataclasses import replace

import pytest
from madestudy import STREET, baselines, record, study

from segfrontier.errors import BadInput, BadPrices, BadStudy
from segfrontier.home.records import Counted, StageNote
from segfrontier.market.prices import parse_prices
from segfrontier.report.findings import findings
from segfrontier.report.load import harvest
from segfrontier.report.points import compute_unit, entries, knob_words, points
from segfrontier.report.references import load_references, stars
from segfrontier.report.statements import sentences
from segfrontier.scenes.files import digest

CHEAP = parse_prices(
    "{format: 1, name: cheap, version: 3, acts: {fine: {seconds: 600, per: image, source: me},"
    " coarse: {seconds: 300.5, per: image, source: me}}}",
    where="cheap",
)
BLANK = {"scenes": 1, "acts": 1, "units": 1, "asked": 1}


def by_name(found):
    return {(p.method, p.label): p for p in found}


def test_seeds_of_one_method_and_budget_become_one_point():
    found = by_name(points(baselines()))
    assert len(found) == 8
    fine = found["fine", "12 h"]
    assert fine.seconds == 8 * 5400 and fine.scores == {0: 0.50, 1: 0.51, 2: 0.52} and fine.score == pytest.approx(0.51)
    assert found["coarse", "6 h"].seconds == 48 * 420
    assert found["synthetic", "0 h"].seconds == 0 and found["synthetic", "0 h"].acts == {0: {}, 1: {}, 2: {}}
    assert found["oracle", "all labels"].seconds == 48 * 5400
    assert fine.gpu_hours == {0: 1.0, 1: 1.0, 2: 1.0}, "CPU hours where no GPU was used: 1800 s on two processes"


def test_versions_that_put_a_facet_into_other_words_stay_one(tmp_path):
    old = [record("m", 5, s, 0.1, words="fpn 40x8 #aaaa1111") for s in (0, 1)]
    new = record("m", 5, 2, 0.2, words="fpn, 40 steps a training, batch 8 #aaaa1111")
    found = harvest(study(tmp_path, [old[0], new, old[1]]))
    assert set(found.facets.values()) == {new.facet_words} and [e.seeds for e in found.entries] == ["3"]


def test_knobs_facets_and_budgets_tell_points_apart():
    made = [
        record("m", 5, 0, 0.1, knobs={"k": 1}),
        record("m", 5, 1, 0.1, knobs={"k": 1}),
        record("m", 5, 0, 0.2, knobs={"k": 2}),
        record("m", 9, 0, 0.3, knobs={"k": 1}),
        record("m", 5, 0, 0.4, knobs={"k": 1}, facet="bbbb2222", words="other #bbbb2222"),
    ]
    found = entries(made)
    assert [(e.knobs, e.budget, len(e.cells)) for e in found] == [
        ("k=1", 5, 2),
        ("k=2", 5, 1),
        ("k=1", 9, 1),
        ("k=1", 5, 1),
    ]
    assert len({e.point.facet for e in found}) == 2
    assert found[0].name == "m k=1" and found[0].point.label == "k=1, 5 h"


def test_costs_that_differ_between_seeds_are_averaged_after_each_bill_is_rounded_up():
    made = [record("m", 5, s, 0.5, acts={"coarse": n}) for s, n in ((0, 1), (1, 4))]
    (own,), (cheap,) = points(made), points(made, prices=CHEAP)
    assert own.seconds == (420 + 1680) / 2
    assert cheap.seconds == (301 + 1202) / 2
    with pytest.raises(BadPrices, match="must price the act 'point'"):
        points([record("m", 5, 0, 0.5, acts={"point": 3})], prices=CHEAP)


def test_failed_and_cut_cells_make_no_point_and_leave_their_seed_missing():
    made = [
        record("m", 5, 0, 0.5),
        record("m", 5, 1, 0.0, state="failed"),
        record("m", 5, 2, 0.9, state="cut"),
        record("lost", 5, 0, 0.0, state="failed"),
    ]
    (entry,) = entries(made, seeds=(0, 1, 2, 3))
    assert entry.point.scores == {0: 0.5} and entry.missing == (1, 2, 3) and entry.seeds == "1 of 4"


def test_runs_are_those_of_mlflow_or_the_keys():
    first, second = record("m", 5, 0, 0.5), record("m", 5, 1, 0.6)
    (entry,) = entries([first, second], runs={first.key: "run1"})
    assert entry.point.runs == ("run1", second.key)


def test_gpu_hours_count_where_there_are_any():
    gpu = StageNote(kind="train", key="k", seconds=3600, devices=4, gpu=True, found=True)
    made = [record("a", 5, 0, 0.5, stages=(gpu,)), record("b", 5, 0, 0.5)]
    assert compute_unit(made) == "GPU" and compute_unit(made[1:]) == "CPU"
    assert [p.gpu for p in points(made)] == [4, 0]


def test_knobs_in_words_survive_commas_in_values():
    odd = record("m", 5, 0, 0.5, knobs={"crop": [96, 96], "k": 1})
    assert knob_words(odd) == "crop=[96, 96] k=1"


def test_an_odd_record_is_named_and_costs_nothing_else(tmp_path):
    made = baselines()
    place = study(tmp_path, made, waiting=["f" * 32])
    (place.home.cell(made[0].key) / "record.json").write_text('{"key": 1}')
    (place.home.cell(made[1].key) / "record.json").write_text('{"key": "k", "state": "do')
    found = harvest(place)
    assert found.words == f"{len(made) + 1} cells: {len(made) - 2} done, 1 not ended, 2 unreadable"
    assert [r.key in fault for r, fault in zip(made, found.faults, strict=False)] == [True, True]
    assert len(found.entries) == 8 and found.entries[0].seeds == "1 of 3"
    assert [p.digest for p in found.prices.values()] == [STREET.digest]


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", "zero"), ("hours", "ten"), ("hours", -1.0), ("hours", float("nan")), ("knobs", None), ("method", 3)],
)
def test_a_record_of_an_impossible_cell_is_named(tmp_path, name, value):
    made = baselines()
    place = study(tmp_path, made)
    replace(made[0], cell=dict(made[0].cell) | {name: value}).write(place.home)
    found = harvest(place)
    assert found.faults == (f"cell {made[0].key}: its record does not rightly say its {name}",)
    assert len(found.records) == len(made) - 1


@pytest.mark.parametrize("odd", [{"seconds": -1}, {"ended": 1e300}, {"acts": {"zebra": Counted(**BLANK)}}])
def test_a_record_of_impossible_numbers_is_named(tmp_path, odd):
    made = baselines()
    place = study(tmp_path, made)
    replace(made[4], **odd).write(place.home)
    assert harvest(place).faults == (f"cell {made[4].key}: its record does not rightly say its {next(iter(odd))}",)


def test_a_lost_ledger_costs_the_prices_alone(tmp_path):
    place = study(tmp_path, baselines())
    shutil.rmtree(place.home.ledger)
    found = harvest(place)
    assert found.prices == {} and "prices of street" in found.faults[0] and len(found.entries) == 8


def test_a_damaged_account_is_named_and_its_facet_has_the_prices_of_the_next(tmp_path):
    made = baselines()
    place = study(tmp_path, made)
    first = next(r for r in made if r.acts)
    study(tmp_path, [r for r in made if r is not first])  # the next buyer has an account, too
    study(tmp_path, made)
    account = place.home.ledger / f"{digest(first.key.encode())}.jsonl"
    account.write_bytes(account.read_bytes().replace(b'"cell"', b'"call"'))
    found = harvest(place)
    assert list(found.prices.values()) == [STREET] and len(found.entries) == 8
    assert len(found.faults) == 1 and f"{account} must be whole" in found.faults[0]


def test_references_are_stars_of_the_facets_they_belong_to(tmp_path):
    file = tmp_path / "papers.yaml"
    file.write_text(
        "references:\n"
        "  - {name: full, paper: A 2018, where: Table 4, hours: 750, score: 0.788}\n"
        "  - {name: clicks, paper: B 2020, where: page 7, seconds: 360, score: 0.6, world: street}\n"
        "  - {name: big, paper: C 2021, where: Fig. 3, hours: 0, score: 0.5, facet: Resnet50}\n"
    )
    found = load_references(file)
    street, other = (("words", "street:train=9 resnet18/fpn"),), (("words", "camvid resnet50/fpn"),)
    drawn = stars(found, {street: "street:train=9 resnet18/fpn", other: "camvid resnet50/fpn"})
    assert [(s.method, s.facet, s.seconds) for s in drawn] == [
        ("full", street, 750 * 3600),
        ("full", other, 750 * 3600),
        ("clicks", street, 360),
        ("big", other, 0),
    ]
    assert all(s.star for s in drawn) and drawn[0].label == "A 2018, Table 4"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "must be a list under the one key 'references'; found"),
        ("references: {}", "must be a list under the one key"),
        ("references: [{name: a, paper: b, where: c, score: 0.5}]", "references.0: must give either hours or seconds"),
        ("references: [{name: a, paper: b, where: c, hours: 1, seconds: 1, score: 0.5}]", "found both"),
        ("references: [{name: a, paper: b, where: c, hours: 1, score: 61}]", "references.0.score: must be less than"),
        ("references: [{name: a, paper: b, where: c, hours: 1, scor: 0.5}]", "did you mean 'score'?"),
        ("references: [{name: a, paper: b, hours: -1, score: 0.5}]", "references.0.where: must be given"),
        (": [", "must be valid YAML"),
    ],
)
def test_wrong_references_are_explained(tmp_path, text, told):
    file = tmp_path / "papers.yaml"
    file.write_text(text)
    with pytest.raises(BadStudy) as wrong:
        load_references(file)
    assert told in str(wrong.value) and str(file) in str(wrong.value)


def test_references_that_the_study_names_are_left_out_with_a_word_and_given_ones_must_be_right(tmp_path):
    place = study(tmp_path, baselines(), yaml="name: made\nreferences: [gone.yaml]\n")
    found = harvest(place)
    assert found.stars == () and "gone.yaml" in found.faults[0]
    with pytest.raises(BadInput, match=r"gone\.yaml"):
        harvest(place, references=["gone.yaml"])


def test_points_that_bought_and_trained_the_same_are_one(tmp_path):
    """A world of 48 coarse masks: with 24 h and with 48 h all of them are bought."""
    told = {
        "acts": {"coarse": 48},
        "stages": (StageNote(kind="train", key="k", seconds=9, devices=1, gpu=False, found=False),),
    }
    made = [record("coarse", h, s, 0.5 + s / 100, **told) for h in (48, 24) for s in (0, 1, 2)]
    made += [record("fine", h, s, 0.4 + s / 100 + h / 1000, acts={"fine": h}) for h in (24, 48) for s in (0, 1, 2)]
    coarse, *fine = entries(made)
    assert (coarse.budget, coarse.also, len(fine)) == (24, (48,), 2)
    (finding,) = findings(harvest(study(tmp_path, made)))
    led = {s.hours: s.methods for s in sentences(finding) if s.kind == "leader" and s.decided}
    assert led == {24: ("coarse", "fine"), 48: ("coarse", "fine")}, "its one point stands at both budgets"
    other = replace(made[0], stages=(replace(made[0].stages[0], key="another"),))
    assert len(entries([other, *made[1:]])) == 4, "another training is another point"
