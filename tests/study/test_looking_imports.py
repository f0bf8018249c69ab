"""Who only looks loads nothing that trains: verbs that read answer without torch, Ray and MLflow."""

import json
import os
import subprocess
import sys

import pytest
from madestudy import record, study

from segfrontier.basics.atomic import write_json
from segfrontier.market.acts import Acts
from segfrontier.market.ledger import Ledger
from segfrontier.market.lines import PurchaseOrder, Terms
from segfrontier.market.prices import default_prices
from segfrontier.store import Store

HEAVY = {"torch", "torchvision", "timm", "ray", "mlflow", "optuna"}
CODE = """
import sys
from segfrontier.cli import main
try:
    main()
finally:
    loaded = sorted({m.partition(".")[0] for m in sys.modules})
    print("LOADED", *loaded, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home of 100 cells in one study, each with an account, and a store of 20 stages."""
    folder = tmp_path_factory.mktemp("home")
    made = [
        record("fine", hours, seed, 0.3 + 0.01 * hours + 0.001 * seed, acts={"fine": hours * 2}, code="old")
        for hours in range(1, 11) for seed in range(10)
    ]  # fmt: skip
    place = study(folder / "runs", made)
    ledger, terms = Ledger(place.home.ledger), Terms(truth="t", annotators="a", prices=default_prices("street"))
    for one in made:
        order = PurchaseOrder(one.key, "buy-1", "fine", {"s": Acts.of([7], [1], [1])}, "labels", "d", terms)
        ledger.charge(order, cost=lambda totals: 0, budget=10**9)
    store = Store(place.home.store)
    for i in range(20):
        store.once(f"k{i}", lambda out: (out / "x").write_bytes(b"x") and None, about={"kind": "train"}).release()
    return folder


def loaded(folder, *words):
    """What a call printed, and the packages that it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, *words], cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *_, line = done.stderr.splitlines()
    assert line.startswith("LOADED ")
    return done.stdout, set(line.split()[1:])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--help",), "frontier"),
        (("status", "--cells"), "100 done"),
        (("status", "--json"), '"stale": true'),
        (("ledger", "runs"), "all cells"),
        (("ledger", "runs", "--json"), '"faults": []'),
        (("frontier", "made"), "fine"),
        (("store", "ls", "runs/store"), "20 stages"),
        (("claims", "show", "--help"), "verdict"),
    ],
    ids=" ".join,
)
def test_a_verb_that_reads_loads_nothing_that_trains(home, words, says):
    out, packages = loaded(home, *words)
    assert says in out
    assert not packages & HEAVY, packages & HEAVY


def test_claims_are_judged_without_what_trains_once_their_keys_are_known(home, tmp_path):
    from segfrontier.study.claims import claims_of
    from segfrontier.study.kept_keys import keep_keys

    claims = claims_of("coarse_to_fine")
    place, encoder = home / "runs", claims.base["recipe"]["encoder"]
    assert claims.base["recipe"]["pretrained"] == "auto"
    write_json(place / "weights.json", {encoder: "package:some-weights 1.0"})  # as the run has decided it
    keep_keys(place, "coarse_to_fine", claims, lambda claim, side: ["no-such-cell"])
    out, packages = loaded(home, "claims", "show", "coarse_to_fine")
    assert "cannot tell" in out and "not measured" in out
    assert not packages & HEAVY, packages & HEAVY
    (tmp_path / "runs").mkdir()
    out, packages = loaded(tmp_path, "claims", "show")
    assert "cannot tell" in out and not packages & HEAVY, "nothing was run, so no key matters"
    other = record("fine", 4, 0, 0.5)
    study(tmp_path / "runs", [record("fine", 4, 0, 0.5, cell=other.cell | {"recipe": {"encoder": "resnet10t"}})])
    out, packages = loaded(tmp_path, "claims", "show")
    assert "cannot tell" in out and not packages & HEAVY, "what was run are other studies"


def test_the_state_of_a_study_needs_no_tables_and_no_images(home):
    for words in (("status",), ("store", "ls", "runs/store"), ("--help",)):
        assert not loaded(home, *words)[1] & {"pyarrow", "cv2", "scipy", "matplotlib", "plotly", "pandas"}


def test_a_table_of_scores_is_answered_without_what_draws_and_what_trains(tmp_path):
    rows = [
        f"{m},{h},{0.3 + h / 100 + d + s / 1000},{s}"
        for m, d in (("a", 0.1), ("b", 0))
        for h in (4, 12)
        for s in range(3)
    ]
    (tmp_path / "points.csv").write_text("\n".join(["method,hours,score,seed", *rows]))
    out, packages = loaded(tmp_path, "frontier", "--from", "points.csv", "--json")
    assert [s["decided"] for s in json.loads(out)["sentences"] if s["kind"] == "leader"] == [True, True]
    assert not packages & (HEAVY | {"cv2", "scipy", "matplotlib", "plotly", "pandas"})
    out, packages = loaded(tmp_path, "frontier", "--from", "points.csv", "--out", "review")
    assert "frontier.html" in out and (tmp_path / "review/cells.parquet").exists()
    assert not packages & (HEAVY | {"cv2", "scipy", "plotly", "pandas"}), "pictures take matplotlib, and no more"


def test_looking_says_the_same_as_running_about_stale_cells(home):
    """By name, from the sources alone, as by the classes that are imported."""
    from segfrontier.basics.installed import installed
    from segfrontier.lab.keying import ROOTS
    from segfrontier.lab.lab import Lab
    from segfrontier.lab.methods import method_class
    from segfrontier.lab.recipe import Recipe
    from segfrontier.market import Market
    from segfrontier.market.annotators import annotator_for
    from segfrontier.store import code_digest
    from segfrontier.study.stale import code_behind, staleness

    for name, place in installed().items():
        for kinds in ((), tuple(ROOTS), *((kind,) for kind in ROOTS), ("source", "train")):
            stages = [root for kind in kinds for root in ROOTS.get(kind, ())]
            live = code_digest(method_class(name), Lab, Recipe, Market, annotator_for, *stages)
            assert code_behind(place, kinds) == live == code_behind(method_class(name), kinds), (name, kinds)
    is_stale, today = staleness(), code_behind(installed()["fine"], ["train"])
    assert not is_stale(record("fine", 1, 0, 0.5, code=today)) and is_stale(record("fine", 1, 0, 0.5, code="old"))
    assert not is_stale(record("fine", 1, 0, 0.5)) and not is_stale(record("gone", 1, 0, 0.5, code="old"))
    plain = json.loads(loaded(home, "status", "--json")[0])
    assert all(cell["stale"] for cell in plain["made"]["cells"])


def test_what_the_cache_knows_of_code_holds_until_a_file_changes(tmp_path, monkeypatch):
    from segfrontier.study import stale

    monkeypatch.setenv("SEGFRONTIER_CACHE", str(tmp_path / "cache"))
    digested = []
    monkeypatch.setattr(stale, "code_digest", lambda *things: digested.append(things) or f"digest {len(digested)}")
    old, new = record("fine", 1, 0, 0.5, code="digest 1"), record("fine", 1, 0, 0.5, code="digest 2")
    assert not stale.staleness()(old) and stale.staleness()(new) and len(digested) == 1, "asked once"
    stamp = stale._stamp
    monkeypatch.setattr(stale, "_stamp", lambda packages: f"{stamp(packages)} and a file more")
    assert stale.staleness()(old) and not stale.staleness()(new) and len(digested) == 2
    for damage in ("", "[]", '{"sources": 3}', "{" * 10):
        (tmp_path / "cache" / "code.json").write_text(damage)
        count = len(digested)
        assert stale.staleness()(old) and len(digested) == count + 1
    (tmp_path / "module.py").write_text("a = 1")
    monkeypatch.syspath_prepend(tmp_path)
    before = stamp({"module", "segfrontier"})
    assert before == stamp({"module", "segfrontier"}) != stamp({"segfrontier"})
