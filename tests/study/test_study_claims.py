"""Claims and tables: read strictly, turned into cells, judged from records alone."""

import json
from pathlib import Path

import pytest
from toystudy import toy_study

from segfrontier.basics.atomic import write_json
from segfrontier.basics.installed import installed
from segfrontier.commands.claims import _markdown
from segfrontier.errors import BadInput, BadStudy
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.study.cells import expand
from segfrontier.study.claim_cells import all_cells, keys_of, study_of, whole
from segfrontier.study.claims import claims_of, known, parse_claims
from segfrontier.study.config import Executor
from segfrontier.study.judging import judge_all
from segfrontier.study.kept_keys import keep_keys, kept_keys, none_there
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
    for key, cell in keyed(all_cells(claims), Atlas()).items():
        value = scores(cell)
        if value is not None:
            Record(
                key=key, state="done", cell=plain_cell(cell), facet="f", facet_words="f", values={"miou_present": value}
            ).write(home)


def verdicts(claims, home):
    return {
        j.claim.id: (j.verdict, [m.verdict for m in j.measured])
        for j in judge_all(claims, home, keys_of(claims, Atlas()))
    }


def test_cells_of_all_claims_and_the_study_that_stands_for_them(claims):
    cells = all_cells(claims)
    assert len(cells) == 3 * 4 + 2 * 2 and len(keyed(cells, Atlas())) == 9 + 4  # 5 h of `fine` stand on two sides
    assert {c.recipe.steps for c in cells if c.method == "fine+coarse"} == {9}
    study = whole(claims, "claims-x", Executor(kind="local"))
    assert [m.name for m in study.methods] == ["fine", "fine+coarse", "synthetic"] and study.executor.kind == "local"


def test_a_claim_holds_where_all_of_its_comparisons_do(claims, tmp_path):
    home = Home(tmp_path)
    assert verdicts(claims, home)["more-is-better"] == ("cannot tell", ["cannot tell"] * 2)
    score(claims, home, lambda c: {10: 0.6, 5: 0.4}.get(c.hours, 0.42) + 0.01 * c.seed + 0.001 * (c.seed == 1))
    found = verdicts(claims, home)
    assert found["more-is-better"] == ("holds", ["holds", "holds"]), "0.02 worse is within the margin of 0.05"
    assert found["split-matters"][0] == "cannot tell"
    (first, _), _ = (j.measured for j in judge_all(claims, home, keys_of(claims, Atlas())))
    assert first.contrast.difference.mean == pytest.approx(0.2) and first.contrast.difference.count == 3
    assert first.contrast.a.mean == pytest.approx(0.6 + 0.01 + 0.001 / 3)


def test_a_claim_fails_where_one_comparison_does(claims, tmp_path):
    score(
        claims,
        Home(tmp_path),
        lambda c: {10: 0.3, 5: 0.4}.get(c.hours, 0.2) + 0.01 * c.seed + 0.002 * (c.hours == 10) * c.seed,
    )
    assert verdicts(claims, Home(tmp_path))["more-is-better"] == ("fails", ["fails", "holds"])


def test_noise_larger_than_the_difference_cannot_tell(claims, tmp_path):
    score(claims, Home(tmp_path), lambda c: {10: 0.4 + 0.2 * (c.seed - 1), 5: 0.39}.get(c.hours, 0.1))
    found = judge_all(known(claims, ["more-is-better"]), Home(tmp_path), keys_of(claims, Atlas()))[0]
    assert found.verdict == "cannot tell" and "contains 0" in found.measured[0].contrast.reason
    assert found.plain()["measured"][0]["difference"] == pytest.approx(0.01)


def test_one_seed_alone_tells_nothing(claims, tmp_path):
    score(claims, Home(tmp_path), lambda c: 0.5 + (c.hours == 10) * 0.3 if c.seed == 0 else None)
    assert verdicts(claims, Home(tmp_path))["more-is-better"][0] == "cannot tell"


CONTROLLED = """
base: {{worlds: {world}, prices: {prices}, seeds: [0, 1, 2], recipe: {{pretrained: never, steps: 3}}}}
claims:
  - id: masks-help
    says: Ten hours of fine masks are better than none, because they are fine masks.
    where: Table 0
    compare:
      - a: {{method: fine, hours: 10}}
        b: {{method: synthetic}}
        expect: {expect}
        controls:
          - {{method: coarse, hours: 10}}
          - {{method: fine, hours: 5}}
"""


def controlled(tmp_path, expect="a > b"):
    toy_study(tmp_path)
    text = CONTROLLED.format(world=tmp_path / "toy", prices=tmp_path / "toy.yaml", expect=expect)
    return parse_claims(text, where="claims.yaml")


WOBBLE = (0.0, 0.001, -0.002)


def leave(claims, home, *, fine=0.5, synthetic=0.3, coarse=0.3, less=0.3, spread=0.0):
    """Records of all sides; `spread` makes the score of coarse masks differ so much from seed to seed."""

    def of(cell):
        mean = {"synthetic": synthetic, "coarse": coarse, "fine": fine if cell.hours == 10 else less}[cell.method]
        if mean is None:
            return None
        mine = {"synthetic": 0, "coarse": 1, "fine": 2}[cell.method]
        return mean + WOBBLE[(cell.seed + mine) % 3] + spread * (cell.seed - 1) * (cell.method == "coarse")

    score(claims, home, of)


def test_a_methods_common_knobs_are_those_of_all_its_sides(tmp_path):
    toy_study(tmp_path)
    text = TEXT.replace("claims:\n", "knobs: {{fine+coarse: {{split: 0.9}}}}\nclaims:\n", 1)
    text = text.replace("knobs: {{split: 0.9}}}}\n    seeds", "knobs: {{}}}}\n    seeds")
    claims = parse_claims(text.format(world=tmp_path / "toy", prices=tmp_path / "toy.yaml"), where="claims.yaml")
    ours, common = (
        set(keyed(expand(study_of(claims, claim, side)), Atlas()))
        for claim, side in claims.sides() if claim.id == "split-matters"
    )  # fmt: skip
    assert ours != common, "a side's own go before them"
    assert {cell.knobs.get("split") for cell in all_cells(claims) if cell.method == "fine+coarse"} == {0.5, 0.9}
    with pytest.raises(BadStudy, match="methods of sides, fine, fine.coarse, synthetic; found 'fien'"):
        parse_claims(text.replace("knobs: {{fine+coarse", "knobs: {{fien").format(world="w", prices="p"), where="c")


def test_the_cells_of_controls_are_run_too(tmp_path):
    claims = controlled(tmp_path)
    cells = all_cells(claims)
    assert len(cells) == 4 * 3 and {cell.method for cell in cells} == {"fine", "synthetic", "coarse"}
    assert {m.name for m in whole(claims, "claims-x", Executor(kind="local")).methods} == {
        "fine",
        "synthetic",
        "coarse",
    }


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ({}, "holds"),
        ({"coarse": 0.5}, "holds, but so does its control"),  # it beats B as A does, and A does not beat it
        ({"coarse": 0.6}, "holds, but so does its control"),
        ({"less": 0.55}, "holds, but so does its control"),  # one of several is enough
        ({"coarse": 0.42, "less": 0.42}, "holds"),  # a part of the effect is theirs, and not all of it
        ({"coarse": 0.4, "spread": 0.4}, "holds, but its control cannot tell"),
        ({"coarse": None}, "holds, but its control cannot tell"),
        ({"fine": 0.2, "coarse": 0.5}, "fails"),
        ({"synthetic": None}, "cannot tell"),
    ],
)
def test_a_claim_that_holds_is_paired_with_the_control_that_could_explain_it_away(tmp_path, scores, verdict):
    claims, home = controlled(tmp_path), Home(tmp_path)
    leave(claims, home, **scores)
    assert verdicts(claims, home)["masks-help"][0] == verdict


def test_a_control_beside_a_margin_does_what_a_is_allowed_to_and_a_must_still_be_above_it(tmp_path):
    claims, home = controlled(tmp_path, expect="a >= b - 0.05"), Home(tmp_path)
    leave(claims, home, fine=0.29, coarse=0.2, less=0.2)
    assert verdicts(claims, home)["masks-help"][0] == "holds"
    assert " (A may be 0.05 below): 0.290 - 0.300" in _markdown(judge_all(claims, home, keys_of(claims, Atlas())))
    leave(claims, home, fine=0.29, coarse=0.2, less=0.29)
    assert verdicts(claims, home)["masks-help"][0] == "holds, but so does its control"


@pytest.mark.parametrize(("fine", "verdict"), [(0.28, "holds"), (0.23, "fails")])
def test_a_claim_may_ask_for_a_share_of_the_other_side(tmp_path, fine, verdict):
    """Of 0.3, on average; 85 % of it is 0.255."""
    claims, home = controlled(tmp_path, expect="a >= 0.85 b"), Home(tmp_path)
    leave(claims, home, fine=fine, coarse=0.1, less=0.1)
    assert verdicts(claims, home)["masks-help"][0] == verdict
    table = _markdown(judge_all(claims, home, keys_of(claims, Atlas())))
    assert f" (A against 0.85 of B): {fine - 1 / 3000:.3f} - 0.255 = " in table


def test_seeds_that_all_gave_the_same_two_scores_are_one_measurement(tmp_path, monkeypatch):
    """As where a budget buys every image and nothing else is random: no interval comes of it."""
    monkeypatch.setattr("test_study_claims.WOBBLE", (0.0, 0.0, 0.0))
    claims, home = controlled(tmp_path), Home(tmp_path)
    leave(claims, home, coarse=0.1, less=0.1)
    assert verdicts(claims, home)["masks-help"][0] == "cannot tell"
    (judged,) = judge_all(claims, home, keys_of(claims, Atlas()))
    assert "all seeds gave the same two scores" in judged.plain()["measured"][0]["reason"]


def test_what_is_shown_of_a_control(tmp_path):
    claims, home = controlled(tmp_path), Home(tmp_path)
    leave(claims, home, coarse=0.6)
    (judged,) = judge_all(claims, home, keys_of(claims, Atlas()))
    plain = json.loads(json.dumps(judged.plain()))["measured"][0]
    first, second = plain["controls"]
    assert (plain["verdict"], plain["difference"]) == ("holds, but so does its control", pytest.approx(0.2))
    assert (first["control"], first["verdict"], first["does_it_too"]) == ("coarse at 10.0 h", "fails", "holds")
    assert first["difference"] == pytest.approx(-0.1) and first["leaves"] == "holds, but so does its control"
    assert (second["control"], second["leaves"], second["seeds"]) == ("fine at 5.0 h", "holds", 3)
    assert len(plain["cells"]) == 12
    table = _markdown((judged,))
    assert "; control coarse at 10.0 h: 0.500 - 0.600 = -0.100" in table
    assert table.endswith("| **holds, but so does its control** |")


def test_a_table_says_once_what_all_rows_of_a_method_share(tmp_path):
    text = """
base: {worlds: w, seeds: [0]}
claims:
  - id: one
    says: More is more.
    where: nowhere
    compare:
      - a: {method: fine, hours: 9, knobs: {sampling: model, first: 2, multi_scale: true}}
        b: {method: fine, hours: 5, knobs: {multi_scale: true}}
        controls: [{method: coarse, hours: 5, knobs: {multi_scale: true}}]
      - {a: {method: fine, hours: 5, knobs: {multi_scale: true, first: 3}}, b: {method: synthetic}}
"""
    table = _markdown(judge_all(parse_claims(text, where="c"), Home(tmp_path), lambda claim, side: ()))
    assert table.startswith("All rows: `fine` multi_scale=True.\n\n| claim |"), table
    rows = table.partition("| claim")[2]
    assert (
        "fine sampling=model first=2 at 9.0 h vs fine at 5.0 h" in rows and "fine first=3 at 5.0 h vs synthetic" in rows
    )
    assert "control coarse multi_scale=True at 5.0 h" in rows, "a lone row of its method has its knobs"


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
        all_cells(parse_claims(text, where="c"))


def test_a_claim_that_nobody_made_names_the_nearest(claims):
    with pytest.raises(BadInput, match="did you mean 'split-matters'"):
        known(claims, ["split-mater"])


def test_every_claim_and_every_table_that_is_installed_can_be_read():
    """Methods of one package share their claims and tables: each is read once."""
    methods = sorted(installed())
    for claims in {str(claims): claims for claims in map(claims_of, methods) if claims is not None}.values():
        assert all_cells(claims)
    tables = {table.says: (name, table) for name in methods for table in tables_of(name)}
    for name, table in tables.values():
        assert load_study(f"{name}:{table.id}").methods and table.printed


def test_the_claims_of_the_documentation_can_be_read():
    page = (Path(__file__).parents[2] / "docs" / "claims.md").read_text()
    (claim,) = parse_claims(page.partition("```yaml")[2].partition("```")[0], where="docs/claims.md").claims
    assert [side.knobs.get("target_weight") for side in claim.compare[0].sides] == [None, None, 0]


def test_a_table_that_is_not_there():
    with pytest.raises(BadStudy, match="fine must have the table 'table-9'; it has none"):
        load_study("fine:table-9")
    with pytest.raises(BadStudy, match="readable file"):
        load_study("nowhere.yaml")


def test_another_number_is_judged_where_the_claim_names_it(tmp_path):
    text = TEXT.replace("b: {{method: fine, hours: 5}}}}", "b: {{method: fine, hours: 5}}, metric: miou_13}}", 1)
    toy_study(tmp_path)
    claims = parse_claims(text.format(world=tmp_path / "toy", prices=tmp_path / "toy.yaml"), where="claims.yaml")
    for key, cell in keyed(all_cells(claims), Atlas()).items():
        Record(
            key=key, state="done", cell=plain_cell(cell), facet="f", facet_words="f",
            values={"miou_present": 0.5 + 0.01 * cell.seed},
            notes={"miou_13": 0.3 + 0.01 * cell.seed + (cell.hours == 10) * 0.1},
        ).write(Home(tmp_path))  # fmt: skip
    assert verdicts(claims, Home(tmp_path))["more-is-better"] == ("holds", ["holds", "holds"])
    unnamed = parse_claims(text.replace("miou_13", "miou_14").format(world=tmp_path / "toy",
                           prices=tmp_path / "toy.yaml"), where="claims.yaml")  # fmt: skip
    assert verdicts(unnamed, Home(tmp_path))["more-is-better"][1][0] == "cannot tell", "nobody told that number"


BUILT_IN = """
base: {worlds: "street:train=4,val=2,synthetic=0,size=64x128", seeds: [0, 1], recipe: {pretrained: never}}
claims:
  - id: one
    says: More is better.
    where: nowhere
    compare: [{a: {method: fine, hours: 10}, b: {method: fine, hours: 5}}]
  - id: two
    says: Half is better.
    where: nowhere
    compare: [{a: {method: fine+coarse, hours: 5}, b: {method: synthetic}}]
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGFRONTIER_CACHE", str(tmp_path / "cache"))


def test_kept_keys_are_those_that_are_computed(cache, tmp_path, monkeypatch):
    claims = parse_claims(BUILT_IN, where="c")
    assert kept_keys(tmp_path, "fine", claims) is None
    computed = {(c.id, s.words): [f"{c.id} {s.words}"] for c, s in claims.sides()}

    def keys(claim, side):
        return computed[claim.id, side.words]

    keep_keys(tmp_path, "fine", known(claims, ["one"]), keys)
    assert kept_keys(tmp_path, "fine", claims) is None, "not of all of them"
    keep_keys(tmp_path, "fine", known(claims, ["two"]), keys)
    kept = kept_keys(tmp_path, "fine", claims)
    assert {(c.id, s.words): kept(c, s) for c, s in claims.sides()} == computed
    assert kept_keys(tmp_path, "coarse", claims) is None, "of another method's package"
    other = parse_claims(BUILT_IN.replace("hours: 10", "hours: 11"), where="c")
    assert kept_keys(tmp_path, "fine", other) is None
    monkeypatch.setattr("segfrontier.study.kept_keys.code_of", lambda places: "edited")
    assert kept_keys(tmp_path, "fine", claims) is None, "other code makes other keys"


def test_keys_of_worlds_that_may_change_are_not_kept(cache, tmp_path, claims):
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", claims) is None


def test_a_claim_may_have_a_world_of_its_own(cache, tmp_path):
    own = BUILT_IN.replace("    says: Half", "    worlds: street:train=5,val=1,synthetic=2,size=64x128\n    says: Half")
    claims = parse_claims(own, where="c")
    assert {(cell.method, cell.world.partition(",")[0]) for cell in all_cells(claims)} == {
        ("fine", "street:train=4"), ("fine+coarse", "street:train=5"), ("synthetic", "street:train=5")
    }  # fmt: skip
    files = parse_claims(own.replace("street:train=5,val=1,synthetic=2,size=64x128", "worlds/mine"), where="c")
    keep_keys(tmp_path, "fine", files, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", files) is None, "a world of files may change"
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", claims) is not None


@pytest.mark.parametrize("recipe", ["{}", "{pretrained: auto}", "{pretrained: [never, auto]}"])
def test_keys_of_weights_that_are_still_to_be_found_are_not_kept(cache, tmp_path, recipe):
    claims = parse_claims(BUILT_IN.replace("{pretrained: never}", recipe), where="c")
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", claims) is None


def test_a_home_of_other_studies_holds_no_cell_of_the_claims(claims, tmp_path):
    home, (key, cell) = Home(tmp_path / "runs"), next(iter(keyed(all_cells(claims), Atlas()).items()))
    theirs = parse_claims(
        TEXT.replace("steps: 3", "steps: 3, encoder: resnet10t").format(world="w", prices="p"), where="c"
    )
    assert none_there(home, theirs), "an empty home"
    plain = dict(plain_cell(cell))
    recipe = plain["recipe"]
    for name, change, none in (
        ("other-encoder", {"recipe": recipe | {"encoder": "resnet18"}}, True),
        ("other-method", {"recipe": recipe | {"encoder": "resnet10t"}, "method": "active_points"}, True),
        ("silent", {"recipe": {}}, False),
        ("one-of-theirs", {"recipe": recipe | {"encoder": "resnet10t"}}, False),
    ):
        home = Home(tmp_path / name)
        Record(key=key, state="done", cell=plain | change, facet="f", facet_words="f").write(home)
        assert none_there(home, theirs) is none, name
        assert none_there(home, claims) is False, "claims on the default encoder, whose name they do not say"


def test_damaged_or_unwritable_kept_keys_are_none(cache, tmp_path):
    claims = parse_claims(BUILT_IN, where="c")
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    (file,) = (tmp_path / "cache").glob("claims-*.json")
    whole = json.loads(file.read_text())
    for damage in ([], {}, whole | {"keys": []}, whole | {"keys": dict.fromkeys(whole["keys"], 3)}):
        file.write_text(json.dumps(damage))
        assert kept_keys(tmp_path, "fine", claims) is None
    file.unlink()
    file.mkdir()
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", claims) is None


def test_keys_of_weights_that_a_home_has_decided_are_kept_until_it_decides_otherwise(cache, tmp_path):
    auto = "{pretrained: [never, auto], encoder: resnet18}"
    claims = parse_claims(BUILT_IN.replace("{pretrained: never}", auto), where="c")
    write_json(tmp_path / "weights.json", {"resnet50": "hub:b"})
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", claims) is None, "decided of another encoder"
    write_json(tmp_path / "weights.json", {"resnet18": "hub:a"})
    keep_keys(tmp_path, "fine", claims, lambda claim, side: ["k"])
    assert kept_keys(tmp_path, "fine", claims) is not None
    write_json(tmp_path / "weights.json", {"resnet18": "hub:a", "resnet50": "hub:b"})
    assert kept_keys(tmp_path, "fine", claims) is not None, "no cell starts from it"
    write_json(tmp_path / "weights.json", {"resnet18": "hub:b"})
    assert kept_keys(tmp_path, "fine", claims) is None
