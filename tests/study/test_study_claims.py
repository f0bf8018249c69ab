"""Claims and tables: read strictly, turned into cells, judged from records alone."""

import pytest
from toystudy import toy_study

from segfrontier.errors import BadInput, BadStudy
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab.methods import installed
from segfrontier.study.claims import claims_of, known, parse_claims
from segfrontier.study.config import Executor
from segfrontier.study.judging import judge_all
from segfrontier.study.keys import Atlas, keyed, plain_cell
from segfrontier.study.paper_tables import load_study, tables_of

TEXT = """
base: {{worlds: {world}, prices: {prices}, seeds: [0, 1, 2], recipe: {{pretrained: never, steps: 3}}}}
claims:
  - id: more-is-better
    says: More fine masks are better.
    where: Table 0
    paper: {{gain: 3.1}}
    compare:
      - {{a: {{method: fine, hours: 10}}, b: {{method: fine, hours: 5}}}}
      - {{a: {{method: fine, hours: 5}}, b: {{method: synthetic}}, expect: a >= b - 0.05}}
  - id: split-matters
    says: Half and half is best.
    where: Fig. 0
    compare:
      - a: {{method: fine+coarse, hours: 5, knobs: {{split: 0.5}}}}
        b: {{method: fine+coarse, hours: 5, knobs: {{split: 0.9}}}}
    seeds: [0, 1]
    recipe: {{steps: 9}}
"""


@pytest.fixture
def claims(tmp_path):
    toy_study(tmp_path)
    return parse_claims(TEXT.format(world=tmp_path / "toy", prices=tmp_path / "toy.yaml"), where="claims.yaml")


def score(claims, home, scores):
    """Leave records whose score is a function of method, hours and seed."""
    for key, cell in keyed(claims.all_cells(), Atlas()).items():
        value = scores(cell)
        if value is not None:
            Record(
                key=key, state="done", cell=plain_cell(cell), facet="f", facet_words="f", values={"miou_present": value}
            ).write(home)


def verdicts(claims, home):
    return {j.claim.id: (j.verdict, [m.verdict for m in j.measured]) for j in judge_all(claims, home, Atlas())}


def test_cells_of_all_claims_and_the_study_that_stands_for_them(claims):
    cells = claims.all_cells()
    assert len(cells) == 3 * 4 + 2 * 2 and len(keyed(cells, Atlas())) == 9 + 4  # 5 h of `fine` stand on two sides
    assert {c.recipe.steps for c in cells if c.method == "fine+coarse"} == {9}
    whole = claims.whole("claims-x", Executor(kind="local"))
    assert [m.name for m in whole.methods] == ["fine", "fine+coarse", "synthetic"] and whole.executor.kind == "local"


def test_a_claim_holds_where_all_of_its_comparisons_do(claims, tmp_path):
    home = Home(tmp_path)
    assert verdicts(claims, home)["more-is-better"] == ("cannot tell", ["cannot tell"] * 2)
    score(claims, home, lambda c: {10: 0.6, 5: 0.4}.get(c.hours, 0.42) + 0.01 * c.seed + 0.001 * (c.seed == 1))
    found = verdicts(claims, home)
    assert found["more-is-better"] == ("holds", ["holds", "holds"]), "0.02 worse is within the margin of 0.05"
    assert found["split-matters"][0] == "cannot tell"
    (first, _), _ = (j.measured for j in judge_all(claims, home, Atlas()))
    assert first.difference.mean == pytest.approx(0.2) and first.difference.count == 3
    assert first.a.mean == pytest.approx(0.6 + 0.01 + 0.001 / 3)


def test_a_claim_fails_where_one_comparison_does(claims, tmp_path):
    score(
        claims,
        Home(tmp_path),
        lambda c: {10: 0.3, 5: 0.4}.get(c.hours, 0.2) + 0.01 * c.seed + 0.002 * (c.hours == 10) * c.seed,
    )
    assert verdicts(claims, Home(tmp_path))["more-is-better"] == ("fails", ["fails", "holds"])


def test_noise_larger_than_the_difference_cannot_tell(claims, tmp_path):
    score(claims, Home(tmp_path), lambda c: {10: 0.4 + 0.2 * (c.seed - 1), 5: 0.39}.get(c.hours, 0.1))
    found = judge_all(known(claims, ["more-is-better"]), Home(tmp_path), Atlas())[0]
    assert found.verdict == "cannot tell" and "contains 0" in found.measured[0].reason
    assert found.plain()["measured"][0]["difference"] == pytest.approx(0.01)


def test_one_seed_alone_tells_nothing(claims, tmp_path):
    score(claims, Home(tmp_path), lambda c: 0.5 + (c.hours == 10) * 0.3 if c.seed == 0 else None)
    assert verdicts(claims, Home(tmp_path))["more-is-better"][0] == "cannot tell"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("a >= b - 0.05", "a < b", "claims.0.compare.1.expect: must be 'a > b'"),
        ("id: split-matters", "id: more-is-better", "found twice: more-is-better"),
        ("says: Half", "sais: Half", "claims.1.says: must be given"),
        ("compare:\n      - a:", "compare: []\n    x:\n      - a:", "claims.1.compare"),
    ],
)
def test_what_claims_must_be(old, new, told):
    with pytest.raises(BadStudy, match="claims.yaml") as caught:
        parse_claims(TEXT.replace(old, new).format(world="street", prices="street"), where="claims.yaml")
    assert told in str(caught.value)


def test_a_side_that_spends_needs_hours(tmp_path):
    text = TEXT.replace("b: {{method: fine, hours: 5}}}}", "b: {{method: fine}}}}").format(
        world="street", prices="street"
    )
    with pytest.raises(BadStudy, match="more-is-better.*spends a budget: give hours"):
        parse_claims(text, where="c").all_cells()


def test_a_claim_that_nobody_made_names_the_nearest(claims):
    with pytest.raises(BadInput, match="did you mean 'split-matters'"):
        known(claims, ["split-mater"])


def test_every_claim_and_every_table_that_is_installed_can_be_read():
    for method in installed():
        claims = claims_of(method)
        if claims is not None:
            assert claims.all_cells()
        for table in tables_of(method):
            study = load_study(f"{method}:{table.id}")
            assert study.methods and table.printed


def test_a_table_that_is_not_there():
    with pytest.raises(BadStudy, match="fine must have the table 'table-9'; it has none"):
        load_study("fine:table-9")
    with pytest.raises(BadStudy, match="readable file"):
        load_study("nowhere.yaml")


def test_another_number_is_judged_where_the_claim_names_it(tmp_path):
    text = TEXT.replace("b: {{method: fine, hours: 5}}}}", "b: {{method: fine, hours: 5}}, metric: miou_13}}", 1)
    toy_study(tmp_path)
    claims = parse_claims(text.format(world=tmp_path / "toy", prices=tmp_path / "toy.yaml"), where="claims.yaml")
    for key, cell in keyed(claims.all_cells(), Atlas()).items():
        Record(
            key=key, state="done", cell=plain_cell(cell), facet="f", facet_words="f",
            values={"miou_present": 0.5 + 0.01 * cell.seed}, notes={"miou_13": 0.3 + (cell.hours == 10) * 0.1},
        ).write(Home(tmp_path))  # fmt: skip
    assert verdicts(claims, Home(tmp_path))["more-is-better"] == ("holds", ["holds", "holds"])
    unnamed = parse_claims(text.replace("miou_13", "miou_14").format(world=tmp_path / "toy",
                           prices=tmp_path / "toy.yaml"), where="claims.yaml")  # fmt: skip
    assert verdicts(unnamed, Home(tmp_path))["more-is-better"][1][0] == "cannot tell", "nobody told that number"
